// Who a session is, by each way a credential can come; and that no credential comes back.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { TEST_API_KEY, signToken } from '../support/server.js';
import { disposeClients, refused, type ConnectOptions } from '../support/ws-client.js';

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({
    rules: [
      { channel: 'auth:{name}' },
      { channel: 'open:{name}', subscribe: 'anyone', publish: 'backend' },
      { channel: 'inner:{name}', subscribe: 'backend', publish: 'backend' },
    ],
  });
});
afterEach(disposeClients);
afterAll(() => server.close());

const WAYS: Readonly<Record<string, (token: string) => ConnectOptions>> = {
  'the Authorization header': (token) => ({ headers: { authorization: `Bearer ${token}` } }),
  'the cookie': (token) => ({
    headers: { cookie: `theme=dark; trunkline_token=${token}`, origin: `http://127.0.0.1:${server.port}` },
  }),
  'a subprotocol': (token) => ({ protocols: ['trunkline.v1', `bearer.${token}`] }),
};

describe.each(Object.keys(WAYS))('a token in %s', (way) => {
  const options = (token: string): ConnectOptions => WAYS[way]?.(token) ?? {};

  it('says who the session is from the first frame on', async () => {
    const client = await server.join(undefined, options(server.token('ana')));
    expect((await client.next('welcome')).data['user']).toBe('ana');
    await client.subscribe('auth:a');
  });

  it('is not echoed as the chosen subprotocol', async () => {
    const client = await server.join(undefined, options(server.token('ana')));
    expect(client.socket.protocol).toBe('trunkline.v1');
  });

  it.each([
    [
      'of another secret',
      'unauthenticated',
      () => signToken({ sub: 'ana' }, 'another-secret-that-is-long-enough-0123'),
    ],
    ['that has ended', 'expired', () => signToken({ sub: 'ana', exp: Math.floor(Date.now() / 1000) - 60 })],
    ['without a user', 'unauthenticated', () => signToken({})],
  ])('%s is refused 401 before the upgrade', async (_what, code, token) => {
    const refusal = await refused(server.wsUrl, options(token()));
    expect([refusal.status, refusal.code]).toEqual([401, code]);
    expect(refusal.headers['content-type']).toBe('application/problem+json');
    expect(refusal.body).not.toContain(token());
  });
});

describe('without a credential', () => {
  it('a client is a stranger who may ping, and logs in by its first frame', async () => {
    const client = await server.join(undefined);
    expect((await client.next('welcome')).data).not.toHaveProperty('user');
    await client.settled();
    expect(await client.refusal('subscribe', { channel: 'auth:a' })).toBe('unauthenticated');
    const reply = await client.ok('authenticate', { token: server.token('ana') });
    expect(reply).toMatchObject({ user: 'ana', expiresAt: expect.any(Number) as number });
    await client.subscribe('auth:a');
    expect(server.realtime.sessions('ana')).toHaveLength(1);
  });

  it('a stranger may do what the rules let anyone do, and no more', async () => {
    const client = await server.join(undefined);
    await client.subscribe('open:news');
    await server.realtime.publish('open:news', 'tick', 1);
    expect((await client.next('message')).data.data).toBe(1);
    expect(await client.refusal('publish', { channel: 'open:news', event: 'tick', data: 2 })).toBe(
      'unauthenticated',
    );
  });
});

describe('an API key', () => {
  it('is the backend: every right and no user', async () => {
    const client = await server.join(undefined, { token: TEST_API_KEY });
    expect((await client.next('welcome')).data).not.toHaveProperty('user');
    await client.subscribe('inner:jobs');
    await client.publish('inner:jobs', 1);
    expect((await client.next('message')).data).not.toHaveProperty('from');
  });
});
