// Scenario `idle`: the memory that a connected, silent client takes.
import { atMost, type Scenario } from './scenario.js';

/** KiB a connection, by server. */
const LIMITS: Readonly<Record<string, number>> = { trunkline: 10, 'trunkline-sse': 24 };

export const idle: Scenario = {
  name: 'idle',
  about: 'authenticated sockets subscribed to one channel, then silence; `ws-bare` only accepts them',
  defaults: {
    servers: ['trunkline', 'trunkline-sse', 'ws', 'ws-bare', 'socket.io'],
    rounds: 3,
    seconds: 10,
    sockets: [10_000],
    inFlight: [],
  },
  cases: ({ sockets, seconds }) =>
    sockets.map((connections) => ({
      label: String(connections),
      plan: { connections, idleSeconds: seconds },
    })),
  caseHeading: 'sockets',
  figure: 'rssKibPerConnection',
  columns: ['rssKibPerConnection', 'idleCpuSeconds'],
  baselines: ['ws-bare', 'ws', 'socket.io'],
  judge: ({ server, median }) => {
    const limit = LIMITS[server];
    return limit === undefined
      ? undefined
      : atMost(limit, median.rssKibPerConnection ?? Number.NaN, `≤ ${limit} KiB`);
  },
};
