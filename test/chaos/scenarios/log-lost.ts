// G13: Redis comes back empty, is flushed, or evicts what names the log. Every reader is told, whether connected or away, and none goes on
// as if nothing had happened.

import type { Position } from '../../../client/src/index.js';
import { RedisKeys } from '../../../src/backplanes/redis/redis.keys.js';
import type { Scenario, Stage } from '../stage.js';
import { Track } from '../track.js';
import { POLL_WIRE, SSE_WIRE, WS_WIRE } from '../wires.js';

/** Milliseconds within which each connected reader must be told: the check of idle channels that G12 promises finds it at the latest. */
const TOLD_MS = 10_000;
const TOLD_BACK_MS = 1000;
const LOADED_MS = 700;
const PREFIX = 'trunkline';
const WIRES = [WS_WIRE, SSE_WIRE, POLL_WIRE];

const LOSSES: readonly (readonly [string, (stage: Stage) => Promise<unknown>])[] = [
  ['Redis comes back empty', ({ cluster }) => cluster.redis.restart()],
  ['FLUSHALL', ({ cluster }) => cluster.redis.ask('FLUSHALL')],
  [
    'the names of the logs are evicted, the logs stay',
    ({ cluster, channels }) => {
      const keys = new RedisKeys(PREFIX);
      return cluster.redis.ask('DEL', ...channels.map((channel) => keys.meta(channel)));
    },
  ],
];

export const logLost: Scenario = {
  name: 'log-lost',
  promise: 'G13',
  about:
    'Redis restarted empty, FLUSHALL, evicted meta keys: told to connected readers and to those who were away',
  rules: { losesLog: true },
  long: { seconds: 30, rate: 500, channels: 20, count: 4 },
  short: { seconds: 4, rate: 200, channels: 10, count: 1 },
  run: async (stage) => {
    const { audience, load, settings } = stage;
    await audience.gather();
    await load.start();
    let slowest = 0;
    let absent = 0;
    for (let round = 0; round < settings.count; round++) {
      for (const [name, lose] of LOSSES) {
        await stage.pause(LOADED_MS);
        const before = new Map(audience.readers.map(({ track }) => [track, new Map(track.positions)]));
        await lose(stage);
        stage.say(name);
        slowest = Math.max(slowest, await told(stage, before));
        for (const [at, { track, channels }] of audience.readers.slice(0, WIRES.length).entries())
          absent += await comeBack(stage, {
            at,
            name,
            positions: before.get(track) ?? new Map<string, Position>(),
            channels,
          });
      }
    }
    await load.stop();
    if (settings.count > 1) slowest = Math.max(slowest, await loseQuietly(stage));
    const rest = await stage.settle();
    const discontinuities = audience.discontinuities;
    return {
      'slowest told ms': Math.round(slowest),
      'told when back': absent,
      discontinuities,
      'rest ms': rest,
    };
  },
};

/** Nothing is published that could show it: only the check of positions finds out. */
async function loseQuietly(stage: Stage): Promise<number> {
  const before = new Map(stage.audience.readers.map(({ track }) => [track, new Map(track.positions)]));
  await stage.cluster.redis.ask('FLUSHALL');
  stage.say('FLUSHALL while nothing is published');
  return told(stage, before);
}

type Positions = Track['positions'];

/** Waits until every connected reader is in another epoch, in each of its channels. */
async function told(stage: Stage, before: ReadonlyMap<Track, Positions>): Promise<number> {
  const limit = TOLD_MS + stage.settings.slackMs;
  const began = performance.now();
  const missing = (): readonly string[] =>
    stage.audience.readers.flatMap(({ track, channels }) =>
      channels
        .filter((channel) => track.positions.get(channel)?.epoch === before.get(track)?.get(channel)?.epoch)
        .map((channel) => `${track.name} in ${channel}`),
    );
  while (missing().length > 0 && performance.now() - began < limit) await stage.pause(20);
  const late = missing();
  stage.expect(
    late.length === 0,
    'G13',
    `${late.length} not told in ${limit} ms: ${late.slice(0, 4).join(', ')}.`,
  );
  return performance.now() - began;
}

interface Absent {
  readonly at: number;
  readonly name: string;
  readonly positions: Positions;
  readonly channels: readonly string[];
}

/** One that was away comes back with the positions of before: each of its channels must be refused with a reason. */
async function comeBack(stage: Stage, { at, name, positions, channels }: Absent): Promise<number> {
  const wire = WIRES[at % WIRES.length] as (typeof WIRES)[number];
  const track = new Track(`absent-${at}-${name}`, stage.history);
  for (const channel of channels) {
    const position = positions.get(channel);
    if (position !== undefined) track.begin(channel, position);
  }
  const session = await wire({ instance: stage.cluster.pick(stage.random), channels, track });
  // It comes with the first answer, or right after it on a stream.
  const end = performance.now() + TOLD_BACK_MS + stage.settings.slackMs;
  while (track.discontinuities < channels.length && performance.now() < end) await stage.pause(10);
  stage.expect(
    track.discontinuities >= channels.length,
    'G13',
    `${track.name} came back to ${channels.length} channels and was told of ${track.discontinuities} losses.`,
  );
  session.cut();
  for (const channel of channels) track.leave(channel);
  return track.discontinuities;
}
