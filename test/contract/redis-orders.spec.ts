// Orders between nodes in a real Redis: in order and once, also when the call is lost, Redis forgets, or the stream begins anew.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Redis } from 'ioredis';
import type { ControlMessage } from '../../src/core/ports/backplane.js';
import type { RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { RedisLife } from '../support/redis-life.js';
import { freshPrefix } from '../support/redis-nodes.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/wait.js';

const order = (user: string): ControlMessage => ({ type: 'disconnect', user, code: 4003, reason: 'test' });
/** A node that looks by itself only when it is woken. */
const DEEP_SLEEP = { beatMs: 3_600_000 };

describe('orders in Redis', () => {
  let server: RedisServer;
  let prefix: string;
  let lives: RedisLife[];
  let calls: Redis | undefined;

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(async () => server.stop());
  beforeEach(() => {
    prefix = freshPrefix();
    lives = [];
    calls = undefined;
  });
  afterEach(async () => {
    server.resume();
    calls?.disconnect();
    await Promise.all(lives.map((life) => life.stop()));
  });

  async function node(name: string, settings: RedisSettings = {}): Promise<RedisLife> {
    const life = new RedisLife(name, { url: server.url, prefix, ...settings });
    lives.push(life);
    return life.start();
  }
  async function passCallsOn(): Promise<void> {
    calls = new Redis(server.url);
    calls.on('message', () => lives.forEach((life) => life.orders.wake()));
    await calls.subscribe((lives[0] as RedisLife).keys.wake());
  }
  const heard = (life: RedisLife): string[] => life.control.map(({ user }) => user);
  const hears = (life: RedisLife, ...wanted: string[]): Promise<void> =>
    until(() => heard(life).join() === wanted.join(), `${life.node} to hear ${wanted.slice(-3).join()}`);

  it('reach every node in order and once when it is called', async () => {
    const [a, b] = [await node('a', DEEP_SLEEP), await node('b', DEEP_SLEEP)];
    await passCallsOn();
    const wanted = Array.from({ length: 450 }, (_, at) => `user${at}`);
    await Promise.all(wanted.map((user, at) => (at % 2 === 0 ? a : b).orders.send(order(user))));
    for (const life of [a, b]) await until(() => life.control.length >= wanted.length, 'all of them');
    expect(new Set(heard(a))).toEqual(new Set(wanted));
    expect(heard(b)).toEqual(heard(a));
    expect(a.control.length).toBe(wanted.length);
    expect(heard(a).filter((_, at) => Number(heard(a)[at]?.slice(4)) % 2 === 0)).toEqual(
      wanted.filter((_, at) => at % 2 === 0),
    );
  });

  it('reach a node that never heard the call', async () => {
    const [a, b] = [await node('a'), await node('b')];
    await a.orders.send(order('ana'));
    await hears(b, 'ana');
    await b.orders.send({ type: 'subscribe', user: 'ben', channel: 'chat:1' });
    await hears(a, 'ana', 'ben');
    expect(a.control[1]).toEqual({ type: 'subscribe', user: 'ben', channel: 'chat:1' });
  });

  it('begin for a node with its start', async () => {
    const a = await node('a');
    await a.orders.send(order('before'));
    const b = await node('b');
    await a.orders.send(order('after'));
    await hears(b, 'after');
    await hears(a, 'before', 'after');
  });

  it('are behind a node that reads many at a time as behind one that reads each', async () => {
    const [a, slow] = [await node('a'), await node('slow', DEEP_SLEEP)];
    const wanted = Array.from({ length: 450 }, (_, at) => `user${at}`);
    for (const user of wanted) await a.orders.send(order(user));
    slow.orders.wake();
    await hears(slow, ...wanted);
    await hears(a, ...wanted);
  });

  it.each([
    ['was flushed', async () => void (await server.ask('FLUSHALL'))],
    ['was started anew without its data', () => server.restart()],
  ])('go on when Redis %s', async (_what, fault) => {
    const [a, b] = [await node('a'), await node('b')];
    await a.orders.send(order('ana'));
    await hears(b, 'ana');
    await fault();
    const sent = (): Promise<boolean> =>
      a.orders.send(order('ben')).then(
        () => true,
        () => false,
      );
    await until(sent, 'Redis to be back');
    await hears(b, 'ana', 'ben');
    await hears(a, 'ana', 'ben');
  });

  it('are heard when the stream began anew with lower ids, also those that were added before anyone looked', async () => {
    const a = await node('a', DEEP_SLEEP);
    await a.orders.send(order('ana'));
    a.orders.wake();
    await hears(a, 'ana');
    const key = a.keys.orders();
    await server.ask('DEL', key);
    await server.ask('XADD', key, '5-0', 'o', JSON.stringify(order('low')));
    // And one above all that was heard, which alone would not show that the stream is another.
    await server.ask('XADD', key, '99999999999999-0', 'o', JSON.stringify(order('high')));
    a.orders.wake();
    await hears(a, 'ana', 'low', 'high');
  });

  it('are not repeated when a failover lost the newest of them', async () => {
    const a = await node('a', DEEP_SLEEP);
    for (const user of ['ana', 'ben', 'cleo']) await a.orders.send(order(user));
    a.orders.wake();
    await hears(a, 'ana', 'ben', 'cleo');
    const key = a.keys.orders();
    const kept = ((await server.ask('XRANGE', key, '-', '+')) as [string, string[]][]).slice(0, 2);
    await server.ask('DEL', key);
    for (const [id, fields] of kept) await server.ask('XADD', key, id, ...fields);
    await server.ask('XADD', key, '*', 'o', JSON.stringify(order('dora')));
    a.orders.wake();
    await hears(a, 'ana', 'ben', 'cleo', 'dora');
  });

  it('that are gone before they were heard are told in the log, and the rest is heard', async () => {
    const [a, behind] = [await node('a'), await node('behind', DEEP_SLEEP)];
    await a.orders.send(order('first'));
    behind.orders.wake();
    await hears(behind, 'first');
    const wanted = Array.from({ length: 1100 }, (_, at) => `user${at}`);
    await Promise.all(wanted.map((user) => a.orders.send(order(user))));
    behind.orders.wake();
    await hears(behind, 'first', ...wanted.slice(100));
    const told = behind.logged.filter((line) => line.startsWith('Orders to this node may be lost.'));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('more than 1000 were given');
    behind.orders.wake();
    await a.orders.send(order('last'));
    behind.orders.wake();
    await until(() => heard(behind).at(-1) === 'last', 'the last');
    expect(behind.logged).toHaveLength(1);
    expect(a.logged.filter((line) => line.startsWith('Orders'))).toEqual([]);
  });

  it('that had time to end while a node was away are told in the log', async () => {
    const [a, away] = [await node('a'), await node('away', { beatMs: 5000, entryTtlMs: 1000 })];
    await a.orders.send(order('ana'));
    away.orders.wake();
    await hears(away, 'ana');
    await server.ask('DEL', a.keys.orders());
    // It sees at once that the stream is gone, and was not away: it has missed nothing.
    away.orders.wake();
    await a.orders.send(order('ben'));
    away.orders.wake();
    await hears(away, 'ana', 'ben');
    expect(away.logged).toEqual([]);
    await server.ask('DEL', a.keys.orders());
    const end = Date.now() + 1100;
    await until(() => Date.now() > end, 'the orders to have had time to end');
    away.orders.wake();
    await until(() => away.logged.length === 1, 'the line');
    expect(away.logged[0]).toMatch(/^Orders to this node may be lost\..*away for too long/);
  });

  it('are bounded in number, and end when nobody gives any', async () => {
    const a = await node('a', DEEP_SLEEP);
    await Promise.all(Array.from({ length: 1100 }, (_, at) => a.orders.send(order(`user${at}`))));
    expect(await server.ask('XLEN', a.keys.orders())).toBe(1000);
    expect(await server.ask('PTTL', a.keys.orders())).toBeGreaterThan(0);
  });

  it('say so when Redis is away, and whether they may have been given', async () => {
    const a = await node('a', DEEP_SLEEP);
    server.pause();
    await expect(a.orders.send(order('ana'))).rejects.toMatchObject({ code: 'unknown_outcome' });
    a.client.disconnect();
    await expect(a.orders.send(order('ben'))).rejects.toMatchObject({ code: 'unavailable' });
  });
});
