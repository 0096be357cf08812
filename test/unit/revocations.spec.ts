// Which tokens are refused: by user and moment, by token id, for how long; in any order of hearing; and what the core does to sessions.

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { coreOptions } from '../../src/core/core.options.js';
import { ANONYMOUS, BACKEND, type Identity } from '../../src/core/identity.js';
import type { Revocation } from '../../src/core/ports/backplane.js';
import { Revocations } from '../../src/core/revocations.js';
import { TestCluster, userIdentity } from '../support/core-node.js';
import { FakeClock } from '../support/fake-clock.js';

const DAY_MS = 86_400_000;
const BOUNDS = { revocationMs: 30 * DAY_MS, maxRevocations: 100 };

const token = (user: string, iat: number | undefined, tokenId?: string): Identity =>
  userIdentity(user, { issuedAt: iat === undefined ? undefined : iat * 1000, tokenId });

describe('a revocation', () => {
  let clock: FakeClock;
  let list: Revocations;
  let second: number;
  beforeEach(async () => {
    clock = new FakeClock();
    list = new Revocations(clock, BOUNDS);
    // In the middle of a second, as most are.
    await clock.advance(1000 - (clock.now() % 1000) + 500);
    second = Math.floor(clock.now() / 1000);
  });
  const revoke = (user: string, options = {}): Revocation => {
    const made = list.make(user, options);
    list.apply([made]);
    return made;
  };

  it('of a user refuses what was issued until now, the whole second included, and not what comes after', () => {
    expect(revoke('ana')).toEqual({
      user: 'ana',
      tokenId: undefined,
      before: second,
      until: clock.now() + BOUNDS.revocationMs,
    });
    const refused = [-100_000, -1, 0].map((ago) => list.refuses(token('ana', second + ago)));
    expect(refused).toEqual([true, true, true]);
    expect(list.refuses(token('ana', second + 1))).toBe(false);
    expect(list.refuses(token('ben', second - 1))).toBe(false);
  });

  it('holds for an `iat` with a fraction, by its second', () => {
    revoke('ana', { before: second });
    expect(list.refuses(token('ana', second + 0.9))).toBe(true);
    expect(list.refuses(token('ana', second + 1.1))).toBe(false);
  });

  it('refuses what does not say when it was issued, or says a time to come', () => {
    expect(list.refuses(token('ana', undefined))).toBe(false);
    revoke('ana');
    for (const iat of [undefined, second + 3600, Infinity])
      expect(list.refuses(token('ana', iat)), String(iat)).toBe(true);
    expect(list.refuses(token('ben', undefined))).toBe(false);
  });

  it('of one token refuses it whenever it was issued, and no other', () => {
    revoke('ana', { tokenId: 'jti-1' });
    expect(list.refuses(token('ana', second + 10, 'jti-1'))).toBe(true);
    expect(list.refuses(token('ana', undefined, 'jti-1'))).toBe(true);
    for (const other of [
      token('ana', second, 'jti-2'),
      token('ana', second),
      token('ana', undefined),
      token('ben', second, 'jti-1'),
    ])
      expect(list.refuses(other)).toBe(false);
  });

  it('concerns no stranger and no backend', () => {
    revoke('undefined');
    expect([list.refuses(ANONYMOUS), list.refuses(BACKEND)]).toEqual([false, false]);
  });

  it('ends when no token it means can be alive, and is forgotten then', async () => {
    revoke('ana');
    revoke('ben', { tokenId: 'x' });
    expect(list.size).toBe(2);
    await clock.advance(BOUNDS.revocationMs - 1);
    expect(list.refuses(token('ana', second))).toBe(true);
    await clock.advance(1);
    expect([list.refuses(token('ana', second)), list.refuses(token('ben', second, 'x'))]).toEqual([
      false,
      false,
    ]);
    expect(list.size).toBe(0);
  });

  it.each([
    [{ before: -1 }, 'before'],
    [{ before: 1.5 }, 'before'],
    [{ before: NaN }, 'before'],
    [{ before: 1e300 }, 'before'],
    [{ tokenId: '' }, 'tokenId'],
    [{ tokenId: 'x'.repeat(129) }, 'tokenId'],
    [{ tokenId: 'a\nb' }, 'tokenId'],
    [{ before: 1, tokenId: 'x' }, 'before'],
  ])('is not made of %j', (options, path) => {
    expect(() => list.make('ana', options)).toThrow(
      expect.objectContaining({ code: 'invalid_data', details: [expect.objectContaining({ path })] }),
    );
  });

  it('may be of a moment a minute ahead, for the clock of a backend, and not further', () => {
    expect(list.make('ana', { before: second + 60 }).before).toBe(second + 60);
    expect(() => list.make('ana', { before: second + 61 })).toThrow('at most 60 ahead');
    expect(() => list.make('a"b', {})).toThrow('user');
  });

  it('is refused when there are too many, but not one more of the same; none is forgotten for it', async () => {
    for (let n = 0; n < BOUNDS.maxRevocations; n++) revoke(`user-${n}`);
    expect(() => list.make('one more', {})).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
    expect(() => list.make('user-1', { tokenId: 'x' })).toThrow();
    revoke('user-1');
    expect(list.refuses(token('user-0', second))).toBe(true);
    await clock.advance(BOUNDS.revocationMs);
    expect(list.make('one more', {}).user).toBe('one more');
  });

  it('never has an end before a minute, by the options', () => {
    expect(coreOptions.safeParse({ revocationMs: 59_999 }).success).toBe(false);
    expect(coreOptions.parse({}).revocationMs).toBe(30 * DAY_MS);
  });
});

describe('the list, whatever comes in whatever order', () => {
  const START = 1_767_225_600;
  const user = fc.constantFrom('ana', 'ben', '__proto__');
  const jti = fc.option(fc.constantFrom('a', 'b', 'constructor'), { nil: undefined });
  const moment = fc.integer({ min: START - 20, max: START + 20 });
  const revocation: fc.Arbitrary<Revocation> = fc
    .record({ user, tokenId: jti, before: moment, until: moment })
    .map(({ before, until, ...rest }) => ({
      ...rest,
      before: rest.tokenId === undefined ? before : 0,
      until: until * 1000,
    }));
  const credential = fc
    .record({ user, tokenId: jti, iat: fc.option(moment, { nil: undefined }) })
    .map((one) => token(one.user, one.iat, one.tokenId));

  it('refuses exactly what one of those that live means', () => {
    fc.assert(
      fc.property(
        fc.array(revocation, { maxLength: 12 }),
        credential,
        fc.infiniteStream(fc.nat()),
        (all, identity, chance) => {
          const clock = new FakeClock();
          const now = clock.now();
          const list = new Revocations(clock, BOUNDS);
          const shuffled = all
            .map((one) => [chance.next().value, one] as const)
            .toSorted(([a], [b]) => a - b)
            .map(([, one]) => one);
          // Heard twice, and some of it in another order.
          list.apply(all);
          for (const one of shuffled) list.apply([one]);
          const own = all.filter((one) => one.user === identity.user);
          const last = (pick: (one: Revocation) => number, of: readonly Revocation[]): number =>
            Math.max(0, ...of.map(pick));
          // Whatever has ended when it is heard counts for nothing; of the rest the later moments count.
          const alive = own.filter(({ until }) => until > now);
          const whole = alive.filter(({ tokenId }) => tokenId === undefined);
          const iat = identity.issuedAt;
          const expected =
            alive.some(({ tokenId }) => tokenId !== undefined && tokenId === identity.tokenId) ||
            (whole.length > 0 && (iat === undefined || iat / 1000 <= last(({ before }) => before, whole)));
          expect(list.refuses(identity)).toBe(expected);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('sessions of a revoked user', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.stop());

  it('are closed with 4003 on every node, others stay, and the closes are counted', async () => {
    cluster = await TestCluster.start({ nodes: 3 });
    const [a, b, c] = cluster.nodes as [TestCluster['node'], TestCluster['node'], TestCluster['node']];
    const anas = [await a.connect('ana'), await b.connect('ana'), await c.connect('ana')];
    const ben = await b.connect('ben');
    const stranger = await c.connect();
    const made = a.core.revocations.make('ana', {});
    await b.backplane.revoke(made);
    for (const ana of anas) expect(ana.link.closed).toEqual({ code: 4003, reason: 'revoked' });
    expect([ben.link.closed, stranger.link.closed]).toEqual([undefined, undefined]);
    expect(cluster.nodes.map(({ core }) => core.stats.revoked)).toEqual([1, 1, 1]);
    await b.backplane.revoke(made);
    expect(cluster.nodes.map(({ core }) => core.stats.revoked)).toEqual([1, 1, 1]);
  });

  it('cannot be opened any more, nor be become, by a credential that was checked just before', async () => {
    cluster = await TestCluster.start();
    const { node } = cluster;
    const stranger = await node.connect();
    await node.backplane.revoke(node.core.revocations.make('ana', {}));
    expect(node.core.admission.refusal(userIdentity('ana'))).toMatchObject({ code: 'unauthenticated' });
    expect(node.core.admission.refusal(userIdentity('ben'))).toBeUndefined();
    stranger.session.become(userIdentity('ana'));
    expect(stranger.link.closed).toMatchObject({ code: 4003 });
    expect(node.core.hub.countOfUser('ana')).toBe(0);
  });

  it('that live by a token issued later stay', async () => {
    cluster = await TestCluster.start();
    const { node } = cluster;
    const ana = await node.connect('ana');
    ana.session.become(userIdentity('ana', { issuedAt: node.clock.now() + 1000 }));
    await node.backplane.revoke(node.core.revocations.make('ana', {}));
    expect(ana.link.closed).toBeUndefined();
  });
});
