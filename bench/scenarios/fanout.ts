// Scenario `fanout`: what one delivery costs the server when every socket listens to one channel.
import { atMost, type Case, type Scenario, type Settings } from './scenario.js';

/** Share of the `ws` loop's CPU per delivery, by messages in flight. */
const TARGETS: Readonly<Record<number, number>> = { 1: 0.85, 10: 0.18, 50: 0.08 };

const WARMUP_SECONDS = 1;
const PADDING_BYTES = 64;

export function fanoutCases({ sockets, inFlight, seconds }: Settings, label: FanoutLabel): Case[] {
  return sockets.flatMap((connections) =>
    inFlight.map((flight) => ({
      label: label(connections, flight),
      plan: {
        connections,
        publish: { inFlight: flight, padding: PADDING_BYTES, warmupSeconds: WARMUP_SECONDS, seconds },
      },
    })),
  );
}

type FanoutLabel = (sockets: number, inFlight: number) => string;

export const fanout: Scenario = {
  name: 'fanout',
  about: 'one publisher, every socket authenticated and subscribed to one channel, 64 bytes of padding',
  defaults: {
    servers: ['trunkline', 'ws', 'socket.io'],
    rounds: 3,
    seconds: 4,
    sockets: [1000],
    inFlight: [1, 10, 50],
  },
  cases: (settings) => fanoutCases(settings, (sockets, inFlight) => `${sockets} × ${inFlight}`),
  caseHeading: 'sockets × in flight',
  figure: 'cpuUsPerDelivery',
  columns: ['deliveriesPerSecond', 'p50Ms', 'p99Ms', 'cpuUsPerDelivery', 'cpuShare'],
  baselines: ['ws', 'socket.io'],
  judge: (row) => {
    const limit = TARGETS[Number(row.case.split(' × ')[1])];
    const measured = row.ratioTo['ws'];
    if (row.server !== 'trunkline' || limit === undefined || measured === undefined) return undefined;
    return atMost(limit, measured, `≤ ${limit} × ws`);
  },
};
