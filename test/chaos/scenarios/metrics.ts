// G29: what the instances count is what publishers and readers saw, while the bus is killed under them.

import type { Scenario, Stage } from '../stage.js';
import { postMessage } from '../post.js';
import { Track } from '../track.js';
import { SSE_WIRE, WS_WIRE } from '../wires.js';

const COUNTED = [
  'publications_total',
  'publications_duplicate_total',
  'deliveries_total',
  'replays_total',
  'outbox_dropped_total',
  'discontinuities_total',
] as const;
type Counted = Record<(typeof COUNTED)[number], number>;

const KILL_EVERY_MS = 500;

export const metrics: Scenario = {
  name: 'metrics',
  promise: 'G29',
  about: 'the counters of all instances against what publishers and readers saw',
  rules: { noGaps: true },
  long: { seconds: 20, rate: 800, channels: 20, count: 0 },
  short: { seconds: 3, rate: 300, channels: 10, count: 0 },
  run: async (stage) => {
    const { audience, cluster, channels, load, ledger, settings } = stage;
    const before = await counted(stage);
    for (let at = 0; at < 3; at++) {
      audience.addRaw(WS_WIRE, channels, `raw-${at}-ws`);
      audience.addRaw(SSE_WIRE, channels.slice(0, 5), `raw-${at}-sse`);
      audience.addSdk('websocket', channels.slice(at), `sdk-${at}`);
    }
    await audience.start();
    await load.start();
    const end = performance.now() + settings.seconds * 1000;
    let kills = 0;
    const early = new Map(audience.raw[0]?.track.positions);
    while (performance.now() < end) {
      await stage.pause(KILL_EVERY_MS);
      await repeat(stage);
      await cluster.redis.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
      kills++;
    }
    const rest = await stage.settle();
    const late = await comeLate(stage, early);
    const after = await counted(stage);
    const grown = (name: keyof Counted): number => after[name] - before[name];
    const repeats = ledger.repeats;
    const pairs: readonly (readonly [string, number, number])[] = [
      ['publications', grown('publications_total'), ledger.ok - repeats],
      ['repeats', grown('publications_duplicate_total'), repeats],
      [
        'deliveries and replays',
        grown('deliveries_total') + grown('replays_total'),
        audience.delivered + late,
      ],
      ['dropped', grown('outbox_dropped_total'), 0],
      ['discontinuities', grown('discontinuities_total'), audience.discontinuities],
    ];
    for (const [name, told, seen] of pairs)
      stage.expect(told === seen, 'G29', `The instances count ${told} ${name}; ${seen} were seen.`);
    return { kills, counted: pairs.map(([name, told]) => `${name} ${told}`).join(', '), 'rest ms': rest };
  },
};

/** The same key twice, on two instances. */
async function repeat({ cluster, ledger, channels, random, history }: Stage): Promise<void> {
  const op = ledger.nextOp();
  const channel = channels[random.below(channels.length)] as string;
  for (const [at, instance] of cluster.instances.slice(0, 2).entries()) {
    const attempt = { op, n: at + 1, channel, key: `repeat${op}`, sentAt: history.now() };
    ledger.invoke(attempt);
    ledger.settle(attempt, await postMessage(instance, attempt));
  }
}

/** One that was away since the begin and gets everything in the replies. Messages it was given. */
async function comeLate(
  { cluster, channels, history, random }: Stage,
  early: Track['positions'],
): Promise<number> {
  const track = new Track('late', history);
  for (const [channel, position] of early) track.begin(channel, position);
  const session = await WS_WIRE({ instance: cluster.pick(random), channels, track });
  session.cut();
  return track.delivered;
}

async function counted({ cluster }: Stage): Promise<Counted> {
  const sums = {} as Counted;
  for (const name of COUNTED) {
    const parts = await Promise.all(cluster.instances.map((instance) => instance.metric(name)));
    sums[name] = parts.reduce((sum, part) => sum + part, 0);
  }
  return sums;
}
