// Scenario `cluster`: what a delivery costs the instance that holds the sockets, when another one over Redis publishes.
import { fanoutCases } from './fanout.js';
import { atMost, type Scenario } from './scenario.js';

/** Share of Socket.IO's CPU per delivery, by messages in flight. */
const LIMITS: Readonly<Record<number, number>> = { 10: 0.2 };

export const cluster: Scenario = {
  name: 'cluster',
  about: 'two servers over one Redis: sockets on the second, one publisher on the first; CPU of the second',
  defaults: {
    servers: ['trunkline-redis', 'socket.io-redis'],
    rounds: 3,
    seconds: 4,
    sockets: [1000],
    inFlight: [1, 10],
  },
  cases: (settings) => fanoutCases(settings, (sockets, inFlight) => `${sockets} × ${inFlight}`),
  caseHeading: 'sockets × in flight',
  figure: 'cpuUsPerDelivery',
  columns: ['deliveriesPerSecond', 'p50Ms', 'p99Ms', 'cpuUsPerDelivery', 'cpuShare'],
  baselines: ['socket.io-redis'],
  judge: (row) => {
    const limit = LIMITS[Number(row.case.split(' × ')[1])];
    const measured = row.ratioTo['socket.io-redis'];
    if (row.server !== 'trunkline-redis' || limit === undefined || measured === undefined) return undefined;
    return atMost(limit, measured, `≤ ${limit} × Socket.IO with its Redis adapter`);
  },
};
