// G24: Redis is shut down and comes back with its data. Sockets stay, publishes fail fast, and all converges without a restart.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { spreadOf } from '../report.js';
import type { Scenario, Stage } from '../stage.js';

/** Milliseconds a publish may take to fail while Redis is known to be away: no attempt waits for the limit of an answer. */
const FAST_MS = 1000;
/** Until the servers have noticed. */
const NOTICE_MS = 500;
const SAMPLE_MS = 1000;
/** Memory is looked at once what a Redis away costs has been allocated, and as a mean: the collector makes a saw of it. */
const WARM_MS = 15_000;
const MEAN_MS = 6000;
/** Small, so that refused publishes are collected soon and what grows is what is kept. A server with this load needs 30. */
const OLD_SPACE_MB = 48;
/** Bytes an instance may grow in the 40 s after that. Measured: 1 to 8 MB, and 34 MB where garbage was left to lie. */
const FLAT_BYTES = 16_000_000;
/** Connections an instance may open to a Redis that came back: commands, bus, and one more try of each. */
const CONNECTIONS = 6;

export const redisAway: Scenario = {
  name: 'redis-away',
  promise: 'G24',
  about: 'Redis is shut down for a while and comes back with its data',
  rules: { noGaps: true },
  cluster: { env: { NODE_OPTIONS: `--max-old-space-size=${OLD_SPACE_MB}` } },
  long: { seconds: 60, rate: 500, channels: 30, count: 1 },
  short: { seconds: 3, rate: 200, channels: 10, count: 1 },
  run: async (stage) => {
    const { cluster, settings, audience, load, ledger, history } = stage;
    await audience.gather();
    await load.start();
    await stage.pause(1000);
    const sockets = socketsOf(stage);
    await cluster.redis.ask('SHUTDOWN', 'SAVE').catch(() => {});
    await cluster.redis.kill();
    stage.say('Redis is away');
    await stage.pause(NOTICE_MS);
    const from = history.now();
    const grown = await watchMemory(stage, settings.seconds * 1000 - NOTICE_MS);
    const flat = grown === undefined || grown <= FLAT_BYTES;
    stage.expect(flat, 'G24', `An instance grew by ${grown} bytes without Redis.`);
    const failed = ledger.outcomes.filter(({ sentAt }) => sentAt > from);
    const ready = await Promise.all(cluster.instances.map(({ url }) => fetch(`${url}/health/ready`)));
    stage.expect(
      ready.every(({ status }) => status === 503),
      'G24',
      'An instance says ready without Redis.',
    );
    stage.expect(
      failed.length > 0 && failed.every(({ kind }) => kind !== 'ok'),
      'G24',
      'Acknowledged without Redis.',
    );
    const fast = spreadOf(failed.map(({ ms }) => ms));
    stage.expect(fast.p50 <= FAST_MS, 'G24', `Failing took ${fast.p50} ms at p50.`);
    // With the slack of a busy machine this is the limit of any answer.
    const slowest = FAST_MS + settings.slackMs;
    stage.expect(fast.p99 <= slowest, 'G24', `Failing took ${fast.p99} ms at p99; ${slowest} are allowed.`);
    await cluster.redis.begin();
    // Later runs on the same Redis begin with nothing.
    rmSync(join(cluster.redis.folder, 'dump.rdb'), { force: true });
    stage.say('Redis is back');
    const rest = await stage.settle();
    const taken = Number(await cluster.redis.info('total_connections_received'));
    const most = CONNECTIONS * cluster.instances.length;
    stage.expect(
      taken <= most + 10,
      'G24',
      `${taken} connections to a Redis that came back; ${most} are enough.`,
    );
    const anew = socketsOf(stage) - sockets;
    stage.expect(anew === 0, 'G24', `${anew} sockets were opened anew.`);
    return {
      failing: fast,
      'memory grown MB': grown === undefined ? 'not measured' : Math.round(grown / 1e5) / 10,
      'connections to Redis': taken,
      'rest ms': rest,
    };
  },
};

/** Sessions opened so far by readers that keep a connection; a poll is answered 503 meanwhile. */
function socketsOf({ audience }: Stage): number {
  const keeping = audience.readers.filter(({ track }) => !track.name.includes('poll'));
  return keeping.reduce((sum, { connections }) => sum + connections, 0);
}

/** Waits so long. Bytes by which the instance that grew most has grown since it was warm; undefined when that is too short to say. */
async function watchMemory(stage: Stage, ms: number): Promise<number | undefined> {
  const { instances } = stage.cluster;
  const began = performance.now();
  const samples: { readonly at: number; readonly sizes: readonly number[] }[] = [];
  for (let left = ms; left > 0; left = began + ms - performance.now()) {
    await stage.pause(Math.min(SAMPLE_MS, left));
    const at = performance.now() - began;
    const sizes = await Promise.all(instances.map((one) => one.metric('process_resident_memory_bytes')));
    samples.push({ at, sizes });
  }
  if (ms < WARM_MS + 3 * MEAN_MS) return undefined;
  const first = samples.filter(({ at }) => at > WARM_MS && at < WARM_MS + MEAN_MS);
  const last = samples.filter(({ at }) => at > ms - MEAN_MS);
  const grown = instances.map((_, n) => {
    const [before, after] = [first, last].map((some) => meanOf(some.map(({ sizes }) => sizes[n] ?? 0)));
    return (after ?? NaN) - (before ?? NaN);
  });
  return Math.max(...grown);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
