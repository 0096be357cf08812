// Scenario `scale`: whether a delivery costs the same to few sockets and to many.
import { fanoutCases } from './fanout.js';
import { atMost, type Scenario } from './scenario.js';

/** Dearest case over cheapest. */
const LIMIT = 1.15;

export const scale: Scenario = {
  name: 'scale',
  about: 'fan-out as in `fanout`, ten messages in flight, from 100 sockets to 15,000',
  defaults: {
    servers: ['trunkline'],
    rounds: 3,
    seconds: 4,
    sockets: [100, 1000, 5000, 15_000],
    inFlight: [10],
  },
  cases: (settings) => fanoutCases(settings, (sockets, inFlight) => `${sockets} × ${inFlight}`),
  caseHeading: 'sockets × in flight',
  figure: 'cpuUsPerDelivery',
  columns: ['deliveriesPerSecond', 'p50Ms', 'p99Ms', 'cpuUsPerDelivery', 'cpuShare'],
  baselines: ['ws'],
  judge: (row, rows) => {
    if (row.server !== 'trunkline') return undefined;
    const costs = rows
      .filter(({ server }) => server === row.server)
      .map(({ median }) => median.cpuUsPerDelivery ?? Number.NaN);
    const measured = (row.median.cpuUsPerDelivery ?? Number.NaN) / Math.min(...costs);
    return atMost(LIMIT, measured, `≤ ${LIMIT} × the cheapest row`);
  },
};
