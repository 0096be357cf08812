// G24: Redis is shut down and comes back with its data. Sockets stay, publishes fail fast, and all converges without a restart.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { spreadOf } from '../report.js';
import type { Scenario, Stage } from '../stage.js';

/** Milliseconds a publish may take to fail while Redis is known to be away. */
const FAST_MS = 1000;
/** Until the servers have noticed. */
const NOTICE_MS = 500;
/** Connections an instance may open to a Redis that came back: commands, bus, and one more try of each. */
const CONNECTIONS = 6;

export const redisAway: Scenario = {
  name: 'redis-away',
  promise: 'G24',
  about: 'Redis is shut down for a while and comes back with its data',
  rules: { noGaps: true },
  long: { seconds: 60, rate: 500, channels: 30, count: 1 },
  short: { seconds: 3, rate: 200, channels: 10, count: 1 },
  run: async (stage) => {
    const { cluster, settings, audience, load, ledger } = stage;
    await audience.gather();
    await load.start();
    await stage.pause(1000);
    const sockets = socketsOf(stage);
    const before = await memory(stage);
    await cluster.redis.ask('SHUTDOWN', 'SAVE').catch(() => {});
    await cluster.redis.kill();
    stage.say('Redis is away');
    await stage.pause(NOTICE_MS);
    const from = ledger.outcomes.length;
    await stage.pause(settings.seconds * 1000 - NOTICE_MS);
    const failed = ledger.outcomes.slice(from);
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
    stage.expect(fast.p99 <= FAST_MS, 'G24', `Failing took ${fast.p99} ms at p99.`);
    const grown = (await memory(stage)) - before;
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
      'memory grown MB': Math.round(grown / 1e6),
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

async function memory({ cluster }: Stage): Promise<number> {
  const parts = await Promise.all(
    cluster.instances.map((one) => one.metric('process_resident_memory_bytes')),
  );
  return parts.reduce((sum, part) => sum + part, 0);
}
