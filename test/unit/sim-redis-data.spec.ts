// Ends of keys, lost writes and evicted keys in the fake Redis: what is there afterwards. Knows no connection.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sequences, type Step } from '../sim/redis/compare/steps.js';
import { luaOf } from '../sim/redis/compare/texts.js';
import { isReplyError } from '../sim/redis/errors.js';
import { FakeRedisServer } from '../sim/redis/server.js';
import { FakeClock } from '../support/fake-clock.js';
import { SeededRandom } from '../support/seeded-random.js';

function made(parts: { readonly undo?: number } = {}): {
  readonly redis: FakeRedisServer;
  readonly clock: FakeClock;
} {
  const clock = new FakeClock();
  return { clock, redis: new FakeRedisServer({ clock, random: new SeededRandom(1), ...parts }) };
}

/** Undefined for an error. */
function tried(redis: FakeRedisServer, command: string, ...args: readonly string[]): unknown {
  try {
    return redis.ask(command, ...args);
  } catch (error) {
    if (!isReplyError(error)) throw error;
    return undefined;
  }
}

/** The end of a key comes by its own; it is not among the steps. */
function carryOut(redis: FakeRedisServer, step: Step): void {
  if (step.kind === 'command') tried(redis, step.name, ...step.args);
  if (step.kind === 'script')
    tried(redis, 'eval', luaOf(step.name), `${step.keys.length}`, ...step.keys, ...step.args);
}

function sorted(list: unknown): unknown {
  return Array.isArray(list) ? (list as unknown[]).map(String).sort() : list;
}

function stateOf(redis: FakeRedisServer): unknown {
  const keys = (redis.ask('keys', '*') as string[]).sort();
  return keys.map((key) => ({
    key,
    left: redis.ask('pttl', key),
    string: tried(redis, 'get', key),
    hash: sorted(tried(redis, 'hgetall', key)),
    set: sorted(tried(redis, 'smembers', key)),
    stream: tried(redis, 'xrange', key, '-', '+'),
    scores: tried(redis, 'zrange', key, '0', '-1', 'WITHSCORES'),
  }));
}

describe('the ends of keys', () => {
  it('come one millisecond after the last one in which the key is there', async () => {
    const { redis, clock } = made();
    redis.ask('set', 'a', '1', 'PX', 10);
    await clock.advance(10);
    expect(redis.ask('get', 'a')).toBe('1');
    expect(redis.ask('pttl', 'a')).toBe(0);
    await clock.advance(1);
    expect(redis.ask('get', 'a')).toBeNull();
    expect(redis.ask('pttl', 'a')).toBe(-2);
    expect(redis.ask('exists', 'a')).toBe(0);
  });

  it('move with PEXPIRE, and are forgotten with a new value', async () => {
    const { redis, clock } = made();
    redis.ask('set', 'a', '1', 'PX', 10);
    expect(redis.ask('pexpire', 'a', 30)).toBe(1);
    await clock.advance(20);
    expect(redis.ask('pttl', 'a')).toBe(10);
    redis.ask('set', 'a', '2');
    expect(redis.ask('pttl', 'a')).toBe(-1);
    expect(redis.ask('pexpire', 'a', 0)).toBe(1);
    expect(redis.ask('exists', 'a')).toBe(0);
    expect(redis.ask('pexpire', 'a', 10)).toBe(0);
  });

  it('leave nothing of a hash, a set or a stream behind', async () => {
    const { redis, clock } = made();
    redis.ask('hset', 'h', 'f', '1');
    redis.ask('sadd', 's', 'm');
    for (const key of ['h', 's']) redis.ask('pexpire', key, 5);
    await clock.advance(6);
    expect(redis.ask('hgetall', 'h')).toEqual([]);
    expect(redis.ask('sadd', 's', 'other')).toBe(1);
    expect(redis.ask('smembers', 's')).toEqual(['other']);
    expect(redis.ask('pttl', 's')).toBe(-1);
  });
});

describe('lost writes', () => {
  it('are taken back one by one, newest first, whatever they changed', () => {
    fc.assert(
      fc.property(sequences, (steps) => {
        const { redis } = made({ undo: 100 });
        const before: unknown[] = [];
        for (const step of steps) {
          const state = stateOf(redis);
          const { writes } = redis.counts;
          carryOut(redis, step);
          if (redis.counts.writes > writes) before.push(state);
        }
        for (const state of before.reverse()) {
          expect(redis.rewind(1)).toBe(1);
          expect(stateOf(redis)).toEqual(state);
        }
        expect(redis.rewind(1)).toBe(0);
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  it('bring back what was flushed', () => {
    const { redis } = made();
    redis.ask('set', 'a', '1');
    redis.flush();
    redis.ask('set', 'b', '1');
    redis.rewind(2);
    expect(redis.ask('keys', '*')).toEqual(['a']);
  });

  it('take back a script as one, and no reading', () => {
    const { redis } = made();
    redis.ask('set', 'first', '1');
    const text = luaOf('register');
    redis.ask('eval', text, 2, 'channels', 'lives', 'life', 60_000, 'a', 'b');
    redis.ask('get', 'first');
    redis.ask('hget', 'nothing', 'f');
    expect(redis.rewind(1)).toBe(1);
    expect((redis.ask('keys', '*') as string[]).sort()).toEqual(['first']);
  });

  it('give back what a stream had dropped', () => {
    const { redis } = made();
    const order = (n: number): unknown =>
      redis.ask('eval', luaOf('order'), 2, 'orders', 'wake', `${n}`, 3, 60_000);
    const texts = (): string[] =>
      (redis.ask('xrange', 'orders', '-', '+') as [string, string[]][]).map(
        ([, fields]) => fields[1] as string,
      );
    for (let n = 1; n <= 6; n++) order(n);
    expect(texts()).toEqual(['4', '5', '6']);
    redis.rewind(2);
    expect(texts()).toEqual(['2', '3', '4']);
    order(9);
    expect(texts()).toEqual(['3', '4', '9']);
  });

  it('are no more than are remembered', () => {
    const { redis } = made({ undo: 2 });
    for (const value of ['1', '2', '3', '4']) redis.ask('set', 'a', value);
    expect(redis.loseWrites(9)).toBe(2);
    expect(redis.ask('get', 'a')).toBe('2');
  });

  it('do not bring back what has ended since', async () => {
    const { redis, clock } = made();
    redis.ask('set', 'a', '1', 'PX', 5);
    await clock.advance(6);
    redis.ask('set', 'a', '2');
    redis.rewind(1);
    expect(redis.ask('get', 'a')).toBeNull();
  });
});

describe('replicas', () => {
  it('that confirmed a write keep it, and one that is away confirms nothing', () => {
    const { redis } = made();
    redis.replicas = 1;
    redis.ask('set', 'a', '1');
    expect(redis.ask('wait', 1, 100)).toBe(1);
    redis.replicas = 0;
    redis.ask('set', 'a', '2');
    expect(redis.ask('wait', 1, 100)).toBe(0);
    expect(redis.rewind(9)).toBe(1);
    expect(redis.ask('get', 'a')).toBe('1');
  });
});

describe('an evicted key', () => {
  it('is one of those that are there, and of the kind that is wanted', () => {
    const { redis } = made();
    for (const key of ['x:1', 'x:2', 'y:1']) redis.ask('set', key, '1');
    const gone = new Set([redis.evict('x:'), redis.evict('x:')]);
    expect(gone).toEqual(new Set(['x:1', 'x:2']));
    expect(redis.evict('x:')).toBeUndefined();
    expect(redis.ask('keys', '*')).toEqual(['y:1']);
  });
});
