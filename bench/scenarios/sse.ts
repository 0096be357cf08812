// Scenario `sse`: what one delivery by an event stream costs, beside our own WebSocket and beside Nest's `@Sse`.
import { fanoutCases } from './fanout.js';
import { atMost, type Scenario } from './scenario.js';

const LIMIT_TO_WEBSOCKET = 1.15;
const LIMIT_TO_NEST = 0.6;

export const sse: Scenario = {
  name: 'sse',
  about: 'one publisher by WebSocket, every stream authenticated and on one channel, 64 bytes of padding',
  defaults: {
    servers: ['trunkline', 'trunkline-sse', 'nest-sse'],
    rounds: 3,
    seconds: 4,
    sockets: [1000],
    inFlight: [1, 10],
  },
  cases: (settings) => fanoutCases(settings, (sockets, inFlight) => `${sockets} × ${inFlight}`),
  caseHeading: 'streams × in flight',
  figure: 'cpuUsPerDelivery',
  columns: ['deliveriesPerSecond', 'p50Ms', 'p99Ms', 'cpuUsPerDelivery', 'cpuShare'],
  baselines: ['trunkline', 'nest-sse'],
  judge: ({ server, ratioTo }) => {
    const toWebSocket = ratioTo['trunkline'];
    const toNest = ratioTo['nest-sse'];
    if (server !== 'trunkline-sse' || toWebSocket === undefined || toNest === undefined) return undefined;
    const share = Math.max(toWebSocket / LIMIT_TO_WEBSOCKET, toNest / LIMIT_TO_NEST);
    return atMost(1, share, `≤ ${LIMIT_TO_WEBSOCKET} × WebSocket and ≤ ${LIMIT_TO_NEST} × @Sse, as a share`);
  },
};
