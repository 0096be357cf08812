// Tokens signed with a key we only know the public half of, on every way in: who passes, who is refused, and what a provider that is away costs.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { FakeIdentityProvider } from '../support/fake-identity-provider.js';
import { poll } from '../support/poll-client.js';
import { signToken, TEST_SECRET } from '../support/server.js';
import { disposeStreams, openSse, SseRefused } from '../support/sse-client.js';
import { hmacToken, issuerKey } from '../support/token-keys.js';
import { connect, disposeClients, refused } from '../support/ws-client.js';

const RULES = [{ channel: 'room:{name}', history: { size: 10, ttl: '1m' } }];
const ISSUER = { TRUNKLINE_JWT_ISSUER: 'https://id.example.com/', TRUNKLINE_JWT_AUDIENCE: 'trunkline' };
const CLAIMS = { iss: 'https://id.example.com/', aud: ['trunkline', 'shop'] };

const key = issuerKey('ES256', 'key-1');
const stranger = issuerKey('ES256', 'key-1');
const good = (): string => key.token(CLAIMS);

let folder: string;
let provider: FakeIdentityProvider;
const servers = new Map<string, E2eServer>();

/** No secret: exactly one kind of key is configured. */
const start = (env: Record<string, string>): Promise<E2eServer> =>
  startE2e({ rules: RULES, env: { TRUNKLINE_JWT_SECRET: '', ...ISSUER, ...env } });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trunkline-keys-'));
  const file = join(folder, 'public.pem');
  writeFileSync(file, key.pem);
  provider = await FakeIdentityProvider.start(key);
  servers.set('a key file', await start({ TRUNKLINE_JWT_PUBLIC_KEY_FILE: file }));
  servers.set('a key set', await start({ TRUNKLINE_JWKS_URL: provider.url }));
});
afterEach(() => {
  disposeClients();
  disposeStreams();
});
afterAll(async () => {
  for (const server of servers.values()) await server.close();
  await provider.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function sseStatus(server: E2eServer, token: string): Promise<number> {
  try {
    await openSse(server.url, ['room:a'], { token });
    return 200;
  } catch (error) {
    if (error instanceof SseRefused) return error.status;
    throw error;
  }
}

const pollStatus = async (server: E2eServer, token: string): Promise<number> =>
  (await poll(server.url, ['room:a'], { token, wait: 0 })).status;

const restStatus = async (server: E2eServer, token: string): Promise<number> =>
  (
    await fetch(`${server.url}/api/channels/room:a/messages`, {
      headers: { authorization: `Bearer ${token}` },
    })
  ).status;

describe.each(['a key file', 'a key set'])('with %s, an ES256 token', (kind) => {
  const server = (): E2eServer => servers.get(kind) as E2eServer;

  it.each([
    ['header', (token: string) => ({ token })],
    ['subprotocol', (token: string) => ({ protocols: ['trunkline.v1', `bearer.${token}`] })],
    [
      'cookie',
      (token: string) => ({
        headers: { cookie: `trunkline_token=${token}`, origin: `http://127.0.0.1:${server().port}` },
      }),
    ],
  ])('opens a WebSocket by %s, and a forged one does not', async (_way, options) => {
    const client = await connect(server().wsUrl, options(good()));
    expect((await client.next('welcome')).data['user']).toBe('ana');
    await client.subscribe('room:a');
    const refusal = await refused(server().wsUrl, options(stranger.token(CLAIMS)));
    expect([refusal.status, refusal.code]).toEqual([401, 'unauthenticated']);
  });

  it('logs in by first frame, and a forged one closes 4002', async () => {
    const client = await connect(server().wsUrl);
    expect(await client.ok('authenticate', { token: good() })).toMatchObject({ user: 'ana' });
    await client.subscribe('room:a');
    const bad = await connect(server().wsUrl);
    bad.send({ event: 'authenticate', id: 1, data: { token: stranger.token(CLAIMS) } });
    expect((await bad.closed).code).toBe(4002);
  });

  it('refreshes a live session', async () => {
    const client = await connect(server().wsUrl, { token: good() });
    const exp = Math.floor(Date.now() / 1000) + 7200;
    const reply = await client.ok('authenticate', { token: key.token({ ...CLAIMS, exp }) });
    expect(reply['expiresAt']).toBe(exp * 1000);
    expect(await client.refusal('authenticate', { token: key.token({ ...CLAIMS, sub: 'ben' }) })).toBe(
      'forbidden',
    );
  });

  it.each([
    ['an event stream', sseStatus],
    ['a poll', pollStatus],
    ['REST', restStatus],
  ])('is taken by %s; forged, expired, HS256 and foreign ones are 401', async (_what, statusOf) => {
    expect(await statusOf(server(), good())).toBe(200);
    const bad = [
      stranger.token(CLAIMS),
      key.token({ ...CLAIMS, exp: 1000 }),
      key.token({ ...CLAIMS, iss: 'https://evil.example/' }),
      key.token({ ...CLAIMS, aud: 'shop' }),
      hmacToken(key.pem, { kid: key.kid }, CLAIMS),
      hmacToken(TEST_SECRET, {}, CLAIMS),
      signToken({ sub: 'ana', ...CLAIMS }, 'trunkline-development-secret-change-me'),
      key.token(CLAIMS, { alg: 'none' }),
    ];
    for (const token of bad) expect(await statusOf(server(), token)).toBe(401);
  });

  it('cannot be got from the server: it has no key to sign with', async () => {
    const answer = await fetch(`${server().url}/api/dev/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"user":"ana"}',
    });
    expect(answer.status).toBe(404);
  });
});

describe('with a key set whose provider is away', () => {
  it('the server starts; every way in says 503 and when to come again; later tokens pass', async () => {
    const away = await FakeIdentityProvider.away(key);
    const server = await start({ TRUNKLINE_JWKS_URL: away.url });
    try {
      const refusal = await refused(server.wsUrl, { token: good() });
      expect([refusal.status, refusal.code]).toEqual([503, 'unavailable']);
      expect(Number(refusal.headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(await sseStatus(server, good())).toBe(503);
      expect(await pollStatus(server, good())).toBe(503);
      const answer = await fetch(`${server.url}/api/channels/room:a/messages`, {
        headers: { authorization: `Bearer ${good()}` },
      });
      expect([answer.status, Number(answer.headers.get('retry-after')) >= 1]).toEqual([503, true]);
      expect(await answer.json()).toMatchObject({ code: 'unavailable', retry: true });

      const client = await connect(server.wsUrl);
      const reply = await client.request('authenticate', { token: good() });
      expect(reply.data).toMatchObject({ code: 'unavailable', retry: true });
      expect(reply.data['retryAfterMs']).toBeGreaterThanOrEqual(1000);
      expect(client.isOpen).toBe(true);

      const metrics = await (await fetch(`${server.url}/metrics`)).text();
      expect(metrics).toMatch(/^trunkline_jwks_fetches_total\{outcome="failed"\} [1-9]/m);
      expect(metrics).toMatch(/^trunkline_token_keys 0$/m);

      await away.listen();
      await away.fetched(1);
      await expect.poll(() => restStatus(server, good())).toBe(200);
      expect(await client.ok('authenticate', { token: good() })).toMatchObject({ user: 'ana' });
      expect(await (await fetch(`${server.url}/metrics`)).text()).toMatch(/^trunkline_token_keys 1$/m);
    } finally {
      await server.close();
      await away.stop();
    }
  });
});
