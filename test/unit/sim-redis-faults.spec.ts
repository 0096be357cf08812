// The faults of the fake Redis over connections: each does what it says and nothing more.

import { describe, expect, it } from 'vitest';
import type { ClientDefaults } from '../../src/backplanes/redis/redis.connection.js';
import type { FakeRedisClient } from '../sim/redis/client.js';
import type { Ends, Network, Wire } from '../sim/redis/port.js';
import { FakeRedisServer } from '../sim/redis/server.js';
import { knownScripts, shaOf } from '../sim/redis/scripts/registry.js';
import { STRAIGHT_NETWORK } from '../sim/redis/straight-network.js';
import { FakeClock } from '../support/fake-clock.js';
import { SeededRandom } from '../support/seeded-random.js';
import { luaOf } from '../sim/redis/compare/texts.js';

const DEFAULTS: ClientDefaults = {
  connectTimeout: 400,
  commandTimeout: 1000,
  socketTimeout: 1000,
  disconnectTimeout: 50,
  retryStrategy: () => 100,
};
const LOST = { name: 'MaxRetriesPerRequestError' };

class Stand {
  readonly clock = new FakeClock();
  readonly redis: FakeRedisServer;

  constructor(parts: { readonly scanPage?: number } = {}) {
    this.redis = new FakeRedisServer({ clock: this.clock, random: new SeededRandom(1), ...parts });
  }

  async client(network: Network = STRAIGHT_NETWORK): Promise<FakeRedisClient> {
    const client = this.redis
      .connector('n', network)
      .connect('commands', DEFAULTS) as unknown as FakeRedisClient;
    const connecting = client.connect();
    await this.clock.settle();
    await connecting;
    return client;
  }

  /** What a subscriber of `x` hears. */
  async listener(): Promise<{ readonly client: FakeRedisClient; readonly heard: string[] }> {
    const client = await this.client();
    const heard: string[] = [];
    client.on('message', (_channel: string, payload: string) => heard.push(payload));
    await client.subscribe('x');
    return { client, heard };
  }

  tell(...payloads: readonly string[]): Promise<void> {
    for (const payload of payloads) this.redis.ask('publish', 'x', payload);
    return this.clock.settle();
  }
}

describe('a failover', () => {
  it('cuts all connections, and the new master knows no script', async () => {
    const stand = new Stand();
    const client = await stand.client();
    stand.redis.ask('set', 'a', '1');
    expect(stand.redis.loseWrites(1)).toBe(1);
    await stand.clock.settle();
    expect(client.status).toBe('reconnecting');
    await stand.clock.advance(100);
    expect(client.status).toBe('ready');
    expect(await client.get('a')).toBeNull();
    await expect(client.evalsha(shaOf(luaOf('register')), 0)).rejects.toThrow(/^NOSCRIPT/);
  });
});

describe('the connections', () => {
  it('of subscribers are cut, and no others', async () => {
    const stand = new Stand();
    const other = await stand.client();
    const { client } = await stand.listener();
    expect(stand.redis.killPubSub('all')).toBe(1);
    await stand.clock.settle();
    expect([client.status, other.status]).toEqual(['reconnecting', 'ready']);
    expect(stand.redis.ask('publish', 'x', 'to nobody')).toBe(0);
  });

  it('stay while the server stands still, and what was sent is carried out later, in its order', async () => {
    const stand = new Stand();
    const client = await stand.client();
    stand.redis.stall(500);
    const calls = [client.set('a', '1'), client.get('a'), client.set('a', '2')];
    await stand.clock.advance(499);
    expect(stand.redis.ask('get', 'a')).toBeNull();
    await stand.clock.advance(1);
    expect(await Promise.all(calls)).toEqual(['OK', '1', 'OK']);
    expect(client.status).toBe('ready');
  });

  it('are cut behind a script that was carried out, before its reply', async () => {
    const stand = new Stand();
    const client = await stand.client();
    stand.redis.cutBeforeReply(1);
    const text = luaOf('register');
    const call = client.eval(text, 2, 'channels', 'lives', 'life', 60_000, 'a');
    await expect(call).rejects.toMatchObject(LOST);
    expect(stand.redis.ask('smembers', 'lives')).toEqual(['life']);
    await stand.clock.advance(100);
    expect(await client.eval(text, 2, 'channels', 'lives', 'life', 60_000, 'a')).toBe(0);
  });

  it('are refused while the server is away; it comes back with or without its data', async () => {
    const stand = new Stand();
    const client = await stand.client();
    for (const keepData of [true, false]) {
      await client.set('a', '1');
      stand.redis.restart({ downMs: 1000, keepData });
      await stand.clock.advance(999);
      expect([stand.redis.up, client.status]).toEqual([false, 'reconnecting']);
      await stand.clock.advance(200);
      expect(client.status).toBe('ready');
      expect(await client.get('a')).toBe(keepData ? '1' : null);
    }
  });

  it('of a subscriber whose buffer is full lose messages and are cut', async () => {
    const stand = new Stand();
    const { client, heard } = await stand.listener();
    await stand.tell('1');
    expect(stand.redis.overflow(2, 1000)).toBe(true);
    await stand.tell('2');
    expect(client.status).toBe('ready');
    await stand.tell('3', '4');
    expect(client.status).toBe('reconnecting');
    expect(heard).toEqual(['1']);
    expect(stand.redis.counts.lost).toBe(2);
  });

  it('of a subscriber whose buffer is full are cut after their time when nothing more is said', async () => {
    const stand = new Stand();
    const { client } = await stand.listener();
    stand.redis.overflow(2, 300);
    await stand.clock.advance(299);
    expect(client.status).toBe('ready');
    await stand.clock.advance(1);
    expect(client.status).toBe('reconnecting');
  });
});

describe('the network', () => {
  /** Lanes that stop when told so, in each direction. */
  class Lanes implements Network {
    ends: Ends | undefined;
    over = 0;
    readonly silent = { toServer: false, toClient: false };

    open(_caller: unknown, ends: Ends) {
      this.ends = ends;
      const lane = (side: 'toServer' | 'toClient'): Wire => ({
        send: (deliver) =>
          queueMicrotask(() => {
            if (!this.silent[side]) deliver();
          }),
      });
      return { toServer: lane('toServer'), toClient: lane('toClient'), over: () => void this.over++ };
    }
  }

  it('that swallows replies leaves a write done and its outcome unknown', async () => {
    const stand = new Stand();
    const lanes = new Lanes();
    const client = await stand.client(lanes);
    lanes.silent.toClient = true;
    const outcome = client.set('a', '1').catch((error: unknown) => error);
    await stand.clock.advance(1000);
    expect(await outcome).toMatchObject({ message: 'Command timed out' });
    expect(stand.redis.ask('get', 'a')).toBe('1');
    expect(client.status).toBe('reconnecting');
  });

  it('is told when both ends of a connection are closed, once', async () => {
    const stand = new Stand();
    const lanes = new Lanes();
    const client = await stand.client(lanes);
    expect(lanes.over).toBe(0);
    client.disconnect();
    await stand.clock.advance(1000);
    expect([client.status, lanes.over]).toEqual(['end', 1]);
  });

  it('breaks one end, and the other learns it when it sends', async () => {
    const stand = new Stand();
    const lanes = new Lanes();
    const client = await stand.client(lanes);
    lanes.ends?.breakServer();
    await stand.clock.settle();
    expect(client.status).toBe('ready');
    await expect(client.get('a')).rejects.toMatchObject(LOST);
    expect(client.status).toBe('reconnecting');
  });
});

describe('an instance that is gone', () => {
  it.each([true, false])('says nothing more (silent: %s)', async (silent) => {
    const stand = new Stand();
    const connector = stand.redis.connector('n', STRAIGHT_NETWORK);
    const client = connector.connect('bus', DEFAULTS) as unknown as FakeRedisClient;
    const connecting = client.connect();
    await stand.clock.settle();
    await connecting;
    await client.subscribe('x');
    const said: string[] = [];
    for (const event of ['message', 'close', 'end', 'error', 'reconnecting'])
      client.on(event, () => said.push(event));
    void client.ping().then(() => said.push('pong'));
    connector.vanish(silent);
    await stand.tell('1');
    await stand.clock.advance(10_000);
    expect(said).toEqual([]);
    expect(stand.redis.ask('publish', 'x', '2')).toBe(silent ? 1 : 0);
    expect(stand.clock.pending).toBe(0);
  });
});

describe('a scan in pages', () => {
  it('finds what is there all the time, whatever comes and goes between two pages', () => {
    const { redis } = new Stand({ scanPage: 2 });
    const fields = Array.from({ length: 20 }, (_, n) => `f${n}`);
    redis.ask('hset', 'h', ...fields.flatMap((field) => [field, '1']));
    const found: string[] = [];
    let cursor = '0';
    let pages = 0;
    do {
      const [next, pairs] = redis.ask('hscan', 'h', cursor, 'COUNT', 500) as [string, string[]];
      found.push(...pairs.filter((_, at) => at % 2 === 0));
      redis.ask('hdel', 'h', ...found);
      redis.ask('hset', 'h', `new${pages++}`, '1');
      cursor = next;
    } while (cursor !== '0');
    expect(found.filter((field) => field.startsWith('f')).sort()).toEqual([...fields].sort());
    expect(pages).toBeGreaterThan(5);
  });
});

describe('the scripts', () => {
  it('are known by the digest of their Lua files', () => {
    for (const { name } of knownScripts()) {
      const { redis } = new Stand();
      expect(() => redis.ask('evalsha', shaOf(luaOf(name)), 0)).toThrow(/^NOSCRIPT/);
    }
    const { redis } = new Stand();
    expect(() => redis.ask('eval', 'return 1', 0)).toThrow(/nothing for this script/);
  });
});
