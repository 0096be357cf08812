// The bus of a Cluster when a connection to one master only looks alive: it is noticed, its channels are told, the others go on.

import { Cluster } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RedisBackplane } from '../../src/backplanes/redis/redis.backplane.js';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import { redisOptions, type RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { SLOTS, slotOf } from '../../src/backplanes/redis/redis.slots.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import { SYSTEM_CLOCK, SystemRandom } from '../../src/core/ports/time.js';
import { RecordingListener } from '../support/recording-listener.js';
import { append, freshPrefix, startPeer, stopPeers, suspects, type Peer } from '../support/redis-nodes.js';
import { startProxiedCluster, type ProxiedCluster } from '../support/redis-proxies.js';
import type { RedisServer } from '../support/redis-server.js';
import { until } from '../support/wait.js';

const COMMAND_MS = 500;
const BEAT_MS = 100;
/** Milliseconds until a dead connection is known, made anew and subscribed to again, on a busy machine. */
const HALF_OPEN_MS = 5 * COMMAND_MS;

let cluster: ProxiedCluster;
let settings: RedisSettings;
const others: RedisBackplane[] = [];

beforeAll(async () => {
  cluster = await startProxiedCluster();
});
beforeEach(() => {
  settings = {
    url: cluster.url,
    prefix: freshPrefix(),
    commandTimeoutMs: COMMAND_MS,
    connectTimeoutMs: 1000,
    beatMs: BEAT_MS,
  };
});
afterEach(async () => {
  for (const { nodes } of [cluster.fleet]) for (const node of nodes) node.resume();
  await stopPeers();
  await Promise.all(others.splice(0).map((node) => node.stop()));
});
afterAll(() => cluster.stop());

/** Channels of one master each, by the number of the master. */
function channelsOf(master: number, count: number): string[] {
  const keys = new RedisKeys('any');
  const found: string[] = [];
  for (let n = 0; found.length < count; n++) {
    const name = `bus:${n}`;
    const tag = /\{(.+?)\}/.exec(keys.bus(name))?.[1] ?? '';
    if (Math.floor((slotOf(tag) * 3) / SLOTS) === master) found.push(name);
  }
  return found;
}

/** Takes and gives messages in all of its channels. */
async function works(listener: Peer, publisher: Peer, channels: readonly string[]): Promise<void> {
  for (const name of channels) {
    const before = listener.ear.offsets(name).length;
    const told = async (): Promise<boolean> => {
      await append(publisher, name).catch(() => {});
      return listener.ear.offsets(name).length > before;
    };
    await until(told, `live messages in ${name}`, 20_000);
  }
}

async function subscriptionsOf(node: RedisServer, kind: 'sub' | 'ssub'): Promise<number[]> {
  const list = String(await node.ask('CLIENT', 'LIST', 'TYPE', 'pubsub'));
  return [...list.matchAll(new RegExp(` ${kind}=([0-9]+)`, 'g'))].map(([, n]) => Number(n));
}

/** A node with a Cluster client that an application made, without the library's own watch over sockets. */
async function withOwnClient(): Promise<Peer> {
  const seeds = cluster.proxies.map(({ port }) => ({ host: '127.0.0.1', port }));
  const node = new RedisBackplane({
    options: redisOptions.parse(settings),
    clock: SYSTEM_CLOCK,
    random: new SystemRandom(),
    logger: SILENT_LOGGER,
    connect: (role) =>
      new Cluster(seeds, {
        lazyConnect: true,
        shardedSubscribers: role === 'bus',
        redisOptions: {
          ...{ lazyConnect: true, maxRetriesPerRequest: 0, autoResubscribe: false },
          ...(role === 'commands' ? { commandTimeout: COMMAND_MS, socketTimeout: COMMAND_MS } : {}),
        },
      }),
  });
  others.push(node);
  const ear = new RecordingListener();
  await node.start(ear);
  return { node, ear };
}

describe('the bus of a Cluster', () => {
  it('asks one question a master and beat, and keeps nothing of it', async () => {
    const listener = await startPeer(settings);
    await listener.node.subscribe(channelsOf(0, 1)[0] as string);
    const { nodes } = cluster.fleet;
    const calls = async (node: RedisServer): Promise<number> =>
      Number(/calls=([0-9]+)/.exec((await node.info('cmdstat_ssubscribe')) ?? '')?.[1] ?? 0);
    for (const node of nodes) {
      const before = await calls(node);
      await until(async () => (await calls(node)) > before + 3, 'some beats');
      // At most the question of this moment beside what is listened to.
      for (const count of await subscriptionsOf(node, 'ssub')) expect(count).toBeLessThanOrEqual(2);
    }
    const [node] = nodes as [RedisServer];
    const start = Date.now();
    const first = await calls(node);
    await until(() => Date.now() > start + 10 * BEAT_MS, 'ten beats');
    expect((await calls(node)) - first).toBeLessThanOrEqual((Date.now() - start) / BEAT_MS + 2);
  });

  it('notices half-open connections to one master, tells its channels, and hears again', async () => {
    const listener = await startPeer(settings);
    const harmed = channelsOf(1, 3);
    const well = channelsOf(0, 3);
    for (const name of [...harmed, ...well]) await listener.node.subscribe(name);
    await works(listener, await startPeer(settings), [...harmed, ...well]);
    listener.ear.suspects.length = 0;
    cluster.proxies[1]?.blackHoleOpen();
    const start = performance.now();
    // Its connections are made after the fault.
    const publisher = await startPeer(settings);
    const lost = await Promise.all(harmed.map((name) => append(publisher, name)));
    expect(lost).toHaveLength(3);
    await listener.ear.until('suspicion', () => suspects(listener.ear, harmed));
    expect(performance.now() - start).toBeLessThan(HALF_OPEN_MS);
    await works(listener, publisher, [...harmed, ...well]);
  });

  it('goes on hearing the other masters while one stands still', async () => {
    const [listener, publisher] = [await startPeer(settings), await startPeer(settings)];
    const harmed = channelsOf(1, 2);
    const well = channelsOf(0, 1);
    for (const name of [...harmed, ...well]) await listener.node.subscribe(name);
    await works(listener, publisher, [...harmed, ...well]);
    cluster.fleet.nodes[1]?.pause();
    try {
      const end = Date.now() + 4 * COMMAND_MS;
      const name = well[0] as string;
      const sent: number[] = [];
      await until(async () => {
        sent.push((await append(publisher, name)).position.offset);
        return Date.now() > end;
      }, 'some time');
      await listener.ear.until('each of them', () => {
        const heard = new Set(listener.ear.offsets(name));
        return sent.every((offset) => heard.has(offset));
      });
    } finally {
      cluster.fleet.nodes[1]?.resume();
    }
    await works(listener, publisher, [...harmed, ...well]);
  });

  it('notices it also with a client of the application, which does not watch its sockets', async () => {
    const listener = await withOwnClient();
    const harmed = channelsOf(2, 2);
    for (const name of harmed) await listener.node.subscribe(name);
    await works(listener, await startPeer(settings), harmed);
    listener.ear.suspects.length = 0;
    cluster.proxies[2]?.blackHoleOpen();
    const start = performance.now();
    const publisher = await startPeer(settings);
    await listener.ear.until('suspicion', () => suspects(listener.ear, harmed));
    expect(performance.now() - start).toBeLessThan(HALF_OPEN_MS);
    await works(listener, publisher, harmed);
  });
});
