// Revoking tokens over REST: who may, what is taken and refused, and what becomes of logins and refreshes by such tokens.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient, type Answer } from '../support/api-client.js';
import { startE2e, startPatched, type E2eServer } from '../support/e2e-server.js';
import { signToken, TEST_API_KEY } from '../support/server.js';
import { connect, disposeClients, refused } from '../support/ws-client.js';

const DAYS_30 = 30 * 86_400_000;
let server: E2eServer;
let backend: ApiClient;
let users = 0;
const newUser = (): string => `user-${++users}`;
const second = (): number => Math.floor(Date.now() / 1000);
const path = (user: string): string => `/api/users/${encodeURIComponent(user)}/revocations`;
/** As `fetch` sends a POST that has no body at all. */
const revoke = (user: string): Promise<Answer> => backend.send('POST', path(user), {});

beforeAll(async () => {
  server = await startE2e({ rules: [{ channel: 'room:{name}', history: { size: 10, ttl: '1m' } }] });
  backend = new ApiClient(server.url, TEST_API_KEY);
});
afterEach(disposeClients);
afterAll(() => server.close());

describe('POST /api/users/{user}/revocations', () => {
  it('without a body tells what is refused, and until when', async () => {
    const user = newUser();
    const from = Date.now();
    for (const answer of [await revoke(user), await backend.post(path(user), {})]) {
      expect(answer.status).toBe(201);
      const { before, until, ...rest } = answer.json<{ user: string; before: number; until: number }>();
      expect(rest).toEqual({ user });
      expect(before).toBeGreaterThanOrEqual(Math.floor(from / 1000));
      expect(before).toBeLessThanOrEqual(second());
      expect(until).toBeGreaterThanOrEqual(from + DAYS_30);
      expect(until).toBeLessThanOrEqual(Date.now() + DAYS_30);
    }
  });

  it('takes a moment: what was issued later stays good', async () => {
    const user = newUser();
    const now = second();
    const [old, young] = await Promise.all([
      server.join(user, { claims: { iat: now - 100 } }),
      server.join(user, { claims: { iat: now - 99 } }),
    ]);
    const answer = await backend.post(path(user), { before: now - 100 });
    expect(answer.json()).toMatchObject({ user, before: now - 100 });
    expect((await old.closed).code).toBe(4003);
    await young.settled();
    expect(young.isOpen).toBe(true);
    const ways = [now - 100, now - 99].map((iat) => server.token(user, { iat }));
    expect((await refused(server.wsUrl, { token: ways[0] })).status).toBe(401);
    await connect(server.wsUrl, { token: ways[1] });
  });

  it('takes the id of one token: the others of the user stay good', async () => {
    const user = newUser();
    const [lost, kept] = await Promise.all([
      server.join(user, { claims: { jti: 'lost-phone' } }),
      server.join(user, { claims: { jti: 'desk' } }),
    ]);
    const answer = await backend.post(path(user), { tokenId: 'lost-phone' });
    expect([answer.status, Object.keys(answer.json())]).toEqual([201, ['user', 'tokenId', 'until']]);
    expect((await lost.closed).code).toBe(4003);
    await kept.settled();
    expect(kept.isOpen).toBe(true);
    expect((await refused(server.wsUrl, { token: server.token(user, { jti: 'lost-phone' }) })).status).toBe(
      401,
    );
    await server.join(user);
    await server.join(newUser(), { claims: { jti: 'lost-phone' } });
  });

  it.each([
    ['{"before":"now"}', 'before'],
    ['{"before":1.5}', 'before'],
    ['{"before":-1}', 'before'],
    ['{"before":1e99}', 'before'],
    ['{"before":99999999999}', 'before'],
    ['{"before":true}', 'before'],
    ['{"tokenId":""}', 'tokenId'],
    ['{"tokenId":7}', 'tokenId'],
    ['{"tokenId":"a\\"b"}', 'tokenId'],
    ['{"tokenId":{"$ne":1}}', 'tokenId'],
    ['{"before":1,"tokenId":"x"}', 'before'],
    ['[]', undefined],
    ['7', undefined],
    ['{', undefined],
  ])('refuses %s with 400, and revokes nothing', async (body, place) => {
    const user = newUser();
    const answer = await backend.post(path(user), body);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
    const problem = answer.json<{ code: string; details?: readonly { path: string }[] }>();
    expect(problem.code).toBe('invalid_data');
    expect(problem.details?.[0]?.path).toBe(place);
    await server.join(user);
  });

  it('refuses a body of another type, and a user id that is none', async () => {
    const other = { body: 'before=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } };
    expect((await backend.send('POST', path(newUser()), other)).status).toBe(415);
    expect((await revoke('a"b')).status).toBe(400);
    expect((await revoke('x'.repeat(129))).status).toBe(400);
    for (const odd of ['__proto__', 'iris/ö', 'constructor']) {
      const token = server.token(odd);
      expect((await revoke(odd)).json()).toMatchObject({ user: odd });
      expect((await refused(server.wsUrl, { token })).status).toBe(401);
    }
  });

  it('is for backends', async () => {
    const user = newUser();
    const answers = await Promise.all(
      [undefined, server.token(user), server.token('admin'), 'wrong-key-0123456789'].map((credential) =>
        backend.as(credential).post(path(user), {}),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([401, 403, 403, 401]);
    await server.join(user);
  });

  it('answers 429 when no more can be remembered, and goes on refusing those that are', async () => {
    const full = await startPatched(
      (config) => ({ ...config, core: { ...config.core, maxRevocations: 1 } }),
      { TRUNKLINE_API_KEYS: TEST_API_KEY },
    );
    try {
      const caller = new ApiClient(full.wsUrl.replace(/^ws(.*)\/ws$/, 'http$1'), TEST_API_KEY);
      // Issued before: one of the second after would be good again.
      const token = full.token('ana');
      const statuses: number[] = [];
      for (const user of ['ana', 'ben', 'ana']) statuses.push((await caller.post(path(user), {})).status);
      expect(statuses).toEqual([201, 429, 201]);
      expect((await caller.post(path('ben'), {})).json()['code']).toBe('limit_exceeded');
      expect((await refused(full.wsUrl, { token })).status).toBe(401);
      await connect(full.wsUrl, { token: full.token('ben') });
    } finally {
      await full.close();
    }
  });
});

describe('a revoked token', () => {
  it('is refused in the words of any other bad credential', async () => {
    const user = newUser();
    const old = server.token(user);
    await revoke(user);
    const bad = signToken({ sub: user }, 'another-secret-that-is-long-enough-0123');
    const [revoked, forged] = await Promise.all(
      [old, bad].map(async (token) => (await refused(server.wsUrl, { token })).body),
    );
    expect(revoked).toBe(forged);
    const calls = await Promise.all([old, bad].map((token) => backend.as(token).get('/api/sessions?user=x')));
    expect(calls.map(({ status }) => status)).toEqual([401, 401]);
    expect(calls[0]?.text).toBe(calls[1]?.text);
  });

  it('closes a stranger who brings it with 4002, as any bad token does', async () => {
    const user = newUser();
    const token = server.token(user);
    await revoke(user);
    const stranger = await server.join(undefined);
    stranger.send({ event: 'authenticate', id: 1, data: { token } });
    expect((await stranger.closed).code).toBe(4002);
  });

  it('refreshes no session, which goes on by the token it has', async () => {
    const user = newUser();
    const client = await server.join(user, { claims: { jti: 'first' } });
    await backend.post(path(user), { tokenId: 'second' });
    expect(await client.refusal('authenticate', { token: server.token(user, { jti: 'second' }) })).toBe(
      'unauthenticated',
    );
    await client.subscribe('room:a');
    expect(client.isOpen).toBe(true);
  });

  it('without `iat` is refused while its user has a revocation', async () => {
    const user = newUser();
    const token = server.token(user, { iat: undefined });
    await connect(server.wsUrl, { token });
    await revoke(user);
    expect((await refused(server.wsUrl, { token })).status).toBe(401);
  });

  it('is of the past a second later: a new login works', async () => {
    const user = newUser();
    const { before } = (await revoke(user)).json<{ before: number }>();
    expect((await refused(server.wsUrl, { token: server.token(user, { iat: before }) })).status).toBe(401);
    await connect(server.wsUrl, { token: server.token(user, { iat: before + 1 }) });
  });

  it('can be made by the application, and the closes are counted', async () => {
    const user = newUser();
    const metric = async (name: string): Promise<number> => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      return Number(new RegExp(`^trunkline_${name} (\\d+)$`, 'm').exec(text)?.[1]);
    };
    const [sessions, live] = [await metric('revoked_sessions_total'), await metric('revocations')];
    const clients = await Promise.all([server.join(user), server.join(user)]);
    const kept = await server.realtime.revoke(user);
    expect(kept).toMatchObject({ user, tokenId: undefined });
    for (const client of clients) expect((await client.closed).code).toBe(4003);
    expect(await metric('revoked_sessions_total')).toBe(sessions + 2);
    expect(await metric('revocations')).toBe(live + 1);
    await expect(server.realtime.revoke(user, { before: -1 })).rejects.toMatchObject({
      code: 'invalid_data',
    });
  });
});
