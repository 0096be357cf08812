// Who may open `/ws` and with what: origins, credentials, strangers, caps. Knows nothing of how a token is checked.

import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  openSession,
  RawSocket,
  startSuiteServer,
  type RequestOptions,
  type SuiteServer,
} from '../support/raw-socket.js';
import { TEST_SECRET } from '../support/server.js';

const RULES = [
  { channel: 'open:{name}', subscribe: 'anyone', publish: 'anyone', history: { size: 10, ttl: '1m' } },
  {
    channel: 'members:{name}',
    subscribe: 'authenticated',
    publish: 'authenticated',
    history: { size: 10, ttl: '1m' },
  },
];

async function statusOf(server: SuiteServer, options: RequestOptions): Promise<number> {
  const raw = await RawSocket.open(server.port);
  const reply = await raw.upgrade(options);
  if (reply.status !== 101) {
    expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    await raw.waitForClose();
  }
  return reply.status;
}

describe('the origin, when a list is set', () => {
  const ALLOWED = 'https://example.com,http://localhost:5173,https://xn--bcher-kva.example';
  let server: SuiteServer;
  beforeAll(async () => {
    server = await startSuiteServer(RULES, { TRUNKLINE_ALLOWED_ORIGINS: ALLOWED });
  });
  afterEach(async () => server.settle());
  afterAll(async () => server.finish());

  it.each([
    ['https://example.com', 101],
    ['http://localhost:5173', 101],
    ['https://xn--bcher-kva.example', 101],
    ['http://example.com', 403],
    ['https://example.com:444', 403],
    // The same origin, but not as a browser writes it (RFC 6454 §6.2): so no page sent it.
    ['https://example.com:443', 403],
    ['https://EXAMPLE.com', 403],
    ['https://example.com.evil.com', 403],
    ['https://evil.com', 403],
    ['https://notexample.com', 403],
    ['https://sub.example.com', 403],
    ['https://example.com.', 403],
    ['https://example.com@evil.com', 403],
    ['https://evil.com/https://example.com', 403],
    ['https://xn--xample-2of.com', 403],
    ['https://example.com, https://example.com', 403],
    ['http://localhost', 403],
    ['http://localhost:51730', 403],
    ['http://127.0.0.1:5173', 403],
    ['wss://example.com', 403],
    ['file://', 403],
    ['null', 403],
    ['undefined', 403],
    ['*', 403],
    ['example.com', 403],
    ['', 403],
    ['__proto__', 403],
  ])('"%s" gets %i', async (origin, status) => {
    expect(await statusOf(server, { headers: { Origin: origin } })).toBe(status);
  });

  it('an evil origin after a good one gets 403', async () => {
    expect(await statusOf(server, { headers: { Origin: ['https://example.com', 'https://evil.com'] } })).toBe(
      403,
    );
  });

  it('no origin gets 101, as from a program', async () => {
    expect(await statusOf(server, {})).toBe(101);
  });

  it.each([
    ['a good origin', 'https://example.com', 101],
    ['another origin', 'https://evil.com', 403],
    ['no origin', undefined, 403],
  ])('a cookie with %s gets the status of its rule', async (_name, origin, status) => {
    const headers = { Origin: origin, Cookie: `trunkline_token=${server.token('ana')}` };
    expect(await statusOf(server, { headers })).toBe(status);
  });
});

describe('the origin, when no list is set', () => {
  let server: SuiteServer;
  beforeAll(async () => {
    server = await startSuiteServer(RULES);
  });
  afterEach(async () => server.settle());
  afterAll(async () => server.finish());

  it.each([
    ['http://127.0.0.1:PORT', 101],
    ['https://evil.com', 403],
    ['http://127.0.0.1:1', 403],
    ['http://127.0.0.1', 403],
    ['null', 403],
  ])('"%s" gets %i: only the same origin may', async (origin, status) => {
    const headers = { Origin: origin.replace('PORT', String(server.port)) };
    expect(await statusOf(server, { headers })).toBe(status);
  });
});

describe('a credential', () => {
  let server: SuiteServer;
  beforeAll(async () => {
    server = await startSuiteServer(RULES, { TRUNKLINE_STRANGER_FRAME_BYTES: '0' });
  });
  afterEach(async () => server.settle());
  afterAll(async () => server.finish());

  const inHour = Math.floor(Date.now() / 1000) + 3600;
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  function sign(header: object, claims: object, secret = TEST_SECRET): string {
    const body = `${encode(header)}.${encode(claims)}`;
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
  }
  const HS256 = { alg: 'HS256', typ: 'JWT' };
  const good = sign(HS256, { sub: 'ana', exp: inHour });
  const BAD: Readonly<Record<string, string>> = {
    garbage: 'garbage',
    'three empty parts': '..',
    'another secret': sign(HS256, { sub: 'ana', exp: inHour }, 'another-secret-of-the-same-length-000000'),
    'a cut signature': good.slice(0, -4),
    'no signature': good.slice(0, good.lastIndexOf('.') + 1),
    'claims of another token': good.replace(/\.[^.]+\./, `.${encode({ sub: 'root', exp: inHour })}.`),
    'alg none': `${encode({ alg: 'none' })}.${encode({ sub: 'ana', exp: inHour })}.`,
    'alg nOnE and a signature': sign({ alg: 'nOnE' }, { sub: 'ana', exp: inHour }),
    'alg HS512 over an HS256 signature': sign({ alg: 'HS512' }, { sub: 'ana', exp: inHour }),
    'an empty alg': sign({ alg: '' }, { sub: 'ana', exp: inHour }),
    'an unknown crit': sign({ ...HS256, crit: ['x'], x: 1 }, { sub: 'ana', exp: inHour }),
    'no exp': sign(HS256, { sub: 'ana' }),
    'exp in the past': sign(HS256, { sub: 'ana', exp: inHour - 7200 }),
    'exp as a string': sign(HS256, { sub: 'ana', exp: String(inHour) }),
    'nbf in the future': sign(HS256, { sub: 'ana', exp: inHour, nbf: inHour - 60 }),
    'no sub': sign(HS256, { exp: inHour }),
    'an empty sub': sign(HS256, { sub: '', exp: inHour }),
    'sub as a number': sign(HS256, { sub: 1, exp: inHour }),
    'sub as an object': sign(HS256, { sub: { a: 1 }, exp: inHour }),
    'a sub with a line feed': sign(HS256, { sub: 'a\nb', exp: inHour }),
    'claims that are an array': sign(HS256, [{ sub: 'ana', exp: inHour }]),
    'more than 8 KiB': sign(HS256, { sub: 'ana', exp: inHour, pad: 'a'.repeat(8192) }),
  };
  type Place = (token: string) => Record<string, string>;
  const PLACES: Readonly<Record<string, Place>> = {
    'the header': (token) => ({ Authorization: `Bearer ${token}` }),
    'the cookie': (token) => ({
      Cookie: `trunkline_token=${token}`,
      Origin: `http://127.0.0.1:${server.port}`,
    }),
    'the subprotocol': (token) => ({ 'Sec-WebSocket-Protocol': `trunkline.v1, bearer.${token}` }),
  };

  it.each(Object.entries(PLACES))('in %s opens the session of its user', async (_name, place) => {
    const raw = await RawSocket.open(server.port);
    expect((await raw.upgrade({ headers: place(good) })).status).toBe(101);
    expect((await raw.next()).data['user']).toBe('ana');
  });

  it.each(Object.keys(BAD).filter((name) => name !== 'more than 8 KiB'))(
    'with %s in the header gets 401',
    async (name) => {
      const raw = await RawSocket.open(server.port);
      const reply = await raw.upgrade({ headers: { Authorization: `Bearer ${BAD[name]}` } });
      expect(reply.status).toBe(401);
      expect(JSON.parse(reply.body)).toMatchObject({
        status: 401,
        code: expect.stringMatching(/^(unauthenticated|expired)$/) as unknown,
      });
      expect(reply.body).not.toContain(BAD[name]);
      await raw.waitForClose();
    },
  );

  it.each(
    ['the cookie', 'the subprotocol'].flatMap((place) =>
      ['garbage', 'another secret', 'exp in the past'].map((bad) => [bad, place] as const),
    ),
  )('with %s in %s gets 401', async (bad, place) => {
    expect(await statusOf(server, { headers: (PLACES[place] as Place)(BAD[bad] as string) })).toBe(401);
  });

  it('of more than 8 KiB is refused by size or by content', async () => {
    const raw = await RawSocket.open(server.port);
    const reply = await raw.upgrade({ headers: { Authorization: `Bearer ${BAD['more than 8 KiB']}` } });
    expect([401, 431]).toContain(reply.status);
    await raw.waitForClose();
  });

  it('that is bad is not made good by a good one in a later place', async () => {
    const headers = { ...(PLACES['the cookie'] as Place)(good), Authorization: 'Bearer garbage' };
    expect(await statusOf(server, { headers })).toBe(401);
  });

  it('in ?token= counts for nothing while query tokens are off', async () => {
    const raw = await RawSocket.open(server.port);
    const reply = await raw.upgrade({ path: `/ws?token=${good}` });
    expect([101, 400, 401]).toContain(reply.status);
    if (reply.status === 101) expect((await raw.next()).data).not.toHaveProperty('user');
  });

  it.each(Object.keys(BAD))('with %s in the first frame closes 4002', async (name) => {
    const raw = await openSession(server.port);
    raw.send({ event: 'authenticate', id: 1, data: { token: BAD[name] } });
    if (name === 'more than 8 KiB') expect((await raw.reply(1)).data['code']).toBe('invalid_data');
    else expect(await raw.waitForClose()).toMatchObject({ code: 4002, reason: 'invalid token' });
  });

  it('in the first frame makes a stranger a user', async () => {
    const raw = await openSession(server.port);
    expect((await raw.request('subscribe', { channel: 'members:a' })).data['code']).toBe('unauthenticated');
    expect((await raw.request('authenticate', { token: good })).data).toMatchObject({ user: 'ana' });
    expect((await raw.request('subscribe', { channel: 'members:a' })).event).toBe('ok');
  });

  it('of another user does not change whose session it is', async () => {
    const raw = await openSession(server.port, { token: good });
    raw.send({ event: 'authenticate', id: 1, data: { token: sign(HS256, { sub: 'ben', exp: inHour }) } });
    const answer = await Promise.race([raw.reply(1).catch(() => undefined), raw.waitForClose()]);
    expect(answer).not.toMatchObject({ event: 'ok' });
  });

  it('that is bad does not refresh a live session, which keeps the one it has', async () => {
    const raw = await openSession(server.port, { token: good });
    expect((await raw.request('authenticate', { token: 'garbage' })).data['code']).toBe('unauthenticated');
    expect((await raw.request('subscribe', { channel: 'members:a' })).event).toBe('ok');
  });

  describe('that is missing', () => {
    it.each([
      ['ping', {}],
      ['subscribe', { channel: 'open:a' }],
      ['publish', { channel: 'open:a', event: 'e', data: 1 }],
    ])('lets a stranger %s where anyone may', async (event, data) => {
      const raw = await openSession(server.port);
      expect((await raw.request(event, data)).event).toBe('ok');
    });

    it.each([
      ['subscribe', { channel: 'members:a' }],
      ['publish', { channel: 'members:a', event: 'e', data: 1 }],
      ['history', { channel: 'members:a' }],
      ['subscribe', { channel: 'chat:lobby' }],
      ['publish', { channel: 'chat:lobby', event: 'message', data: { text: 'x' } }],
      ['presence', { channel: 'chat:lobby' }],
      ['history', { channel: 'chat:lobby' }],
    ])('answers %s %j with unauthenticated', async (event, data) => {
      const raw = await openSession(server.port);
      expect(await raw.request(event, data)).toMatchObject({
        event: 'error',
        data: { code: 'unauthenticated', retry: false },
      });
    });
  });
});

describe('caps', () => {
  let server: SuiteServer;
  beforeAll(async () => {
    server = await startSuiteServer(RULES, {
      TRUNKLINE_MAX_SESSIONS: '4',
      TRUNKLINE_MAX_SESSIONS_PER_USER: '2',
      TRUNKLINE_MAX_CHANNELS_PER_SESSION: '3',
      TRUNKLINE_MAX_MESSAGE_BYTES: '1024',
    });
  });
  afterEach(async () => server.settle());
  afterAll(async () => server.finish());

  it('the third session of a user gets 429, and a place once one has left', async () => {
    const token = server.token('ana');
    const first = await openSession(server.port, { token });
    await openSession(server.port, { token });
    expect(await statusOf(server, { headers: { Authorization: `Bearer ${token}` } })).toBe(429);
    first.dispose();
    await expect.poll(() => server.stats().sessions, { timeout: 5000 }).toBe(1);
    await openSession(server.port, { token });
  });

  it('a stranger who logs in as a user at the cap is closed 4102', async () => {
    const token = server.token('ana');
    await openSession(server.port, { token });
    await openSession(server.port, { token });
    const stranger = await openSession(server.port);
    stranger.send({ event: 'authenticate', id: 1, data: { token } });
    expect((await stranger.waitForClose()).code).toBe(4102);
  });

  it('the fifth session of all gets 503', async () => {
    for (let i = 0; i < 4; i++) await openSession(server.port);
    expect(await statusOf(server, {})).toBe(503);
  });

  it('the fourth channel of a session gets limit_exceeded, and a place after an unsubscribe', async () => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    for (const name of ['a', 'b', 'c']) await raw.request('subscribe', { channel: `open:${name}` });
    expect((await raw.request('subscribe', { channel: 'open:d' })).data['code']).toBe('limit_exceeded');
    await raw.request('unsubscribe', { channel: 'open:a' });
    expect((await raw.request('subscribe', { channel: 'open:d' })).event).toBe('ok');
  });

  it.each([
    [1024, 'ok'],
    [1025, 'close 1009'],
  ])('a message of %i bytes under a bound of 1024 gets %s', async (size, answer) => {
    const raw = await openSession(server.port, { token: server.token('ana') });
    const frame = '{"event":"ping","id":1,"data":{"pad":""}}';
    raw.send(frame.replace('""', `"${'a'.repeat(size - frame.length)}"`));
    if (answer === 'ok') expect((await raw.reply(1)).event).toBe('ok');
    else expect((await raw.waitForClose()).code).toBe(1009);
  });
});
