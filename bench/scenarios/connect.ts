// Scenario `connect`: what it costs the server to let a client in, up to the answer to its subscription.
import { atMost, type Scenario } from './scenario.js';

/** Enough for the compiler to have seen the road, few enough not to grow the heap for the measured ones. */
const WARM_CONNECTIONS = 2000;
/** CPU of a connect with its token and its subscription, in times of a bare accept. */
const MOST = 1.9;

export const connect: Scenario = {
  name: 'connect',
  about: 'authenticated connect and subscribe, 256 clients at a time; `ws-bare` only accepts them',
  defaults: {
    servers: ['trunkline', 'ws', 'ws-bare', 'socket.io'],
    rounds: 3,
    seconds: 0,
    sockets: [10_000],
    inFlight: [],
  },
  cases: ({ sockets }) =>
    sockets.map((connections) => ({
      label: String(connections),
      plan: { connections, warmupConnections: WARM_CONNECTIONS },
    })),
  caseHeading: 'sockets',
  figure: 'connectCpuUs',
  columns: ['connectsPerSecond', 'connectCpuUs'],
  baselines: ['ws-bare', 'ws', 'socket.io'],
  judge: ({ server, ratioTo }) => {
    const measured = ratioTo['ws-bare'];
    if (server !== 'trunkline' || measured === undefined) return undefined;
    return atMost(MOST, measured, `≤ ${MOST} × ws-bare`);
  },
};
