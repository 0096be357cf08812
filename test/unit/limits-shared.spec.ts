// What instances count together and what they know of each other, on a clock moved by hand: users, channels, requests by address.

import { describe, expect, it } from 'vitest';
import type { TrunklineError } from '../../src/core/errors.js';
import { LimitLedger, type LimitName } from '../../src/core/ports/limits.js';
import { WindowThrottlerStorage } from '../../src/limits/http-throttler.js';
import { PublishLimits } from '../../src/limits/publish-limits.js';
import { SharedWindows, type AddShared } from '../../src/limits/shared-windows.js';
import { BucketTable } from '../../src/limits/token-bucket.js';
import { FakeClock, START_MS } from '../support/fake-clock.js';

const NONE = { count: 0, periodMs: 1000 };
const rate = (count: number, periodMs = 1000) => ({ count, periodMs });
const hits = (ledger: LimitLedger, limit: LimitName): unknown =>
  [...ledger.rows()].find((row) => row.limit === limit);

/** A store that instances share, whose answers come when the test lets them. */
class Store {
  readonly sums = new Map<string, number>();
  readonly asked: { name: string; amount: number; ttlMs: number }[] = [];
  away = false;

  readonly add: AddShared = async (name, amount, ttlMs) => {
    this.asked.push({ name, amount, ttlMs });
    if (this.away) throw new Error('away');
    const sum = (this.sums.get(name) ?? 0) + amount;
    this.sums.set(name, sum);
    await Promise.resolve();
    return sum;
  };
}

const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

describe('a count over all instances', () => {
  const RATE = rate(50);
  const instances = (store: Store, count: number): SharedWindows[] =>
    Array.from({ length: count }, () => new SharedWindows({ name: 'user', most: 10, add: store.add }));

  async function pass(windows: readonly SharedWindows[], tries: number, at = START_MS): Promise<number> {
    let passed = 0;
    for (let i = 0; i < tries; i++) {
      for (const one of windows) if (!one.count('ana', at, RATE).over) passed++;
      await settle();
    }
    return passed;
  }

  it('is exact on one', async () => {
    const alone = new SharedWindows({ name: 'user', most: 10, add: undefined });
    expect(await pass([alone], 100)).toBe(50);
    expect(await pass([alone], 100, START_MS + 1000)).toBe(50);
  });

  it.each([2, 3, 10])('on %i is over by less than a share for each other one', async (count) => {
    const passed = await pass(instances(new Store(), count), 100);
    expect(passed).toBeGreaterThanOrEqual(50);
    expect(passed).toBeLessThanOrEqual(50 + (count - 1) * 5);
  });

  it('asks the store once for each tenth of the limit, and not at all for less', async () => {
    const store = new Store();
    const [one] = instances(store, 1) as [SharedWindows];
    for (let i = 0; i < 4; i++) one.count('ana', START_MS, RATE);
    expect(store.asked).toEqual([]);
    await pass([one], 100);
    expect(store.asked).toHaveLength(10);
    expect(store.asked[0]).toEqual({ name: `user:${START_MS / 1000}:ana`, amount: 5, ttlMs: 2000 });
  });

  it('goes on alone while the store is away, and together when it is back', async () => {
    const store = new Store();
    store.away = true;
    const all = instances(store, 2);
    expect(await pass(all, 100)).toBe(100);
    store.away = false;
    const passed = await pass(all, 100, START_MS + 1000);
    expect(passed).toBeLessThanOrEqual(55);
  });

  it('keeps no more keys than its bound', () => {
    const windows = new SharedWindows({ name: 'user', most: 10, add: undefined });
    for (let i = 0; i < 1000; i++) windows.count(`user-${i}`, START_MS, RATE);
    expect(windows.size).toBeLessThanOrEqual(10);
  });

  it('lets one that costs more than the limit pass at the beginning of a window', () => {
    const windows = new SharedWindows({ name: 'user', most: 10, add: undefined });
    expect(windows.count('ana', START_MS, RATE, 80).over).toBe(false);
    expect(windows.count('ana', START_MS, RATE).over).toBe(true);
  });

  it('stays in its window when the clock steps back', () => {
    const windows = new SharedWindows({ name: 'user', most: 10, add: undefined });
    windows.count('ana', START_MS, RATE, 50);
    expect(windows.count('ana', START_MS - 5000, RATE).over).toBe(true);
  });
});

describe('the gate of a publish', () => {
  function limits(dry: readonly LimitName[] = []) {
    const clock = new FakeClock();
    const ledger = new LimitLedger(dry);
    const users = new SharedWindows({ name: 'user', most: 10, add: undefined });
    const channels = new BucketTable(NONE, 10);
    const gate = new PublishLimits({ clock, ledger, userRate: rate(3), users, channels });
    const codes = (asked: Parameters<PublishLimits['check']>[0], times: number): unknown[] =>
      Array.from({ length: times }, () => {
        try {
          gate.check(asked);
          return 'ok';
        } catch (thrown) {
          const { code, retryAfterMs } = thrown as TrunklineError;
          return [code, retryAfterMs];
        }
      });
    return { clock, ledger, codes, channels };
  }

  it('refuses a user over his rate until the window ends', async () => {
    const { clock, codes, ledger } = limits();
    await clock.advance(400);
    const asked = { user: 'ana', channel: 'room:a', rate: undefined };
    expect(codes(asked, 4)).toEqual(['ok', 'ok', 'ok', ['rate_limited', 600]]);
    expect(codes({ ...asked, user: 'ben' }, 1)).toEqual(['ok']);
    expect(codes({ ...asked, user: undefined }, 5)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
    expect(hits(ledger, 'user_messages')).toMatchObject({ refused: 1 });
    await clock.advance(600);
    expect(codes(asked, 1)).toEqual(['ok']);
  });

  it('refuses a channel over its rate, whoever publishes', () => {
    const { codes, ledger } = limits();
    const asked = { user: undefined, channel: 'room:a', rate: rate(1) };
    expect(codes(asked, 3)).toEqual(['ok', 'ok', ['rate_limited', 1000]]);
    expect(codes({ ...asked, channel: 'room:b' }, 1)).toEqual(['ok']);
    expect(hits(ledger, 'publishes')).toMatchObject({ refused: 1 });
  });

  it('refuses nothing in a dry run', () => {
    const { codes, ledger } = limits(['user_messages', 'publishes']);
    expect(new Set(codes({ user: 'ana', channel: 'room:a', rate: rate(1) }, 10))).toEqual(new Set(['ok']));
    expect(hits(ledger, 'user_messages')).toMatchObject({ refused: 0, spared: 7 });
    expect(hits(ledger, 'publishes')).toMatchObject({ refused: 0, spared: 8 });
  });

  it('keeps no more channels than its bound', () => {
    const { codes, channels } = limits();
    for (let i = 0; i < 100; i++) codes({ user: undefined, channel: `room:${i}`, rate: rate(1) }, 1);
    expect(channels.size).toBeLessThanOrEqual(10);
  });
});

describe('the storage of the throttler', () => {
  it('counts up to the limit and blocks until the window ends', async () => {
    const clock = new FakeClock();
    const windows = new SharedWindows({ name: 'http', most: 10, add: undefined });
    const storage = new WindowThrottlerStorage(clock, windows);
    await clock.advance(15_000);
    const hit = () => storage.increment('key', 60_000, 2, 60_000, 'default');
    expect(await hit()).toMatchObject({ totalHits: 1, isBlocked: false, timeToExpire: 45 });
    expect(await hit()).toMatchObject({ totalHits: 2, isBlocked: false });
    expect(await hit()).toMatchObject({ totalHits: 3, isBlocked: true, timeToBlockExpire: 45 });
    await clock.advance(45_000);
    expect(await hit()).toMatchObject({ totalHits: 1, isBlocked: false });
  });
});
