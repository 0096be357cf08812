// The list of revoked tokens in a real Redis: lost calls, lost lists and lost ends of it are repaired, and it keeps nothing for ever.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RedisBackplane } from '../../src/backplanes/redis/redis.backplane.js';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import { redisOptions, type RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import type { Revocation } from '../../src/core/ports/backplane.js';
import { SYSTEM_CLOCK, SystemRandom } from '../../src/core/ports/time.js';
import { RecordingListener } from '../support/recording-listener.js';
import { freshPrefix, outcome, startPeer, stopPeers, type Peer } from '../support/redis-nodes.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/wait.js';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** Milliseconds the list keeps what has ended, since the clock of an instance may be ahead. */
const AHEAD_MS = 7_200_000;
/** Milliseconds in which each instance must know, the bus cut at that very moment included. */
const PROMISED_MS = 1000;
/** A node that looks by itself only when it is called. */
const DEEP_SLEEP = { beatMs: 3_600_000, nodeTtlMs: 20_000_000, entryTtlMs: 30_000_000 };

const revoked = (user: string, lifeMs = DAY_MS): Revocation => ({
  user,
  tokenId: undefined,
  before: Math.floor(Date.now() / 1000),
  until: Date.now() + lifeMs,
});
const users = ({ ear }: Peer): string[] => ear.revocations.map(({ user }) => user);

describe('revocations in Redis', () => {
  let server: RedisServer;
  let prefix: string;
  let keys: RedisKeys;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    prefix = freshPrefix();
    keys = new RedisKeys(prefix);
  });
  afterEach(async () => {
    server.resume();
    await stopPeers();
  });

  const peer = (settings: RedisSettings = {}): Promise<Peer> =>
    startPeer({ url: server.url, prefix, beatMs: 50, nodeTtlMs: 1000, ...settings });
  const hears = (one: Peer, user: string, limitMs?: number): Promise<void> =>
    until(() => users(one).includes(user), `it to hear of ${user}`, limitMs);

  it('reach each node once, by the bus alone, without a look at the list', async () => {
    const [a, b] = [await peer(DEEP_SLEEP), await peer(DEEP_SLEEP)];
    await server.ask('CONFIG', 'RESETSTAT');
    const wanted = Array.from({ length: 200 }, (_, n) => `user-${n}`);
    await Promise.all(wanted.map((user, n) => (n % 2 === 0 ? a : b).node.revoke(revoked(user))));
    for (const one of [a, b]) {
      await until(() => users(one).length >= wanted.length, 'all');
      expect(users(one).toSorted()).toEqual(wanted.toSorted());
    }
    expect(await server.info('cmdstat_hscan')).toBeUndefined();
  });

  it('are known everywhere within a second when all buses are cut at that moment', async () => {
    const peers = [await peer({ beatMs: 2500 }), await peer({ beatMs: 2500 }), await peer({ beatMs: 2500 })];
    for (let round = 0; round < 6; round++) {
      const kill = server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
      const start = performance.now();
      const user = `user-${round}`;
      await (peers[round % 3] as Peer).node.revoke(revoked(user));
      await kill;
      await Promise.all(peers.map((one) => hears(one, user)));
      expect(performance.now() - start).toBeLessThan(PROMISED_MS);
      await until(() => peers.every(({ node }) => node.healthy()), 'the buses to be back');
    }
  });

  it('that nobody was called for are found with the next beat, which costs one small command otherwise', async () => {
    const [a, asleep] = [await peer(), await peer(DEEP_SLEEP)];
    await asleep.node.revoke(revoked('ana'));
    await hears(a, 'ana');
    await server.ask('CONFIG', 'RESETSTAT');
    const beats = async (): Promise<number> =>
      Number(/calls=(\d+)/.exec((await server.info('cmdstat_hget')) ?? '')?.[1] ?? 0);
    await until(async () => (await beats()) > 5, 'some beats');
    expect(await server.info('cmdstat_hscan')).toBeUndefined();
    await server.ask('HSET', keys.revocations(), 'user:ben', `5 ${Date.now() + DAY_MS}`, 'tag', 'another');
    await hears(a, 'ben');
    expect(users(asleep)).toEqual(['ana']);
    // What is called for next does not continue what this one knows: it reads the whole list.
    await a.node.revoke(revoked('cleo'));
    await hears(asleep, 'ben');
    expect(users(asleep).toSorted()).toEqual(['ana', 'ben', 'cleo']);
  });

  it('are given back to a Redis that was started anew without them, and hold meanwhile', async () => {
    const [a, b] = [await peer(), await peer()];
    await a.node.revoke(revoked('ana'));
    await b.node.revoke({ ...revoked('ben'), tokenId: 'jti', before: 0 });
    await hears(a, 'ben');
    await hears(b, 'ana');
    await server.restart();
    await until(async () => Number(await server.ask('HLEN', keys.revocations())) === 3, 'both and the tag');
    const fresh = await peer();
    expect(users(fresh).toSorted()).toEqual(['ana', 'ben']);
    expect(await server.ask('ZCARD', keys.revocationEnds())).toBe(2);
    expect(await server.ask('PTTL', keys.revocations())).toBeGreaterThan(DAY_MS / 2);
  });

  it('are given back when a failover lost the newest, also when others were added since', async () => {
    const [a, b] = [await peer(DEEP_SLEEP), await peer(DEEP_SLEEP)];
    await a.node.revoke(revoked('ana'));
    const tag = (await server.ask('HGET', keys.revocations(), 'tag')) as string;
    await a.node.revoke(revoked('lost'));
    await hears(b, 'lost');
    await server.ask('HDEL', keys.revocations(), 'user:lost');
    await server.ask('ZREM', keys.revocationEnds(), 'user:lost');
    await server.ask('HSET', keys.revocations(), 'tag', tag);
    await b.node.revoke(revoked('cleo'));
    await hears(a, 'cleo');
    const stored = async (): Promise<unknown> => server.ask('HEXISTS', keys.revocations(), 'user:lost');
    await until(async () => (await stored()) === 1, 'the lost one to be back');
    expect(users(await peer()).toSorted()).toEqual(['ana', 'cleo', 'lost']);
  });

  it('are read whole by a node that starts, however many they are', async () => {
    const a = await peer(DEEP_SLEEP);
    await Promise.all(Array.from({ length: 3000 }, (_, n) => a.node.revoke(revoked(`user-${n}`))));
    expect(new Set(users(await peer())).size).toBe(3000);
  });

  it('stay in the list although an instance whose clock is an hour ahead adds to it', async () => {
    const a = await peer(DEEP_SLEEP);
    await a.node.revoke(revoked('ana', HOUR_MS / 2));
    const clock = { ...SYSTEM_CLOCK, now: () => Date.now() + HOUR_MS };
    const options = redisOptions.parse({ url: server.url, prefix });
    const ahead = new RedisBackplane({ options, clock, random: new SystemRandom(), logger: SILENT_LOGGER });
    try {
      await ahead.start(new RecordingListener());
      await ahead.revoke(revoked('ben'));
      await hears(a, 'ben');
      expect(users(await peer(DEEP_SLEEP)).toSorted()).toEqual(['ana', 'ben']);
      await ahead.revoke(revoked('ben', 2 * DAY_MS));
      expect(Number(await server.ask('PTTL', keys.revocations()))).toBeGreaterThan(DAY_MS);
    } finally {
      await ahead.stop();
    }
  });

  it('leave Redis when they have ended, and the list ends with the last of them', async () => {
    const a = await peer(DEEP_SLEEP);
    for (let n = 0; n < 5; n++) await a.node.revoke(revoked(`short-${n}`, 200 - AHEAD_MS));
    await a.node.revoke(revoked('long', 5000 - AHEAD_MS));
    await until(async () => {
      await a.node.revoke(revoked(`later-${Date.now()}`, 60 - AHEAD_MS));
      const names = (await server.ask('HKEYS', keys.revocations())) as string[];
      return !names.some((name) => name.startsWith('user:short'));
    }, 'the short ones to go');
    expect(await server.ask('HEXISTS', keys.revocations(), 'user:long')).toBe(1);
    for (const key of [keys.revocations(), keys.revocationEnds()]) {
      const left = Number(await server.ask('PTTL', key));
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(5000);
    }
  });

  it('let no server start that cannot read them', async () => {
    await server.ask('SET', keys.revocations(), 'something else');
    await expect(peer()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('say so when Redis is away, and whether they may have been kept', async () => {
    const a = await peer({ ...DEEP_SLEEP, commandTimeoutMs: 400 });
    server.pause();
    expect(await outcome(a.node.revoke(revoked('ana')))).toBe('unknown_outcome');
    await until(async () => (await outcome(a.node.revoke(revoked('ben')))) === 'unavailable', 'it to notice');
    server.resume();
    await until(async () => (await outcome(a.node.revoke(revoked('cleo')))) === 'ok', 'it to be back');
    await hears(a, 'cleo');
  });
});
