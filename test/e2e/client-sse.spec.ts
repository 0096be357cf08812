// The client over server-sent events, against a server that does what the test says: first request, reopening, refusals, ends.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientFor, happens, inState, type ClientUnderTest } from '../../client/testing/kit.js';
import type { Channel, TrunklineOptions } from '../../client/src/index.js';
import { readStreamQuery } from '../../src/protocol/stream-query.js';
import { FakeHttpServer, type FakeCall } from '../support/fake-http-server.js';
import { until } from '../support/wait.js';

interface Events {
  say: { n: number };
}

let server: FakeHttpServer;
let client: ClientUnderTest;
let room: Channel<Events>;
let heard: (number | string)[];

beforeEach(async () => {
  server = await FakeHttpServer.start();
  use({});
});

afterEach(async () => {
  client.trunkline.close();
  expect(client.clock.pending, 'timers left behind').toBe(0);
  await server.stop();
});

function use(options: TrunklineOptions): void {
  client = clientFor(server.url, { transports: ['sse'], token: () => 'good', ...options });
  room = client.trunkline.channel<Events>('room:a');
  heard = [];
  room.on('message', ({ data }) => heard.push(data.n));
  room.on('gap', ({ reason, from, to }) => heard.push(`${reason} ${from}-${to}`));
}

const entry = (channel: string, offset: number, more: object = {}): object => ({
  ...{
    channel,
    epoch: 'e1',
    offset,
    id: offset === 0 ? '' : `m${offset}`,
    recoverable: true,
    recovered: false,
    replayed: 0,
  },
  ...more,
});

const message = (channel: string, n: number): object => ({
  ...{ channel, offset: n, id: `m${n}`, event: 'say', data: { n }, time: 1 },
});

async function subscribed(offset = 0): Promise<FakeCall> {
  const call = room.subscribe();
  const stream = await server.next('/sse');
  stream.ready({ channels: [entry('room:a', offset)] });
  await call;
  return stream;
}

const say = (stream: FakeCall, ...numbers: readonly number[]): void => {
  for (const n of numbers) stream.event('message', message('room:a', n));
};

describe('the first request', () => {
  it('asks for every channel wanted, with the token and without a place', async () => {
    const other = client.trunkline.channel('room:b', { presence: true }).subscribe();
    const mine = room.subscribe();
    const call = await server.next('/sse');
    expect(call.channels).toEqual(['room:a', 'room:b']);
    expect(call.query.getAll('presence')).toEqual(['room:b']);
    expect(call.request.headers).toMatchObject({ authorization: 'Bearer good' });
    expect(call.request.headers['last-event-id']).toBe('1~');
    call.ready({ channels: [entry('room:a', 3), entry('room:b', 0, { members: [] })] });
    expect(await mine).toMatchObject({ offset: 3 });
    await other;
    expect(client.trunkline.session).toBe('s1');
    expect(client.states.at(-1)).toMatchObject({ state: 'connected', transport: 'sse' });
    expect(server.total).toBe(1);
  });

  it('asks after the place that was kept, and the missed are the reply', async () => {
    const call = room.subscribe({ since: { epoch: 'e1', offset: 2, id: 'm2' } });
    const stream = await server.next('/sse');
    expect(stream.request.headers['last-event-id']).toBe('1~room%3Aa!e1.2.m2');
    stream.ready({ channels: [entry('room:a', 4, { recovered: true, replayed: 2 })] });
    say(stream, 3, 4, 5);
    expect(await call).toMatchObject({ recovered: true, offset: 4 });
    await until(() => heard.length === 3);
    expect(heard).toEqual([3, 4, 5]);
  });

  it('sends no token when there is none', async () => {
    use({ token: '' });
    void room.subscribe().catch(() => {});
    expect((await server.next('/sse')).request.headers['authorization']).toBeUndefined();
  });

  it('opens without a channel when none is wanted', async () => {
    client.trunkline.connect();
    const call = await server.next('/sse');
    expect(call.channels).toEqual([]);
    call.ready({});
    await inState(client, 'connected');
  });

  it('leaves out a channel that was refused, and asks again with the rest', async () => {
    const refused = client.trunkline.channel('room:b').subscribe();
    const mine = room.subscribe();
    (await server.next('/sse')).problem(403, 'forbidden', { channel: 'room:b' });
    const second = await server.next('/sse');
    expect(second.channels).toEqual(['room:a']);
    second.ready({ channels: [entry('room:a', 0)] });
    await mine;
    await expect(refused).rejects.toMatchObject({ code: 'forbidden', message: 'forbidden' });
  });

  it('asks for as many channels as one cursor holds; those that came last are refused, as beyond a cap', async () => {
    const names = Array.from({ length: 128 }, (_, n) => `room:with-a-name-${n}`);
    const calls = names.map((name) => client.trunkline.channel(name).subscribe());
    const outcomes = Promise.allSettled(calls);
    const stream = await server.next('/sse');
    const asked = stream.channels;
    expect(asked).toEqual(names.slice(0, asked.length));
    expect(asked.length).toBeGreaterThan(100);
    expect(readStreamQuery({ channel: asked }, '')).toMatchObject({ ok: true });
    expect(readStreamQuery({ channel: names.slice(0, asked.length + 1) }, '')).toMatchObject({ ok: false });
    stream.ready({ channels: asked.map((name) => entry(name, 0)) });
    const refused = (await outcomes).flatMap((outcome, n) => (outcome.status === 'rejected' ? [n] : []));
    expect(refused).toEqual(names.map((_, n) => n).slice(asked.length));
    await expect(calls.at(-1)).rejects.toMatchObject({ code: 'limit_exceeded', retry: false });
    expect(server.total).toBe(1);
  });

  it.each([
    [431, undefined],
    [414, undefined],
    [429, 'limit_exceeded'],
  ])('asks for fewer channels when all are refused together with %s %s', async (status, code) => {
    const names = Array.from({ length: 20 }, (_, n) => `room:${n}`);
    const outcomes = Promise.allSettled(names.map((name) => client.trunkline.channel(name).subscribe()));
    let stream = await server.next('/sse');
    for (; stream.channels.length > 15; stream = await server.next('/sse')) {
      if (code === undefined) stream.plain(status);
      else stream.problem(status, code);
    }
    const { channels } = stream;
    expect(channels).toEqual(names.slice(0, channels.length));
    expect(channels.length).toBeGreaterThan(12);
    stream.ready({ channels: channels.map((name) => entry(name, 0)) });
    const kept = (await outcomes).filter(({ status: settled }) => settled === 'fulfilled');
    expect(kept).toHaveLength(channels.length);
    expect(client.trunkline.state).toBe('connected');
  });

  it('does not go round when the refused channel is none of ours', async () => {
    void room.subscribe().catch(() => {});
    (await server.next('/sse')).problem(403, 'forbidden', { channel: 'room:z' });
    expect(await inState(client, 'closed')).toMatchObject({ code: 1008 });
    expect(server.total).toBe(1);
  });

  it('drops a channel that was left before the answer came', async () => {
    const gone = client.trunkline.channel('room:b');
    const call = gone.subscribe().catch(() => {});
    const mine = room.subscribe();
    const stream = await server.next('/sse');
    await gone.unsubscribe();
    await call;
    stream.ready({ channels: [entry('room:a', 0), entry('room:b', 0)] });
    await mine;
    const second = await server.next('/sse');
    expect(second.channels).toEqual(['room:a']);
    second.ready({ channels: [entry('room:a', 0, { recovered: true })] });
    await until(() => stream.closed);
  });
});

describe('a change of channels', () => {
  it('opens a new stream from what was handed on, once for all of one turn, and goes on with the old one meanwhile', async () => {
    const stream = await subscribed(1);
    say(stream, 2);
    await until(() => heard.length === 1);
    const calls = ['room:b', 'room:c'].map((name) => client.trunkline.channel(name).subscribe());
    const second = await server.next('/sse');
    expect(second.channels).toEqual(['room:a', 'room:b', 'room:c']);
    expect(second.request.headers['last-event-id']).toBe('1~room%3Aa!e1.2.m2');
    say(stream, 3);
    await until(() => heard.length === 2);
    expect(stream.closed).toBe(false);
    second.ready({
      session: 's2',
      channels: [
        entry('room:a', 4, { recovered: true, replayed: 2 }),
        entry('room:b', 0),
        entry('room:c', 7),
      ],
    });
    say(second, 3, 4, 5);
    expect(await Promise.all(calls)).toMatchObject([{ offset: 0 }, { offset: 7 }]);
    await until(() => stream.closed && heard.length === 4);
    expect(heard).toEqual([2, 3, 4, 5]);
    expect(client.trunkline.session).toBe('s2');
    expect(client.states.map(({ state }) => state)).toEqual(['connecting', 'connected']);
  });

  it('tells what the new stream could not recover', async () => {
    const stream = await subscribed(1);
    void client.trunkline.channel('room:b').subscribe();
    const second = await server.next('/sse');
    second.ready({ channels: [entry('room:a', 9, { reason: 'too_many' }), entry('room:b', 0)] });
    say(second, 10);
    await until(() => heard.length === 2);
    expect(heard).toEqual(['too_many 2-9', 10]);
    await until(() => stream.closed);
  });

  it('keeps the stream when the new one is refused, and asks for the new channel later', async () => {
    const stream = await subscribed(0);
    const late = client.trunkline.channel('room:b').subscribe();
    (await server.next('/sse')).problem(503, 'unavailable', { retry: true, retryAfterMs: 3000 });
    say(stream, 1);
    await until(() => heard.length === 1);
    expect(client.trunkline.state).toBe('connected');
    await until(() => client.clock.pending >= 2);
    client.clock.advance(2999);
    expect(server.waiting).toBe(0);
    client.clock.advance(500);
    const again = await server.next('/sse');
    again.ready({ channels: [entry('room:a', 1, { recovered: true }), entry('room:b', 0)] });
    await late;
  });

  it('tells a channel that may not be heard any more', async () => {
    await subscribed(0);
    const out = happens<{ code: string }>('unsubscribed', (resolve) => room.on('unsubscribed', resolve));
    const other = client.trunkline.channel('room:b').subscribe();
    (await server.next('/sse')).problem(403, 'forbidden', { channel: 'room:a' });
    const second = await server.next('/sse');
    expect(second.channels).toEqual(['room:b']);
    second.ready({ channels: [entry('room:b', 0)] });
    await other;
    expect(await out).toMatchObject({ code: 'forbidden' });
  });

  it('leaves a channel at the server, and hands nothing on from the call on', async () => {
    const stream = await subscribed(0);
    const left = room.unsubscribe();
    say(stream, 1);
    const second = await server.next('/sse');
    expect(second.channels).toEqual([]);
    second.ready({});
    await left;
    say(second, 2);
    second.event('event', { event: 'own', data: 1 });
    await happens('event', (resolve) => client.trunkline.on('event', resolve));
    expect(heard).toEqual([]);
  });

  it('keeps a channel that the server joined, asked for by name or joined again', async () => {
    const told: unknown[] = [];
    client.trunkline.on('channel', (channel) => {
      channel.on('message', ({ offset }) => told.push(offset));
      channel.on('gap', ({ reason }) => told.push(reason));
      channel.on('unsubscribed', () => told.push('out'));
    });
    const stream = await subscribed(0);
    stream.event('subscribed', { ...entry('feed:x', 4), messages: [] });
    stream.event('message', message('feed:x', 5));
    await until(() => told.length === 1);
    const other = client.trunkline.channel('room:b').subscribe();
    const second = await server.next('/sse');
    expect(second.channels).toEqual(['room:a', 'feed:x', 'room:b']);
    second.problem(403, 'forbidden', { channel: 'feed:x' });
    const third = await server.next('/sse');
    expect(third.channels).toEqual(['room:a', 'room:b']);
    expect(third.request.headers['last-event-id']).toContain('feed%3Ax!e1.5.m5');
    third.ready({ channels: [entry('room:a', 0, { recovered: true }), entry('room:b', 0)] });
    await other;
    third.event('subscribed', {
      ...entry('feed:x', 6, { recovered: true }),
      messages: [message('feed:x', 6)],
    });
    third.event('message', message('feed:x', 7));
    await until(() => told.length === 3);
    expect(told).toEqual([5, 6, 7]);
  });

  it('does not hand on twice what keeps no history and comes on both streams', async () => {
    const loose = { channel: 'room:a', event: 'say', time: 1 };
    const call = room.subscribe();
    const stream = await server.next('/sse');
    stream.ready({ channels: [entry('room:a', 0, { epoch: 'none', recoverable: false })] });
    await call;
    const other = client.trunkline.channel('room:b').subscribe();
    const second = await server.next('/sse');
    stream.event('message', { ...loose, id: 'x1', data: { n: 1 } });
    await until(() => heard.length === 1);
    expect(second.request.headers['last-event-id']).toBe('1~');
    second.ready({
      channels: [entry('room:a', 0, { epoch: 'none', recoverable: false }), entry('room:b', 0)],
    });
    second.event('message', { ...loose, id: 'x1', data: { n: 1 } });
    second.event('message', { ...loose, id: 'x2', data: { n: 2 } });
    await other;
    await until(() => heard.length === 2);
    expect(heard).toEqual([1, 2]);
  });
});

describe('requests beside the stream', () => {
  it('publish one after another, with key and session, behind a change of channels that came first', async () => {
    await subscribed(0);
    const other = client.trunkline.channel('room:b').subscribe();
    const calls = [
      room.publish('say', { n: 1 }, { idempotencyKey: 'k1' }),
      room.publish('say', { n: 2 }, { idempotencyKey: 'k2', echo: false, key: 'z' }),
    ];
    const second = await server.next('/sse');
    expect(server.waiting).toBe(0);
    second.ready({ session: 's2', channels: [entry('room:a', 0, { recovered: true }), entry('room:b', 0)] });
    await other;
    const first = await server.next('/api/channels/room%3Aa/messages');
    expect(first.body).toEqual({ event: 'say', data: { n: 1 } });
    expect(first.request.headers).toMatchObject({ 'idempotency-key': 'k1', authorization: 'Bearer good' });
    expect(server.waiting).toBe(0);
    first.json({ channel: 'room:a', epoch: 'e1', offset: 1, id: 'm1', duplicate: false }, 201);
    const next = await server.next('/api/channels/room%3Aa/messages');
    expect(next.body).toEqual({ event: 'say', data: { n: 2 }, key: 'z', exceptSession: 's2' });
    next.json({ channel: 'room:a', epoch: 'e1', offset: 2, id: 'm2', duplicate: false }, 201);
    expect((await Promise.all(calls)).map(({ offset }) => offset)).toEqual([1, 2]);
  });

  it('carry refusals of the server and of others as errors', async () => {
    await subscribed(0);
    const answers: readonly [(call: FakeCall) => void, object][] = [
      [(call) => call.problem(413, 'too_large'), { code: 'too_large', retry: false }],
      [
        (call) => call.problem(429, 'rate_limited', { retry: true }, { 'retry-after': '3' }),
        { code: 'rate_limited', retryAfterMs: 3000 },
      ],
      [
        (call) => call.problem(504, 'unknown_outcome', { retry: true }),
        { code: 'unknown_outcome', retry: true },
      ],
      [(call) => call.plain(502), { code: 'unknown_outcome', retry: true }],
      [(call) => call.plain(503), { code: 'unavailable', retry: true }],
      [(call) => call.plain(413), { code: 'too_large', retry: false }],
      [
        (call) => call.plain(429, { 'retry-after': '1' }),
        { code: 'rate_limited', retry: true, retryAfterMs: 1000 },
      ],
    ];
    for (const [answer, error] of answers) {
      const published = room.publish('say', { n: 1 }).catch((thrown: unknown) => thrown);
      answer(await server.next('/api/channels/room%3Aa/messages'));
      expect(await published).toMatchObject(error);
    }
    expect(client.trunkline.state).toBe('connected');
  });

  it('that break end the session; a publish goes again with the same key, a read too', async () => {
    await subscribed(0);
    const published = room.publish('say', { n: 1 }, { idempotencyKey: 'k1' });
    (await server.next('/api/channels/room%3Aa/messages')).cut();
    expect(await inState(client, 'waiting')).toMatchObject({ code: 1006, retryInMs: 750 });
    client.clock.advance(750);
    (await server.next('/sse')).ready({ channels: [entry('room:a', 0, { recovered: true })] });
    const again = await server.next('/api/channels/room%3Aa/messages');
    expect(again.request.headers['idempotency-key']).toBe('k1');
    again.json({ channel: 'room:a', epoch: 'e1', offset: 1, id: 'm1', duplicate: true });
    expect(await published).toMatchObject({ duplicate: true });
  });

  it('ask for history as the server understands it', async () => {
    await subscribed(0);
    const page = room.history({ since: { epoch: 'e1', offset: 3, id: 'm3' }, limit: 5, reverse: true });
    const call = await server.next('/api/channels/room%3Aa/messages');
    expect(Object.fromEntries(call.query)).toEqual({ since: 'e1.3.m3', limit: '5', reverse: 'true' });
    call.json({ channel: 'room:a', epoch: 'e1', offset: 9, id: 'm9', messages: [] });
    expect(await page).toMatchObject({ offset: 9 });
  });
});

describe('the end of a stream', () => {
  const ends: readonly [string, (stream: FakeCall) => void, object][] = [
    ['without a word', (stream) => stream.end(), { state: 'waiting', code: 1006, retryInMs: 750 }],
    ['by a broken connection', (stream) => stream.cut(), { state: 'waiting', code: 1006 }],
    [
      'by a code that asks for backoff',
      (stream) => stream.event('close', { code: 4103, reason: 'slow' }),
      { state: 'waiting', code: 4103, reason: 'slow' },
    ],
    [
      'by a drain',
      (stream) => stream.event('close', { code: 1001, reason: 'drain' }),
      { state: 'waiting', code: 1001, retryInMs: 250 },
    ],
    [
      'for good',
      (stream) => stream.event('close', { code: 4003, reason: 'revoked' }),
      { state: 'closed', code: 4003, reason: 'revoked' },
    ],
    [
      'by text that is none of ours',
      (stream) => stream.response.write('event: message\ndata: {{\n\n'),
      { state: 'waiting', code: 1006 },
    ],
  ];
  it.each(ends)('%s', async (_name, end, change) => {
    const stream = await subscribed(0);
    end(stream);
    await inState(client, (change as { state: 'waiting' }).state);
    expect(client.states.at(-1)).toMatchObject(change);
  });

  it('leads back to what was handed on', async () => {
    const stream = await subscribed(0);
    say(stream, 1, 2);
    await until(() => heard.length === 2);
    stream.end();
    client.clock.advance((await inState(client, 'waiting')).retryInMs ?? 0);
    const second = await server.next('/sse');
    expect(second.request.headers['last-event-id']).toBe('1~room%3Aa!e1.2.m2');
    second.ready({ channels: [entry('room:a', 3, { recovered: true, replayed: 1 })] });
    say(second, 3);
    await until(() => heard.length === 3);
    expect(heard).toEqual([1, 2, 3]);
  });

  it('is moved to the moment a draining server names', async () => {
    const stream = await subscribed(0);
    stream.event('reconnect', { afterMs: 4000, reason: 'drain' });
    stream.event('event', { event: 'own', data: 1 });
    await happens('event', (resolve) => client.trunkline.on('event', resolve));
    client.clock.advance(3999);
    expect(server.waiting).toBe(0);
    client.clock.advance(1);
    (await server.next('/sse')).ready({ channels: [entry('room:a', 0, { recovered: true })] });
    await until(() => stream.closed);
  });

  it('is found after a silence of one heartbeat and a half', async () => {
    await subscribed(0);
    client.clock.advance(22_499);
    expect(client.trunkline.state).toBe('connected');
    client.clock.advance(1);
    expect(client.states.at(-1)).toMatchObject({ state: 'waiting', reason: 'the server is silent' });
  });

  it('is not seen in a silence that comments break', async () => {
    const stream = await subscribed(0);
    for (let beat = 0; beat < 4; beat++) {
      client.clock.advance(15_000);
      stream.comment();
      stream.event('event', { event: 'beat', data: beat });
      await happens('event', (resolve) => client.trunkline.on('event', resolve));
    }
    expect(client.trunkline.state).toBe('connected');
    expect(server.total).toBe(1);
  });
});

describe('answers instead of a stream', () => {
  const answers: readonly [string, (call: FakeCall) => void, object][] = [
    ['204 stops', (call) => call.plain(204), { state: 'closed', code: 1000 }],
    ['403 of the server stops', (call) => call.problem(403, 'forbidden'), { state: 'closed', code: 1008 }],
    ['403 of a proxy does not', (call) => call.plain(403), { state: 'waiting', code: 1006 }],
    [
      '429 waits as long as it says',
      (call) => call.problem(429, 'rate_limited', {}, { 'retry-after': '9' }),
      { state: 'waiting', code: 1013, retryInMs: 9250 },
    ],
    [
      '503 waits as long as it says',
      (call) => call.problem(503, 'unavailable', { retryAfterMs: 5000 }),
      { state: 'waiting', code: 1013, retryInMs: 5250 },
    ],
    ['502 of a proxy backs off', (call) => call.plain(502), { state: 'waiting', code: 1006, retryInMs: 750 }],
    [
      'a page of a proxy backs off',
      (call) => call.plain(200),
      { state: 'waiting', code: 1006, retryInMs: 750 },
    ],
  ];
  it.each(answers)('%s', async (_name, answer, change) => {
    void room.subscribe().catch(() => {});
    answer(await server.next('/sse'));
    await inState(client, (change as { state: 'waiting' }).state);
    expect(client.states.at(-1)).toMatchObject(change);
    expect(server.total).toBe(1);
  });

  it('401 asks for a new token at once, once, and then stops', async () => {
    let asked = 0;
    use({ token: () => `t${++asked}` });
    const call = room.subscribe().catch((error: unknown) => error);
    (await server.next('/sse')).problem(401, 'expired');
    const second = await server.next('/sse');
    expect(second.request.headers['authorization']).toBe('Bearer t2');
    second.problem(401, 'unauthenticated');
    expect(await inState(client, 'closed')).toMatchObject({ code: 4002 });
    expect(await call).toMatchObject({ code: 'closed' });
  });

  it('401 in a session asks for a new token, and the publish goes again', async () => {
    let asked = 0;
    use({ token: () => `t${++asked}` });
    await subscribed(0);
    const published = room.publish('say', { n: 1 });
    (await server.next('/api/channels/room%3Aa/messages')).problem(401, 'expired');
    const second = await server.next('/sse');
    expect(second.request.headers['authorization']).toBe('Bearer t2');
    second.ready({ channels: [entry('room:a', 0, { recovered: true })] });
    (await server.next('/api/channels/room%3Aa/messages')).json(entry('room:a', 1), 201);
    expect(await published).toMatchObject({ offset: 1 });
  });
});

describe('the token', () => {
  it('is renewed by a new stream when the server says that it ends', async () => {
    let asked = 0;
    use({ token: () => `t${++asked}` });
    const stream = await subscribed(0);
    stream.event('expiring', { expiresAt: 1 });
    const second = await server.next('/sse');
    expect(second.request.headers['authorization']).toBe('Bearer t2');
    expect(stream.closed).toBe(false);
    second.ready({ channels: [entry('room:a', 0, { recovered: true })] });
    await until(() => stream.closed);
    const read = room.presence();
    const call = await server.next('/api/channels/room%3Aa/members');
    expect(call.request.headers['authorization']).toBe('Bearer t2');
    call.json({ channel: 'room:a', members: [] });
    expect(await read).toEqual([]);
    expect(client.errors).toEqual([]);
  });
});
