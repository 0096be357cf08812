// The tables and gates of the limits on a clock moved by hand: rates, bounds, dry runs, what instances know of each other.

import { describe, expect, it } from 'vitest';
import { TrunklineError } from '../../src/core/errors.js';
import { LimitLedger, LIMITS, type LimitName } from '../../src/core/ports/limits.js';
import { parseRate } from '../../src/core/ports/rate.js';
import { FailedLogins } from '../../src/limits/failed-logins.js';
import { hitLog } from '../../src/limits/hit-log.js';
import { byteRateOf, limitsOptions, userRateOf } from '../../src/limits/limits.options.js';
import { newGate, OPEN_GATE } from '../../src/limits/session-gate.js';
import { Strangers } from '../../src/limits/strangers.js';
import { BucketTable, TokenBucket } from '../../src/limits/token-bucket.js';
import { FakeClock, START_MS } from '../support/fake-clock.js';

const NONE = { count: 0, periodMs: 1000 };
const rate = (count: number, periodMs = 1000) => ({ count, periodMs });
const hits = (ledger: LimitLedger, limit: LimitName): unknown =>
  [...ledger.rows()].find((row) => row.limit === limit);

describe('a bucket', () => {
  it('gives a burst of twice its rate, then its rate, and says how long to wait', () => {
    const bucket = new TokenBucket(rate(10));
    for (let i = 0; i < 20; i++) expect(bucket.take(START_MS)).toBe(0);
    expect(bucket.take(START_MS)).toBe(100);
    expect(bucket.take(START_MS + 99)).toBeGreaterThan(0);
    expect(bucket.take(START_MS + 100)).toBe(0);
  });

  it('takes nothing when it is only asked', () => {
    const bucket = new TokenBucket(rate(1));
    for (let i = 0; i < 10; i++) expect(bucket.wait(START_MS)).toBe(0);
    bucket.take(START_MS, 2);
    expect(bucket.wait(START_MS)).toBe(1000);
  });

  it('loses nothing when the clock steps back', () => {
    const bucket = new TokenBucket(rate(1));
    expect(bucket.take(START_MS)).toBe(0);
    expect(bucket.take(START_MS - 60_000)).toBe(0);
  });

  it('table keeps no more than its bound, and forgets the longest unused', () => {
    const table = new BucketTable(rate(1), 10);
    for (let i = 0; i < 1000; i++) {
      table.take(`key-${i}`, START_MS);
      table.take('busy', START_MS);
      expect(table.size).toBeLessThanOrEqual(10);
    }
    expect(table.wait('busy', START_MS)).toBeGreaterThan(0);
    for (let i = 0; i < 3; i++) table.take('key-1', START_MS);
    expect(table.wait('key-1', START_MS)).toBeGreaterThan(0);
    expect(table.take('key-2', START_MS)).toBe(0);
    expect(table.take('key-2', START_MS)).toBe(0);
  });

  it('table holds for each key the rate that it is asked with', () => {
    const table = new BucketTable(NONE, 3);
    expect(table.take('slow', START_MS, 1, rate(1, 60_000))).toBe(0);
    table.take('slow', START_MS, 1, rate(1, 60_000));
    expect(table.take('slow', START_MS, 1, rate(1, 60_000))).toBe(60_000);
    expect(table.take('open', START_MS, 1, NONE)).toBe(0);
    expect(table.size).toBe(1);
  });
});

describe('the gate of a session', () => {
  const gate = (frames: number, bytes: number, dry: readonly LimitName[] = []) => {
    const ledger = new LimitLedger(dry);
    return { ledger, gate: newGate({ frames: rate(frames), bytes: rate(bytes), ledger }) };
  };

  it('counts frames and bytes apart, each with its burst and its name', () => {
    const { gate: one, ledger } = gate(10, 1000);
    expect(one.take(START_MS, 1500)).toBe(0);
    expect(one.take(START_MS, 500)).toBe(0);
    expect(one.take(START_MS, 500)).toBe(500);
    expect(hits(ledger, 'bytes')).toMatchObject({ refused: 1 });
    for (let i = 0; i < 17; i++) expect(one.take(START_MS, 0)).toBe(0);
    expect(one.take(START_MS, 0)).toBe(100);
    expect(hits(ledger, 'frames')).toMatchObject({ refused: 1 });
  });

  it('lets a frame over a whole burst pass when nothing was sent, and asks for its bytes afterwards', () => {
    const { gate: one } = gate(0, 1000);
    expect(one.take(START_MS, 5000)).toBe(0);
    expect(one.take(START_MS, 1)).toBe(3001);
    expect(one.take(START_MS + 3001, 1)).toBe(0);
  });

  it('refuses nothing in a dry run, and counts', () => {
    const { gate: one, ledger } = gate(1, 100, ['frames', 'bytes']);
    for (let i = 0; i < 10; i++) expect(one.take(START_MS, 100)).toBe(0);
    expect(hits(ledger, 'frames')).toMatchObject({ refused: 0, spared: 8 });
    expect(hits(ledger, 'bytes')).toMatchObject({ refused: 0, spared: 8 });
  });

  it('is no object where there is no limit', () => {
    expect(gate(0, 0).gate).toBe(OPEN_GATE);
  });
});

describe('a limit that follows from another', () => {
  it('is 16 KiB a frame, and five busy sessions a user', () => {
    const options = limitsOptions.parse({});
    expect(byteRateOf(options)).toEqual({ count: 163_840, periodMs: 1000 });
    expect(userRateOf(options)).toEqual({ count: 50, periodMs: 1000 });
  });

  it('is lifted with it, and goes its own way when it is set', () => {
    const lifted = limitsOptions.parse({ messageRate: '0' });
    expect([byteRateOf(lifted).count, userRateOf(lifted).count]).toEqual([0, 0]);
    const own = limitsOptions.parse({ messageRate: '0', byteRate: '5/1s', userMessageRate: '7/1m' });
    expect([byteRateOf(own).count, userRateOf(own).count]).toEqual([5, 7]);
  });
});

describe('the list of dry runs', () => {
  it.each([
    [['on'], [...LIMITS]],
    [['off'], []],
    [[], []],
    [
      ['frames', 'http'],
      ['frames', 'http'],
    ],
  ])('%j is %j', (dryRun, limits) => {
    expect(limitsOptions.parse({ dryRun }).dryRun).toEqual(limits);
  });

  it('names no limit that does not exist', () => {
    expect(limitsOptions.safeParse({ dryRun: ['frame'] }).success).toBe(false);
  });
});

describe('the watch of logins', () => {
  const bad = async (): Promise<never> => {
    throw new TrunklineError('unauthenticated', 'The credential is not valid.');
  };
  const expired = async (): Promise<never> => {
    throw new TrunklineError('expired', 'The token has ended.');
  };

  function watch(dry: readonly LimitName[] = []) {
    const clock = new FakeClock();
    const ledger = new LimitLedger(dry);
    const table = new BucketTable(rate(2, 60_000), 100);
    const logins = new FailedLogins(table, ledger, clock);
    let asked = 0;
    const tryOnce = (address: string | undefined, login: () => Promise<unknown>): Promise<unknown> =>
      logins
        .watch(address, () => {
          asked++;
          return login();
        })
        .catch((thrown: unknown) => (thrown as TrunklineError).code);
    return { clock, ledger, table, tryOnce, asked: () => asked };
  }

  it('looks at no credential from an address where too many have failed, good ones included', async () => {
    const { tryOnce, asked, clock, ledger } = watch();
    for (let i = 0; i < 4; i++) expect(await tryOnce('8.8.8.8', bad)).toBe('unauthenticated');
    expect(await tryOnce('8.8.8.8', async () => 'in')).toBe('rate_limited');
    expect(asked()).toBe(4);
    expect(hits(ledger, 'failed_logins')).toMatchObject({ refused: 1 });
    expect(await tryOnce('9.9.9.9', async () => 'in')).toBe('in');
    await clock.advance(30_000);
    expect(await tryOnce('8.8.8.8', async () => 'in')).toBe('in');
  });

  it('counts no good login, and none with a token that has ended', async () => {
    const { tryOnce, table } = watch();
    for (let i = 0; i < 20; i++) await tryOnce('8.8.8.8', async () => 'in');
    for (let i = 0; i < 20; i++) await tryOnce('8.8.8.8', expired);
    expect(await tryOnce('8.8.8.8', bad)).toBe('unauthenticated');
    expect(table.size).toBe(1);
  });

  it('counts all of a /64 as one, and nobody whose address is not known', async () => {
    const { tryOnce } = watch();
    for (let i = 0; i < 4; i++) await tryOnce(`2001:db8:0:0:${i}:0:0:1`, bad);
    expect(await tryOnce('2001:db8:0:0:ffff:0:0:1', bad)).toBe('rate_limited');
    expect(await tryOnce('2001:db8:0:1:0:0:0:1', bad)).toBe('unauthenticated');
    for (let i = 0; i < 9; i++) expect(await tryOnce(undefined, bad)).toBe('unauthenticated');
  });

  it('lets all try in a dry run, and counts', async () => {
    const { tryOnce, ledger } = watch(['failed_logins']);
    for (let i = 0; i < 10; i++) expect(await tryOnce('8.8.8.8', bad)).toBe('unauthenticated');
    expect(hits(ledger, 'failed_logins')).toMatchObject({ refused: 0, spared: 6 });
  });
});

describe('strangers', () => {
  const make = (dry: readonly LimitName[] = []) => {
    const ledger = new LimitLedger(dry);
    const options = { maxStrangers: 3, maxStrangersPerAddress: 2, strangerFrameBytes: 4096 };
    return { ledger, strangers: new Strangers(options, ledger) };
  };

  it('are bounded by address and in all, and make room when they go', () => {
    const { strangers, ledger } = make();
    const [first] = [strangers.enter('1.1.1.1'), strangers.enter('1.1.1.1')];
    expect(strangers.refusal('1.1.1.1')).toMatchObject({ code: 'rate_limited', retryAfterMs: 5000 });
    expect(strangers.refusal('2.2.2.2')).toBeUndefined();
    strangers.enter('2.2.2.2');
    expect(strangers.refusal('3.3.3.3')).toMatchObject({ code: 'unavailable', retryAfterMs: 5000 });
    first?.leave();
    first?.leave();
    expect(strangers.size).toBe(2);
    expect(strangers.refusal('1.1.1.1')).toBeUndefined();
    expect(hits(ledger, 'strangers')).toMatchObject({ refused: 1 });
    expect(hits(ledger, 'total_strangers')).toMatchObject({ refused: 1 });
  });

  it('may send little at a time', () => {
    const { strangers, ledger } = make();
    const stranger = strangers.enter('1.1.1.1');
    expect([stranger.takes, stranger.isTooMuch(4096), stranger.isTooMuch(4097)]).toEqual([4096, false, true]);
    expect(hits(ledger, 'stranger_bytes')).toMatchObject({ refused: 1 });
  });

  it('are refused nothing in a dry run', () => {
    const { strangers } = make(['strangers', 'total_strangers', 'stranger_bytes']);
    for (let i = 0; i < 10; i++) {
      expect(strangers.refusal('1.1.1.1')).toBeUndefined();
      expect(strangers.enter('1.1.1.1')).toMatchObject({ takes: 0 });
    }
    expect(strangers.enter('1.1.1.1').isTooMuch(99_999)).toBe(false);
  });
});

describe('the log of limits', () => {
  it('tells the first time, and then how often, once a minute for each limit', async () => {
    const clock = new FakeClock();
    const lines: unknown[] = [];
    const logger = {
      debug: () => {},
      error: () => {},
      warn: (text: string, fields?: object) => lines.push([text, fields]),
    };
    const ledger = new LimitLedger(['http'], hitLog(clock, logger));
    for (let i = 0; i < 100; i++) ledger.refuses('connects', '8.8.8.8');
    ledger.refuses('http', '9.9.9.9');
    await clock.advance(60_000);
    ledger.refuses('connects', '7.7.7.7');
    expect(lines).toEqual([
      ['A limit refuses.', { limit: 'connects', who: '8.8.8.8', times: 1, dryRun: false }],
      ['A limit would have refused.', { limit: 'http', who: '9.9.9.9', times: 1, dryRun: true }],
      ['A limit refuses.', { limit: 'connects', who: '7.7.7.7', times: 100, dryRun: false }],
    ]);
  });
});

describe('a rate', () => {
  it.each([
    ['10/1s', rate(10)],
    ['600/m', rate(600, 60_000)],
    ['5/2h', rate(5, 7_200_000)],
    ['0', NONE],
  ])('"%s" is read', (text, expected) => {
    expect(parseRate(text)).toEqual(expected);
  });

  it.each(['', '10', '10/0s', '-1/1s', '1.5/1s', '10/1d', '10 / 1s'])('"%s" is none', (text) => {
    expect(parseRate(text)).toBeUndefined();
  });
});
