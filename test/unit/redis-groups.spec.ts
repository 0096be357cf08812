// Groups of publications, with any sizes in any order: no call exceeds its bounds, nothing is lost, doubled or moved, and each outcome
// goes to its own publication.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GROUP_BYTES, GROUP_SIZE, RedisGroups } from '../../src/backplanes/redis/redis.groups.js';
import { redisOptions } from '../../src/backplanes/redis/redis.options.js';
import { RedisPending } from '../../src/backplanes/redis/redis.pending.js';
import type { RedisClient } from '../../src/backplanes/redis/redis.scripts.js';
import { TrunklineError } from '../../src/core/errors.js';

interface Sent {
  readonly name: string;
  readonly partition: number;
  readonly bytes: number;
}

const CHANNELS = 6;
const sizes = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 1, max: 200 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: GROUP_BYTES }) },
  { weight: 1, arbitrary: fc.integer({ min: GROUP_BYTES - 100, max: 2 * GROUP_BYTES }) },
);
const publication = fc.record({ channel: fc.nat(CHANNELS - 1), size: sizes, keyed: fc.boolean() });

/** A Redis that answers what `say` says of each publication, and keeps what it was asked. */
class FakeRedis {
  readonly calls: Sent[][] = [];

  constructor(private readonly say: (name: string) => string) {}

  on(): this {
    return this;
  }

  eval(text: string, count: number, ...rest: string[]): Promise<string> {
    return this.evalsha(text, count, ...rest);
  }

  evalsha(_sha: string, count: number, ...rest: string[]): Promise<string> {
    const keys = rest.slice(0, count);
    const args = rest.slice(count + 3);
    const sent: Sent[] = [];
    while (args.length > 0) {
      const [publications = 0, , , , window = 0] = (args.shift() ?? '').split(' ').map(Number);
      for (let n = 0; n < publications; n++) {
        const [meta = ''] = keys.splice(0, window > 0 ? 4 : 3);
        const [head = '', data = ''] = args.splice(0, 2);
        const partition = Number(meta.replace('meta:', '')) % 3;
        sent.push({ name: head, partition, bytes: head.length + Buffer.byteLength(data) });
      }
    }
    expect(keys).toEqual([]);
    this.calls.push(sent);
    return Promise.resolve(sent.map(({ name }) => this.say(name)).join('\n'));
  }
}

interface Bench {
  readonly groups: RedisGroups;
  readonly pending: RedisPending;
  readonly turn: () => void;
}

function bench(client: FakeRedis, sharded: boolean): Bench {
  const planned: (() => void)[] = [];
  const real = client as unknown as RedisClient;
  const options = redisOptions.parse({});
  const pending = new RedisPending(real, options);
  const groups = new RedisGroups({
    client: real,
    pending,
    options,
    sharded,
    epoch: () => 'E',
    soon: (run) => planned.push(run),
  });
  return { groups, pending, turn: () => planned.splice(0).forEach((run) => run()) };
}

function add({ groups }: Bench, n: number, { channel = 0, size = 1, keyed = false } = {}) {
  const names = {
    meta: `meta:${channel}`,
    stream: 'stream',
    bus: 'bus',
    idempotency: 'key ',
    partition: channel % 3,
  };
  return groups.add({
    id: `id${n}`,
    names,
    key: keyed ? `key ${n}` : undefined,
    head: `${n}`,
    data: 'é'.repeat(Math.ceil(size / 2)),
    numbers: keyed ? '10 1000 10000 500' : '10 1000 10000 0',
    fleeting: false,
  });
}

describe.each([
  ['one server', false],
  ['a Cluster', true],
])('groups for %s', (_name, sharded) => {
  it('keep their bounds and the order, whatever comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(publication, { minLength: 1, maxLength: 300 }), async (all) => {
        const redis = new FakeRedis((name) => `E ${name}`);
        const own = bench(redis, sharded);
        const asked = all.map((one, n) => add(own, n + 1, one));
        own.turn();
        const answers = await Promise.all(asked);
        expect(answers.map(({ position }) => position.offset)).toEqual(all.map((_, n) => n + 1));
        expect(own.pending.count).toBe(0);
        for (const call of redis.calls) {
          expect(call.length).toBeLessThanOrEqual(GROUP_SIZE);
          const bytes = call.reduce((sum, one) => sum + one.bytes, 0);
          if (call.length > 1) expect(bytes).toBeLessThanOrEqual(GROUP_BYTES);
          if (sharded) expect(new Set(call.map(({ partition }) => partition)).size).toBe(1);
        }
        const order = redis.calls.flat().map(({ name }) => Number(name));
        expect(order.toSorted((a, b) => a - b)).toEqual(all.map((_, n) => n + 1));
        for (let channel = 0; channel < CHANNELS; channel++) {
          const there = order.filter((n) => all[n - 1]?.channel === channel);
          expect(there).toEqual(there.toSorted((a, b) => a - b));
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('outcomes of a group', () => {
  const codeOf = (error: unknown): string => (error instanceof TrunklineError ? error.code : String(error));

  it('go each to its own publication', async () => {
    const lines = [
      'E 7',
      '=E 3 other',
      "!OOM command not allowed when used memory > 'maxmemory'.",
      '!WRONGTYPE Operation against a key holding the wrong kind of value',
      '?NOPERM this user has no permissions',
    ];
    const own = bench(new FakeRedis((name) => lines[Number(name)] ?? ''), false);
    const told = lines.map((_, n) => add(own, n).catch(codeOf));
    own.turn();
    expect(await Promise.all(told)).toEqual([
      { position: { epoch: 'E', offset: 7, id: 'id0' }, duplicate: false },
      { position: { epoch: 'E', offset: 3, id: 'other' }, duplicate: true },
      'unavailable',
      'internal',
      'unknown_outcome',
    ]);
  });

  it.each([
    ['Command timed out', 'unknown_outcome'],
    ['Connection is closed.', 'unknown_outcome'],
    ["Stream isn't writeable and enableOfflineQueue options is false", 'unavailable'],
  ])('are all the same when the call ends with "%s"', async (message, code) => {
    const redis = new FakeRedis(() => '');
    redis.evalsha = () => Promise.reject(new Error(message));
    const own = bench(redis, false);
    const told = [1, 2, 3].map((n) => add(own, n).catch(codeOf));
    own.turn();
    expect(await Promise.all(told)).toEqual([code, code, code]);
    expect(own.pending.count).toBe(0);
  });
});
