// Limits that count on all instances together, on three servers over one Redis: the messages of a user and the requests of an address, by
// how much they may be over, and what holds while Redis is away.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { freshPrefix } from '../support/redis-nodes.js';
import { askRedis, RedisServer } from '../support/redis-server.js';
import { until } from '../support/wait.js';
import { disposeClients, type WsClient } from '../support/ws-client.js';

const RULES = [{ channel: 'room:{name}', subscribe: 'anyone', historyAccess: 'anyone' }];
const LIMIT = 40;
/** A tenth of the limit. */
const SHARE = 4;
const INSTANCES = 3;
/** Longer than the test, so that its window does not end meanwhile. */
const ENV = { TRUNKLINE_USER_MESSAGE_RATE: `${LIMIT}/9999h`, TRUNKLINE_HTTP_RATE: `${LIMIT}/9999h` };

let redis: RedisServer;
let servers: E2eServer[] = [];
const prefix = freshPrefix();

beforeAll(async () => {
  redis = await RedisServer.start();
  const env = { TRUNKLINE_BACKPLANE: 'redis', REDIS_URL: redis.url, TRUNKLINE_REDIS_PREFIX: prefix, ...ENV };
  servers = await Promise.all(Array.from({ length: INSTANCES }, () => startE2e({ rules: RULES, env })));
});
afterEach(() => disposeClients());
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await redis.stop();
});

/** How many of the publishes pass, one on each instance in turn, each after the answer to the one before. */
async function publish(clients: readonly WsClient[], rounds: number): Promise<number> {
  let passed = 0;
  for (let i = 0; i < rounds; i++) {
    for (const client of clients) {
      const reply = await client.request('publish', { channel: 'room:a', event: 'tick', data: i });
      if (reply.event === 'ok') passed++;
      else
        expect(reply.data).toMatchObject({
          code: 'rate_limited',
          retryAfterMs: expect.any(Number) as number,
        });
    }
  }
  return passed;
}

const join = (user: string): Promise<WsClient[]> => Promise.all(servers.map((server) => server.join(user)));

describe('the messages of a user on three instances', () => {
  it('are bounded together, over the limit by a share of each other instance at most', async () => {
    const passed = await publish(await join('ana'), LIMIT);
    expect(passed).toBeGreaterThanOrEqual(LIMIT);
    expect(passed).toBeLessThanOrEqual(LIMIT + (INSTANCES - 1) * SHARE);
  });

  it('of another user are not touched by it', async () => {
    expect(await publish(await join('ben'), 5)).toBe(5 * INSTANCES);
  });

  it('are one user when they come by REST', async () => {
    let passed = 0;
    for (let i = 0; i < 2 * LIMIT; i++) {
      const server = servers[i % INSTANCES] as E2eServer;
      const response = await fetch(`${server.url}/api/channels/room:a/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${server.token('cleo')}`, 'content-type': 'application/json' },
        body: '{"event":"tick","data":1}',
      });
      if (response.status === 201) passed++;
      else expect([response.status, response.headers.has('retry-after')]).toEqual([429, true]);
      await response.body?.cancel();
    }
    expect(passed).toBeGreaterThanOrEqual(LIMIT);
    expect(passed).toBeLessThanOrEqual(LIMIT + (INSTANCES - 1) * SHARE);
  });

  it('cost Redis one addition for each share, in keys that end', async () => {
    const [additions] = await calls('incrby');
    await publish((await join('dora')).slice(0, 1), LIMIT);
    const [later] = await calls('incrby');
    expect((later ?? 0) - (additions ?? 0)).toBe(LIMIT / SHARE);
    const [keys] = (await askRedis(redis.url, ['KEYS', `${prefix}:*:n:user:*`])) as [string[]];
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expect((await askRedis(redis.url, ['PTTL', key]))[0]).toBeGreaterThan(0);
  });
});

describe('the requests of an address on three instances', () => {
  it('are bounded together', async () => {
    let passed = 0;
    for (let i = 0; i < 2 * LIMIT; i++) {
      const server = servers[i % INSTANCES] as E2eServer;
      const response = await fetch(`${server.url}/api/channels/room:a/messages`);
      if (response.status === 200) passed++;
      else expect([response.status, response.headers.has('retry-after')]).toEqual([429, true]);
      await response.body?.cancel();
    }
    expect(passed).toBeGreaterThanOrEqual(LIMIT);
    expect(passed).toBeLessThanOrEqual(LIMIT + (INSTANCES - 1) * SHARE);
  });
});

describe('while Redis is away', () => {
  it('each instance bounds what it sees, and waits for nothing', async () => {
    const [server] = servers as [E2eServer];
    await redis.stop();
    await until(() => !server.core.healthy(), 'the loss to be noticed');
    const passed: number[] = [];
    for (const one of servers) {
      let count = 0;
      for (let i = 0; i < LIMIT + 10; i++) {
        const response = await fetch(`${one.url}/api/channels/room:a/members`);
        if (response.status !== 429) count++;
        await response.body?.cancel();
      }
      passed.push(count);
    }
    expect(passed).toEqual([LIMIT, LIMIT, LIMIT]);
  });
});

async function calls(command: string): Promise<number[]> {
  const [text] = await askRedis(redis.url, ['INFO', 'commandstats']);
  return [Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(String(text))?.[1] ?? 0)];
}
