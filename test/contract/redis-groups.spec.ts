// Publications of one turn go to Redis together: what each is told is what it would have been told alone.

import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GROUP_BYTES, GROUP_SIZE } from '../../src/backplanes/redis/redis.groups.js';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import type { RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import type { Appended } from '../../src/core/ports/backplane.js';
import { startCluster, startStandalone, type RedisFleet } from '../support/redis-fleet.js';
import {
  append,
  freshPrefix,
  logOf,
  offsetsOf,
  outcome,
  startPeer,
  stopPeers,
  type Peer,
} from '../support/redis-nodes.js';
import { askRedis, RedisServer } from '../support/redis-server.js';
import { until } from '../support/wait.js';

const upTo = (top: number): number[] => Array.from({ length: top }, (_, i) => i + 1);
const draft = (data: string) => ({ event: 'message', data, from: undefined, key: undefined });
const HISTORY = { size: 1000, ttlMs: 600_000 };
/** Passed on and not kept. */
const tell = ({ node }: Peer, channel: string, data: string): Promise<Appended> =>
  node.append(channel, draft(data), { history: undefined, idempotencyKey: undefined, except: undefined });

afterEach(() => stopPeers());

interface Act {
  readonly channel: number;
  readonly key: number | undefined;
  readonly size: number;
  readonly wide: boolean;
}

const act = fc.record<Act>({
  channel: fc.integer({ min: 0, max: 4 }),
  key: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined, freq: 1 }),
  size: fc.constantFrom(0, 1, 3, 100),
  wide: fc.boolean(),
});

describe.each([
  ['standalone', startStandalone],
  ['Cluster', startCluster],
] as const)('publications of one turn, %s', (_name, start) => {
  let fleet: RedisFleet;
  let peer: Peer;
  beforeAll(async () => {
    fleet = await start();
  });
  beforeEach(async () => {
    peer = await startPeer({ url: fleet.url, prefix: freshPrefix() });
  });
  afterAll(() => fleet.stop());

  it('get places of their own in many channels, in the order given', async () => {
    const channels = upTo(40).map((n) => `many:${n}`);
    await Promise.all(channels.map((channel) => peer.node.subscribe(channel)));
    const asked = upTo(10).flatMap((n) =>
      channels.map(async (channel) => ({ channel, n, ...(await append(peer, channel, { data: `${n}` })) })),
    );
    const answers = await Promise.all(asked);
    for (const { n, position, duplicate } of answers) {
      expect(position.offset).toBe(n);
      expect(duplicate).toBe(false);
    }
    expect(new Set(answers.map(({ position }) => position.id)).size).toBe(400);
    await peer.ear.until('all of them', () => peer.ear.deliveries.length === 400);
    for (const channel of channels) {
      const log = await logOf(peer, channel);
      expect(log.map(({ offset, data }) => [offset, data])).toEqual(upTo(10).map((n) => [n, `${n}`]));
      const told = answers.filter((answer) => answer.channel === channel).map(({ position }) => position.id);
      expect(log.map(({ id }) => id)).toEqual(told);
      expect(peer.ear.offsets(channel)).toEqual(upTo(10));
    }
  });

  it('with the same idempotency key are one publication', async () => {
    const same = { idempotencyKey: 'same', data: '"same"' };
    const [first, other, again, third] = await Promise.all([
      append(peer, 'twice:1', same),
      append(peer, 'twice:2', same),
      append(peer, 'twice:1', same),
      append(peer, 'twice:1', { data: '"last"' }),
    ]);
    expect(first).toMatchObject({ duplicate: false, position: { offset: 1 } });
    expect(again).toEqual({ position: first.position, duplicate: true });
    expect(other).toMatchObject({ duplicate: false, position: { offset: 1 } });
    expect(third).toMatchObject({ duplicate: false, position: { offset: 2 } });
    expect((await logOf(peer, 'twice:1')).map(({ data }) => data)).toEqual(['"same"', '"last"']);
  });

  it('come to what they come to one after another', { timeout: 60_000 }, async () => {
    const run = async (acts: readonly Act[], together: boolean): Promise<unknown> => {
      const { node } = await startPeer({ url: fleet.url, prefix: freshPrefix() });
      const send = ({ channel, key, size, wide }: Act, n: number): Promise<Appended> =>
        node.append(`mixed:${channel}`, draft(`"${n}${wide ? 'é'.repeat(20_000) : ''}"`), {
          history: size === 0 ? undefined : { size, ttlMs: 600_000 },
          idempotencyKey: key === undefined ? undefined : `key ${key}`,
          except: undefined,
        });
      const answers: Appended[] = together ? await Promise.all(acts.map(send)) : [];
      if (!together) for (const [n, one] of acts.entries()) answers.push(await send(one, n));
      const ids = new Map<string, number>();
      for (const [n, { position, duplicate }] of answers.entries()) if (!duplicate) ids.set(position.id, n);
      const logs = await Promise.all(
        upTo(5).map((n) => node.read(`mixed:${n - 1}`, { after: 0, limit: 500, reverse: false })),
      );
      return {
        answers: answers.map(({ position, duplicate }) => {
          const { offset, id, epoch } = position;
          return { offset, duplicate, by: ids.get(id), kept: epoch !== 'none' };
        }),
        logs: logs.map(({ top, publications }) => [
          top.offset,
          ids.get(top.id),
          publications.map(({ offset, data, id }) => [offset, data, ids.get(id)]),
        ]),
      };
    };
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 150 }), async (acts) => {
        expect(await run(acts, true)).toEqual(await run(acts, false));
        await stopPeers();
      }),
      { numRuns: 15 },
    );
  });
});

describe('one publication among others', () => {
  let server: RedisServer;
  let settings: RedisSettings;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  beforeEach(() => {
    settings = { url: server.url, prefix: freshPrefix() };
  });
  afterEach(() => server.ask('CONFIG', 'SET', 'maxmemory', '0'));
  afterAll(() => server.stop());

  it('that is too large for the memory is refused alone', async () => {
    const peer = await startPeer(settings);
    await append(peer, 'large:1');
    const used = Number(await server.info('used_memory'));
    await server.ask('CONFIG', 'SET', 'maxmemory', used + 12_000_000);
    const large = `"${'x'.repeat(20_000_000)}"`;
    const told = await Promise.all([
      outcome(append(peer, 'large:1', { data: '2' })),
      outcome(append(peer, 'large:1', { data: large, idempotencyKey: 'large' })),
      outcome(append(peer, 'large:2', { data: large })),
    ]);
    expect(told).toEqual(['ok', 'unavailable', 'unavailable']);
    await server.ask('CONFIG', 'SET', 'maxmemory', '0');
    expect((await logOf(peer, 'large:1')).map(({ data }) => data)).toEqual(['{}', '2']);
    expect(await logOf(peer, 'large:2')).toEqual([]);
    const again = await append(peer, 'large:1', { data: '3', idempotencyKey: 'large' });
    expect(again, 'nothing was remembered').toMatchObject({ duplicate: false, position: { offset: 3 } });
  });

  it('that is kept is refused by a full memory, and one that is only passed on is not', async () => {
    const peer = await startPeer(settings);
    await peer.node.subscribe('full:1');
    await append(peer, 'full:1');
    await server.ask('CONFIG', 'SET', 'maxmemory', '100kb');
    const told = await Promise.all([
      outcome(append(peer, 'full:1', { data: '"kept"' })),
      outcome(tell(peer, 'full:1', '"told"')),
      outcome(append(peer, 'full:2', { data: '"kept"', idempotencyKey: 'k' })),
      outcome(tell(peer, 'full:1', '"told too"')),
    ]);
    expect(told).toEqual(['unavailable', 'ok', 'unavailable', 'ok']);
    await server.ask('CONFIG', 'SET', 'maxmemory', '0');
    expect(await offsetsOf(peer, 'full:1')).toEqual([1]);
    expect(await offsetsOf(peer, 'full:2')).toEqual([]);
    await peer.ear.until('both', () => peer.ear.of('full:1').length === 3);
    expect(peer.ear.of('full:1').map(({ data }) => data)).toEqual(['{}', '"told"', '"told too"']);
  });

  it('whose channel is broken in Redis fails alone', async () => {
    const peer = await startPeer(settings);
    const keys = new RedisKeys(settings.prefix ?? '');
    await server.ask('SET', keys.stream('broken:1'), 'no stream');
    await server.ask('HSET', keys.meta('broken:1'), 'e', 'E', 'o', 5, 'i', 'x', 'f', 1);
    const told = await Promise.all(
      ['good:1', 'broken:1', 'good:2', 'broken:1', 'good:1'].map((channel) => outcome(append(peer, channel))),
    );
    expect(told).toEqual(['ok', 'internal', 'ok', 'internal', 'ok']);
    expect(await offsetsOf(peer, 'good:1')).toEqual([1, 2]);
    expect(await offsetsOf(peer, 'good:2')).toEqual([1]);
  });

  it('of which only a part was done is called neither done nor failed', async () => {
    const rights = [`~${settings.prefix}:*`, `&${settings.prefix}:*`, '+@all', '-@dangerous', '-pexpire'];
    await server.ask('ACL', 'SETUSER', 'half', 'on', '>right', ...rights);
    const url = `redis://half:right@127.0.0.1:${server.port}`;
    // Its own life needs the right once, at the start.
    await server.ask('ACL', 'SETUSER', 'half', '+pexpire');
    const peer = await startPeer({ ...settings, url, beatMs: 60_000, nodeTtlMs: 200_000 });
    await server.ask('ACL', 'SETUSER', 'half', '-pexpire');
    const told = await Promise.all([
      outcome(append(peer, 'half:1')),
      outcome(tell(peer, 'half:1', '1')),
      outcome(append(peer, 'half:2')),
    ]);
    expect(told).toEqual(['unknown_outcome', 'ok', 'unknown_outcome']);
    const stream = new RedisKeys(settings.prefix ?? '').stream('half:1');
    expect((await askRedis(server.url, ['XLEN', stream]))[0]).toBe(1);
  });

  it('is one of few calls, none of which exceeds its bounds', async () => {
    const peer = await startPeer(settings);
    const calls = async (): Promise<number> => {
      const stat = (await server.info('cmdstat_evalsha')) ?? 'calls=0';
      return Number(/calls=(\d+)/.exec(stat)?.[1]);
    };
    // The script is known, and nothing else is asked while this is counted.
    await append(peer, 'count:0');
    const before = await calls();
    await Promise.all(upTo(10 * GROUP_SIZE).map((n) => append(peer, `count:${n % 7}`)));
    expect((await calls()) - before).toBe(10);
    const half = `"${'y'.repeat(GROUP_BYTES / 2)}"`;
    await Promise.all(upTo(6).map((n) => append(peer, `count:${n % 7}`, { data: half })));
    expect((await calls()) - before).toBe(16);
  });

  it('never goes by a digest that the server may not know: the second of two groups was taken, and the first came again behind it', async () => {
    const peer = await startPeer({ ...settings, beatMs: 60_000, nodeTtlMs: 200_000, entryTtlMs: 600_000 });
    const refusals = async (): Promise<number> => {
      const stat = (await server.info('cmdstat_evalsha')) ?? 'failed_calls=0';
      return Number(/failed_calls=(\d+)/.exec(stat)?.[1]);
    };
    const burst = async (): Promise<void> => {
      await server.ask('SCRIPT', 'FLUSH');
      const before = await refusals();
      await Promise.all(upTo(3 * GROUP_SIZE).map((n) => append(peer, 'digest:1', { data: `${n}` })));
      expect((await refusals()) - before).toBe(0);
    };
    await burst();
    await server.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const back = async (): Promise<boolean> => (await outcome(peer.node.tops(['digest:1']))) === 'ok';
    await until(back, 'the connection to be made anew');
    await burst();
    const expected = upTo(3 * GROUP_SIZE).map(String);
    expect((await logOf(peer, 'digest:1')).map(({ data }) => data)).toEqual([...expected, ...expected]);
  });

  it('is counted where publications that may wait are counted', async () => {
    const peer = await startPeer({ ...settings, maxPending: 10 });
    const told = await Promise.all(upTo(25).map(() => outcome(append(peer, 'bound:1'))));
    expect(told.slice(0, 10)).toEqual(upTo(10).map(() => 'ok'));
    expect(told.slice(10)).toEqual(upTo(15).map(() => 'unavailable'));
    expect(await outcome(append(peer, 'bound:1'))).toBe('ok');
    expect(await offsetsOf(peer, 'bound:1')).toEqual(upTo(11));
  });

  it('is `unavailable` when its node stops before it was sent', async () => {
    const peer = await startPeer(settings);
    const asked = outcome(append(peer, 'late:1'));
    const stopped = peer.node.stop();
    expect(['ok', 'unavailable']).toContain(await asked);
    await stopped;
    expect(
      await outcome(
        peer.node.append('late:1', draft('1'), {
          history: HISTORY,
          idempotencyKey: undefined,
          except: undefined,
        }),
      ),
    ).toBe('unavailable');
  });
});
