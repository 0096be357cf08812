// Tickets by themselves, on a clock that is moved by hand: for whom they stand, how long, and what is kept of them.

import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryBackplane } from '../../src/backplanes/memory/memory.backplane.js';
import { memoryOptions } from '../../src/backplanes/memory/memory.options.js';
import { MemoryStore } from '../../src/backplanes/memory/memory.store.js';
import { ApiKeys, digestOf } from '../../src/auth/api-keys.js';
import { identityOf } from '../../src/auth/claims.js';
import { TICKET_MS, Tickets, type TicketParts } from '../../src/auth/tickets.js';
import { BACKEND, type Identity } from '../../src/core/identity.js';
import { SystemRandom } from '../../src/core/ports/time.js';
import { FakeClock } from '../support/fake-clock.js';
import { RecordingListener } from '../support/recording-listener.js';

const KEY = 'a-key-of-billing-0123';
const BILLING = {
  name: 'billing',
  digest: digestOf(KEY),
  scopes: ['publish', 'tickets'],
  channels: ['orders:*'],
} as const;

let clock: FakeClock;
let kept: Map<string, string>;
let keys: ApiKeys;
let revoked: Set<string>;
let tickets: Tickets;
let stats: TicketParts['stats'];

beforeEach(async () => {
  clock = new FakeClock();
  kept = new Map();
  keys = new ApiKeys([], [BILLING]);
  revoked = new Set();
  stats = { issued: 0, used: 0, refused: 0 };
  const store = new MemoryStore({ options: memoryOptions.parse({}), clock, random: new SystemRandom() });
  const node = new MemoryBackplane(store);
  await node.start(new RecordingListener());
  const watched: TicketParts['store'] = {
    keep: (key, text, ttlMs) => {
      kept.set(key, text);
      return node.keep(key, text, ttlMs);
    },
    take: (key) => node.take(key),
  };
  const revocations = { refuses: ({ user }: Identity) => user !== undefined && revoked.has(user) };
  tickets = new Tickets({ store: watched, keys, revocations, clock, random: new SystemRandom(), stats });
});

const seconds = (): number => Math.floor(clock.now() / 1000);
const user = (claims: object = {}): Identity =>
  identityOf({ sub: 'ana', iat: seconds(), exp: seconds() + 3600, ...claims });
/** Patterns hold functions: their texts stand for them. */
const plain = ({ grants, ...identity }: Identity): object => ({
  ...identity,
  grants: grants.map(({ pattern, allows }) => [pattern.text, [...allows]]),
});
const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'taken',
    (error: unknown) => (error as { code: string }).code,
  );

describe('a ticket', () => {
  it('stands for exactly the identity it was asked with', async () => {
    const claims = { role: 'staff', deep: { list: [1, null, 'ü'] } };
    const all = user({
      name: 'Ana',
      jti: 'one',
      channels: { 'room:*': ['subscribe', 'publish'], 'desk:{id}': ['history'] },
      join: ['inbox:ana'],
      ...claims,
    });
    for (const identity of [all, user()]) {
      const { ticket } = await tickets.issue(identity);
      const found = await tickets.redeem(ticket);
      expect(plain(found)).toEqual(plain(identity));
      expect(found.grants.map(({ pattern }) => pattern.match('room:a:b') !== undefined)).toEqual(
        identity.grants.map(({ pattern }) => pattern.match('room:a:b') !== undefined),
      );
    }
    expect(stats).toEqual({ issued: 2, used: 2, refused: 0 });
  });

  it('keeps claims with names of objects what they are', async () => {
    const odd = user(JSON.parse('{"__proto__":{"admin":true},"constructor":1}') as object);
    const { claims } = await tickets.redeem((await tickets.issue(odd)).ticket);
    expect((claims as { admin?: unknown }).admin).toBeUndefined();
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  it('is 256 bits that never come twice, and stands nowhere in what is kept', async () => {
    const all = new Set<string>();
    for (let n = 0; n < 500; n++) all.add((await tickets.issue(user())).ticket);
    expect(all.size).toBe(500);
    const store = JSON.stringify([...kept]);
    for (const ticket of all) {
      expect(ticket).toMatch(/^tkt_[A-Za-z0-9_-]{43}$/);
      expect(Buffer.from(ticket.slice(4), 'base64url')).toHaveLength(32);
      expect(store).not.toContain(ticket.slice(4));
    }
    for (const key of kept.keys()) expect(key).toMatch(/^[A-Za-z0-9_.:-]+$/);
  });

  it('is good once', async () => {
    const { ticket } = await tickets.issue(user());
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => refusal(tickets.redeem(ticket))));
    expect(outcomes.filter((outcome) => outcome === 'taken')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'unauthenticated')).toHaveLength(49);
    expect(stats).toEqual({ issued: 1, used: 1, refused: 49 });
  });

  it('is good for half a minute', async () => {
    expect(TICKET_MS).toBeLessThanOrEqual(30_000);
    const [early, late] = [await tickets.issue(user()), await tickets.issue(user())];
    expect(early.expiresAt).toBe(clock.now() + 30_000);
    await clock.advance(29_999);
    expect(await refusal(tickets.redeem(early.ticket))).toBe('taken');
    await clock.advance(1);
    expect(await refusal(tickets.redeem(late.ticket))).toBe('unauthenticated');
  });

  it('ends with the token behind it', async () => {
    const soon = user({ exp: seconds() + 5 });
    const { ticket, expiresAt } = await tickets.issue(soon);
    expect(expiresAt).toBe(soon.expiresAt);
    await clock.advance(5000);
    expect(await refusal(tickets.redeem(ticket))).toBe('unauthenticated');
    expect(await refusal(tickets.issue(soon))).toBe('expired');
  });

  it('is refused when its user was revoked meanwhile', async () => {
    const { ticket } = await tickets.issue(user());
    revoked.add('ana');
    expect(await refusal(tickets.redeem(ticket))).toBe('unauthenticated');
  });

  it.each(['', 'tkt_', 'rubbish', `tkt_${'A'.repeat(42)}`, `tkt_${'A'.repeat(44)}`, `tkt_${'+'.repeat(43)}`])(
    'of the form %j is refused without the store being asked',
    async (text) => {
      let asked = 0;
      const store = { keep: async () => {}, take: async () => void asked++ };
      const own = new Tickets({
        store,
        keys,
        revocations: undefined,
        clock,
        random: new SystemRandom(),
        stats,
      });
      expect(await refusal(own.redeem(text))).toBe('unauthenticated');
      expect(asked).toBe(0);
    },
  );

  it('is refused for claims that are too large to keep', async () => {
    expect(await refusal(tickets.issue(user({ list: 'x'.repeat(20_000) })))).toBe('limit_exceeded');
    expect(kept.size).toBe(0);
  });

  it('does not exist where there is no store', async () => {
    const own = new Tickets({
      store: undefined,
      keys,
      revocations: undefined,
      clock,
      random: new SystemRandom(),
      stats,
    });
    expect(await refusal(own.issue(user()))).toBe('unavailable');
    expect(await refusal(own.redeem(`tkt_${'A'.repeat(43)}`))).toBe('unauthenticated');
  });
});

describe('a ticket of an API key', () => {
  const backend = (): Identity => {
    const key = keys.find(KEY);
    if (key === undefined) throw new Error('The key is not known.');
    return { ...BACKEND, key };
  };

  it('stands for the backend with the rights of its key', async () => {
    const { kind, key } = await tickets.redeem((await tickets.issue(backend())).ticket);
    expect([kind, key?.name, [...(key?.scopes ?? [])]]).toEqual(['backend', 'billing', BILLING.scopes]);
  });

  it('stands for the user it names, who is held to the channels of the key', async () => {
    const { ticket } = await tickets.issueFor(
      { user: 'ben', name: 'Ben', channels: { 'orders:*': ['publish'] }, ttl: 900 },
      backend(),
    );
    const found = await tickets.redeem(ticket);
    expect(found).toMatchObject({
      kind: 'user',
      user: 'ben',
      name: 'Ben',
      expiresAt: (seconds() + 900) * 1000,
    });
    expect(found.key?.channels?.map(({ text }) => text)).toEqual(['orders:*']);
  });

  it('carries no text of the key', async () => {
    await tickets.issue(backend());
    const store = JSON.stringify([...kept]);
    expect(store).not.toContain(KEY);
    for (const form of ['hex', 'base64', 'base64url'] as const)
      expect(store).not.toContain(digestOf(KEY).toString(form));
  });

  it.each([
    ['was taken away', []],
    ['has another text', [{ ...BILLING, digest: digestOf('another-text-of-it-0123') }]],
  ])('is refused when the key %s', async (_what, entries) => {
    const own = await tickets.issue(backend());
    const named = await tickets.issueFor(
      { user: 'ben', name: undefined, channels: undefined, ttl: 900 },
      backend(),
    );
    keys.replace(entries);
    for (const { ticket } of [own, named])
      expect(await refusal(tickets.redeem(ticket))).toBe('unauthenticated');
  });

  it('has the rights that the key has when it is used', async () => {
    const { ticket } = await tickets.issue(backend());
    keys.replace([{ ...BILLING, scopes: ['read'] }]);
    expect([...((await tickets.redeem(ticket)).key?.scopes ?? [])]).toEqual(['read']);
  });

  it.each([{ '{': ['publish'] }, { 'a:*': ['fly'] }, [], 'x'])(
    'is refused for the map %j',
    async (channels) => {
      const asked = async (): Promise<unknown> =>
        tickets.issueFor({ user: 'ben', name: undefined, channels, ttl: 900 }, backend());
      expect(await refusal(asked())).toBe('invalid_data');
    },
  );
});
