// Each close code of the table is reached for its reason, and a client that is told an error keeps its connection.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CLOSE, closeAdvice } from '../../src/protocol/codes.js';
import { rulesFile, startE2e, startPatched, type E2eServer } from '../support/e2e-server.js';
import { signToken } from '../support/server.js';
import { until } from '../support/wait.js';
import { connect, disposeClients } from '../support/ws-client.js';

const STRANGER_MS = 600;

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({
    rules: [
      { channel: 'codes:{name}', history: { size: 10, ttl: '1m' } },
      { channel: 'open:{name}', subscribe: 'anyone' },
    ],
  });
});
afterEach(disposeClients);
afterAll(() => server.close());

describe('4001 authentication required', () => {
  it('ends a stranger who neither logs in nor subscribes in time, and no other', async () => {
    const short = await startPatched((config) => ({
      ...config,
      core: { ...config.core, strangerMs: STRANGER_MS },
    }));
    try {
      const [idle, user, late] = await Promise.all([
        connect(short.wsUrl),
        connect(short.wsUrl, { token: short.token('ana') }),
        connect(short.wsUrl),
      ]);
      const start = performance.now();
      await late.ok('authenticate', { token: short.token('ben') });
      expect(await idle.closed).toEqual({ code: 4001, reason: 'authentication required' });
      expect(performance.now() - start).toBeGreaterThan(STRANGER_MS - 250);
      await Promise.all([user.settled(), late.settled()]);
    } finally {
      await short.close();
    }
  });

  it('spares a stranger who listens to a channel that is open to anyone', async () => {
    const rules = rulesFile([{ channel: 'open:{name}', subscribe: 'anyone' }]);
    const short = await startPatched(
      (config) => ({ ...config, core: { ...config.core, strangerMs: STRANGER_MS } }),
      { TRUNKLINE_CHANNELS_FILE: rules.path },
    );
    try {
      const [listener, idle] = await Promise.all([connect(short.wsUrl), connect(short.wsUrl)]);
      await listener.subscribe('open:news');
      expect((await idle.closed).code).toBe(4001);
      await listener.settled();
      await listener.ok('unsubscribe', { channel: 'open:news' });
      expect((await listener.closed).code, 'once it listens no more').toBe(4001);
    } finally {
      await short.close();
      rules.remove();
    }
  });
});

describe('4002 invalid token', () => {
  it.each([
    [
      'signed with another secret',
      () => signToken({ sub: 'ana' }, 'another-secret-that-is-long-enough-0123'),
    ],
    ['that has ended', () => signToken({ sub: 'ana', exp: Math.floor(Date.now() / 1000) - 60 })],
    ['that is no token', () => 'abc'],
  ])('ends a stranger with a token %s', async (_what, token) => {
    const client = await server.join(undefined);
    client.send({ event: 'authenticate', id: 1, data: { token: token() } });
    expect(await client.closed).toEqual({ code: 4002, reason: 'invalid token' });
  });

  it('does not end a live session, which keeps its own token', async () => {
    const client = await server.join('ana');
    expect(await client.refusal('authenticate', { token: 'abc' })).toBe('unauthenticated');
    await client.subscribe('codes:a');
  });
});

describe('4003 revoked', () => {
  it('ends every session of the user whom the application disconnects', async () => {
    const [first, second, other] = await Promise.all([
      server.join('ana'),
      server.join('ana'),
      server.join('ben'),
    ]);
    await server.realtime.disconnect('ana');
    expect(await Promise.all([first.closed, second.closed])).toEqual([
      { code: 4003, reason: 'revoked' },
      { code: 4003, reason: 'revoked' },
    ]);
    await other.settled();
    expect(server.realtime.sessions('ana')).toEqual([]);
  });

  it('ends them by REST as well', async () => {
    const client = await server.join('cleo');
    expect((await server.api('DELETE', '/users/cleo/sessions')).status).toBeLessThan(300);
    expect((await client.closed).code).toBe(4003);
  });

  it('may be another code, as the application wishes', async () => {
    const client = await server.join('ana');
    await server.realtime.disconnect('ana', CLOSE.moved);
    expect(await client.closed).toEqual({ code: 4202, reason: 'moved' });
  });
});

describe('4004 protocol violation', () => {
  it('ends a session after ten malformed frames in a row, each of them answered', async () => {
    const client = await server.join('ana');
    for (let n = 0; n < 10; n++) client.sendText('not JSON');
    expect(await client.closed).toEqual({ code: 4004, reason: 'protocol violation' });
    const answers = client.frames.filter(({ event }) => event === 'error').map(({ data }) => data.code);
    expect(answers).toEqual(Array.from({ length: 10 }, () => 'invalid_frame'));
  });

  it('counts binary frames, and begins anew after a good frame', async () => {
    const client = await server.join('ana');
    for (let n = 0; n < 9; n++) client.socket.send(Buffer.from([1, 2, 3]));
    await client.settled();
    for (let n = 0; n < 9; n++) client.sendText('{');
    await client.settled();
    client.sendText('{');
    await client.settled();
  });
});

describe('4101 rate limited', () => {
  it('ends a session that goes on after 200 refusals in a row', async () => {
    const strict = await startE2e({ env: { TRUNKLINE_MESSAGE_RATE: '5/1h' } });
    try {
      const client = await strict.join('ana');
      for (let n = 0; n < 10 + 200; n++) client.send({ event: 'ping', id: n, data: {} });
      expect(await client.closed).toEqual({ code: 4101, reason: 'rate limited' });
      const codes = client.frames.slice(1).map(({ event, data }) => (event === 'ok' ? 'ok' : data.code));
      expect(codes.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 'ok'));
      expect(new Set(codes.slice(10))).toEqual(new Set(['rate_limited']));
      expect(client.frames.at(-1)?.data).toMatchObject({
        retry: true,
        retryAfterMs: expect.any(Number) as number,
      });
    } finally {
      await strict.close();
    }
  });
});

describe('4102 too many connections', () => {
  it('ends a stranger who logs in as a user at the cap; the user stays', async () => {
    const capped = await startE2e({ env: { TRUNKLINE_MAX_SESSIONS_PER_USER: '2' } });
    try {
      const own = await Promise.all([capped.join('ana'), capped.join('ana')]);
      const stranger = await capped.join(undefined);
      stranger.send({ event: 'authenticate', id: 1, data: { token: capped.token('ana') } });
      expect(await stranger.closed).toEqual({ code: 4102, reason: 'too many connections' });
      await Promise.all(own.map((client) => client.settled()));
    } finally {
      await capped.close();
    }
  });
});

describe('1009 message too big', () => {
  it('ends a session whose message is over the bound', async () => {
    const client = await server.join('ana');
    client.sendText(JSON.stringify({ event: 'ping', data: { fill: 'x'.repeat(70_000) } }));
    expect((await client.closed).code).toBe(1009);
  });
});

describe('1000 normal', () => {
  it('is what a client gets back that says goodbye, and its session is gone', async () => {
    const client = await server.join('leaver');
    expect(server.realtime.sessions('leaver')).toHaveLength(1);
    expect((await client.close(1000)).code).toBe(1000);
    await until(() => server.realtime.sessions('leaver').length === 0, 'the session to end');
  });
});

describe('the table of codes', () => {
  it('tells by its range alone what a client does', () => {
    for (const { code, reason } of Object.values(CLOSE)) {
      const advice = closeAdvice(code);
      if (code >= 4200) expect([reason, advice]).toEqual([reason, 'refresh']);
      else if (code >= 4100) expect([reason, advice]).toEqual([reason, 'backoff']);
      else if (code >= 4000) expect([reason, advice]).toEqual([reason, 'stop']);
    }
    for (const code of [1001, 1006, 1011, 1012, 1013]) expect(closeAdvice(code)).toBe('backoff');
  });
});
