// Scenario `idle`: the memory that a connected, silent client takes.
import { atMost, type Scenario } from './scenario.js';

const LIMIT_KIB = 10;

export const idle: Scenario = {
  name: 'idle',
  about: 'authenticated sockets subscribed to one channel, then silence; `ws-bare` only accepts them',
  defaults: {
    servers: ['trunkline', 'ws', 'ws-bare', 'socket.io'],
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
  judge: (row) =>
    row.server === 'trunkline'
      ? atMost(LIMIT_KIB, row.median.rssKibPerConnection ?? Number.NaN, `≤ ${LIMIT_KIB} KiB`)
      : undefined,
};
