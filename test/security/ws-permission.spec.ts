// Commands that are right in form: their order, and the codes when time, permission or size is against them.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  openSession,
  startSuiteServer,
  text,
  type RawSocket,
  type SuiteServer,
  type WireFrame,
} from '../support/raw-socket.js';

const KEPT = { history: { size: 10, ttl: '1m' }, presence: true };
const MEMBERS = { subscribe: 'authenticated', publish: 'authenticated', historyAccess: 'authenticated' };
const RULES = [
  { channel: 'room:{name}', ...MEMBERS, ...KEPT },
  { channel: 'read:{name}', ...KEPT, subscribe: 'anyone', publish: 'backend', historyAccess: 'anyone' },
  {
    channel: 'write:{name}',
    ...KEPT,
    subscribe: 'nobody',
    publish: 'authenticated',
    historyAccess: 'nobody',
  },
  { channel: 'shut:{name}', ...KEPT, subscribe: 'nobody', publish: 'nobody', historyAccess: 'nobody' },
  {
    channel: 'cap:{name}',
    ...KEPT,
    subscribe: 'capability',
    publish: 'capability',
    historyAccess: 'capability',
  },
  { channel: 'tiny:{name}', ...MEMBERS, ...KEPT, maxBytes: 100 },
];

let server: SuiteServer;
beforeAll(async () => {
  server = await startSuiteServer(RULES);
});
afterEach(async () => server.settle());
afterAll(async () => server.finish());

async function session(claims?: Record<string, unknown>): Promise<RawSocket> {
  return openSession(server.port, { token: server.token('ana', claims) });
}

function codeOf(reply: WireFrame): unknown {
  return reply.event === 'error' ? reply.data['code'] : reply.event;
}

/** Asks, and proves that the session goes on. */
async function ask(event: string, data: unknown): Promise<WireFrame> {
  const raw = await session();
  const reply = await raw.request(event, data);
  expect((await raw.request('ping')).event).toBe('ok');
  return reply;
}

const PUBLISH = { channel: 'room:a', event: 'e', data: 1 };

describe('a command at the wrong time', () => {
  it('unsubscribe without subscribe is answered not_subscribed', async () => {
    expect(codeOf(await ask('unsubscribe', { channel: 'room:a' }))).toBe('not_subscribed');
  });

  it('a second unsubscribe is answered not_subscribed', async () => {
    const raw = await session();
    await raw.request('subscribe', { channel: 'room:a' });
    expect(codeOf(await raw.request('unsubscribe', { channel: 'room:a' }))).toBe('ok');
    expect(codeOf(await raw.request('unsubscribe', { channel: 'room:a' }))).toBe('not_subscribed');
  });

  it('a second subscribe is answered already_subscribed, and the first one lives on', async () => {
    const raw = await session();
    await raw.request('subscribe', { channel: 'room:a' });
    expect(codeOf(await raw.request('subscribe', { channel: 'room:a' }))).toBe('already_subscribed');
    await raw.request('publish', PUBLISH);
    expect((await raw.push('message')).data['channel']).toBe('room:a');
  });

  it('two subscribes in one segment are answered ok and already_subscribed', async () => {
    const raw = await session();
    const subscribe = (id: number): Buffer =>
      text(`{"event":"subscribe","id":${id},"data":{"channel":"room:a"}}`);
    raw.write(subscribe(1), subscribe(2));
    expect([codeOf(await raw.next()), codeOf(await raw.next())]).toEqual(['ok', 'already_subscribed']);
  });

  it('fifty frames of all kinds in one segment are answered in their order', async () => {
    const raw = await session();
    const kinds: readonly [string, unknown][] = [
      ['subscribe', { channel: 'room:a' }],
      ['ping', {}],
      ['publish', { ...PUBLISH, echo: false }],
      ['history', { channel: 'room:a' }],
      ['nope', {}],
      ['presence', { channel: 'room:a' }],
      ['publish', { ...PUBLISH, channel: '*' }],
      ['unsubscribe', { channel: 'room:a' }],
      ['subscribe', { channel: 'shut:a' }],
      ['ping', {}],
    ];
    const ids = Array.from({ length: 50 }, (_, index) => index);
    const all = ids.map((id) => {
      const [event, data] = kinds[id % kinds.length] as [string, unknown];
      return text(JSON.stringify({ event, id, data }));
    });
    raw.write(...all);
    const seen: unknown[] = [];
    while (seen.length < all.length) {
      const { event, id } = await raw.next();
      if (event === 'ok' || event === 'error') seen.push(id);
    }
    expect(seen).toEqual(ids);
  });
});

describe('permission', () => {
  const DENIED: readonly [string, string][] = [
    ['subscribe', 'write:a'],
    ['subscribe', 'shut:a'],
    ['subscribe', 'cap:a'],
    ['publish', 'read:a'],
    ['publish', 'shut:a'],
    ['publish', 'cap:a'],
    ['history', 'shut:a'],
    ['history', 'cap:a'],
    ['presence', 'shut:a'],
    ['presence', 'cap:a'],
  ];
  it.each(DENIED)('to %s %s is missing: forbidden', async (event, channel) => {
    expect(codeOf(await ask(event, { ...PUBLISH, channel }))).toBe('forbidden');
  });

  it.each([
    ['publish', 'write:a'],
    ['subscribe', 'read:a'],
  ])('to %s %s is given by its rule', async (event, channel) => {
    expect(codeOf(await ask(event, { ...PUBLISH, channel }))).toBe('ok');
  });

  it.each([
    ['cap:a', ['subscribe'], 'subscribe', 'ok'],
    ['cap:a', ['subscribe'], 'publish', 'forbidden'],
    ['cap:*', ['publish'], 'publish', 'ok'],
    ['cap:*', ['publish'], 'subscribe', 'forbidden'],
    ['cap:b', ['subscribe', 'publish'], 'subscribe', 'forbidden'],
    ['*', ['subscribe'], 'subscribe', 'ok'],
    ['__proto__', ['subscribe'], 'subscribe', 'forbidden'],
  ])('of a token with "%s": %j to %s cap:a is %s', async (pattern, rights, event, code) => {
    const raw = await session({ channels: { [pattern]: rights } });
    expect(codeOf(await raw.request(event, { ...PUBLISH, channel: 'cap:a' }))).toBe(code);
  });

  it('is the same answer for a channel that is used and one that is not', async () => {
    const used = await ask('subscribe', { channel: 'shut:used' });
    const unused = await ask('subscribe', { channel: 'shut:never' });
    expect(used.data).toEqual(unused.data);
  });
});

describe('the size of a payload', () => {
  it.each([
    [98, 'ok'],
    [99, 'too_large'],
    [5000, 'too_large'],
  ])('of %i characters and two quotes under a bound of 100 is answered %s', async (length, code) => {
    expect(codeOf(await ask('publish', { channel: 'tiny:a', event: 'e', data: 'x'.repeat(length) }))).toBe(
      code,
    );
  });

  it('is counted in bytes of UTF-8', async () => {
    expect(codeOf(await ask('publish', { channel: 'tiny:a', event: 'e', data: '€'.repeat(40) }))).toBe(
      'too_large',
    );
  });
});
