// A user's tokens are revoked on one of three servers over one Redis: every transport on every other one obeys within a second, and so do
// those that start later, whatever happens to the bus and to Redis meanwhile.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import { ANONYMOUS } from '../../src/core/identity.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { poll } from '../support/poll-client.js';
import { freshPrefix } from '../support/redis-nodes.js';
import { RedisServer } from '../support/redis-server.js';
import { disposeStreams, openSse, sseRefused } from '../support/sse-client.js';
import { until } from '../support/wait.js';
import { connect, disposeClients, refused } from '../support/ws-client.js';

const RULES = [{ channel: 'room:{name}', history: { size: 100, ttl: '1h' } }];
const ROOM = 'room:one';
/** Milliseconds in which every instance must have obeyed, and what a busy machine may add. */
const PROMISED_MS = 1000 + 1500;
/** Milliseconds after its return in which all have found Redis again and compared: the longest pause and a beat. */
const BACK_MS = 8000;

let redis: RedisServer;
let env: Record<string, string>;
let servers: E2eServer[] = [];
let users = 0;
const newUser = (): string => `user-${++users}`;
const start = (): Promise<E2eServer> => startE2e({ rules: RULES, env });
const second = (): number => Math.floor(Date.now() / 1000);

beforeAll(async () => {
  redis = await RedisServer.start();
  env = { TRUNKLINE_BACKPLANE: 'redis', REDIS_URL: redis.url, TRUNKLINE_REDIS_PREFIX: freshPrefix() };
  servers = await Promise.all([start(), start(), start()]);
});
afterEach(() => {
  disposeStreams();
  disposeClients();
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await redis.stop();
});

async function revoke(server: E2eServer, user: string, body?: object): Promise<void> {
  const response = await server.api('POST', `/users/${user}/revocations`, body);
  expect(response.status, await response.text()).toBe(201);
}

/** How each way in answers to a token. */
async function ways({ url, wsUrl }: E2eServer, token: string): Promise<readonly number[]> {
  const rest = await fetch(`${url}/api/channels/${ROOM}/messages`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return [
    (await refused(wsUrl, { token })).status,
    (await sseRefused(url, [ROOM], { token })).status,
    (await poll(url, [ROOM], { token, wait: 0 })).status,
    rest.status,
  ];
}

async function letsIn({ url, wsUrl }: E2eServer, token: string): Promise<void> {
  const client = await connect(wsUrl, { token });
  await client.subscribe(ROOM);
  expect((await poll(url, [ROOM], { token, wait: 0 })).status).toBe(200);
}

describe('tokens that are revoked on one server', () => {
  it('end a socket, a stream and a waiting poll on the others within a second, and are good nowhere', async () => {
    const [a, b, c] = servers as [E2eServer, E2eServer, E2eServer];
    const user = newUser();
    const token = a.token(user);
    const socket = await connect(b.wsUrl, { token });
    await socket.subscribe(ROOM);
    const stream = await openSse(c.url, [ROOM], { token });
    await stream.ready();
    const { cursor } = (await poll(c.url, [ROOM], { token })).body;
    const waited = poll(c.url, [ROOM], { token, cursor, wait: 25 });
    await until(() => c.realtime.sessions(user).length === 2, 'the poll to wait');
    const other = await b.join(newUser());

    const asked = performance.now();
    await revoke(a, user);
    const [closed, close, answer] = await Promise.all([socket.closed, stream.next('close'), waited]);
    expect(performance.now() - asked).toBeLessThan(PROMISED_MS);
    expect(closed).toEqual({ code: 4003, reason: 'revoked' });
    expect([close.id, close.data.code]).toEqual(['end', 4003]);
    expect([answer.status, answer.problem['code']]).toEqual([403, 'forbidden']);
    for (const server of servers) expect(await ways(server, token)).toEqual([401, 401, 401, 401]);
    await other.settled();
    expect(other.isOpen).toBe(true);
    const fresh = a.token(user, { iat: second() + 1 });
    for (const server of servers) await letsIn(server, fresh);
  });

  it('are refused by a server that starts later', async () => {
    const user = newUser();
    const [old, single] = [
      servers[0]?.token(user),
      servers[0]?.token(user, { jti: 'one', iat: second() + 2 }),
    ];
    await revoke(servers[0] as E2eServer, user);
    await revoke(servers[1] as E2eServer, user, { tokenId: 'one' });
    await servers[2]?.close();
    servers[2] = await start();
    expect(await ways(servers[2], old as string)).toEqual([401, 401, 401, 401]);
    expect(await ways(servers[2], single as string)).toEqual([401, 401, 401, 401]);
    await letsIn(servers[2], servers[2].token(user, { iat: second() + 2 }));
  });

  it('are refused everywhere within a second when all buses are cut at that moment', async () => {
    for (let round = 0; round < 4; round++) {
      const user = newUser();
      const sockets = await Promise.all(servers.map((server) => server.join(user)));
      const kill = redis.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
      const asked = performance.now();
      await revoke(servers[round % 3] as E2eServer, user);
      await kill;
      for (const socket of sockets) expect((await socket.closed).code).toBe(4003);
      expect(performance.now() - asked).toBeLessThan(PROMISED_MS);
    }
  });

  it('stay refused when Redis comes back empty, also by a server that starts after that', async () => {
    const user = newUser();
    const token = (servers[0] as E2eServer).token(user);
    await revoke(servers[0] as E2eServer, user);
    const identity = { ...ANONYMOUS, kind: 'user', user } as const;
    await until(() => servers.every(({ core }) => core.revocations.refuses(identity)), 'all to know');
    await redis.shutdown();
    const refusal = await (servers[1] as E2eServer).api('POST', `/users/${newUser()}/revocations`);
    expect([refusal.status, refusal.headers.get('content-type')]).toEqual([503, 'application/problem+json']);
    for (const server of servers) expect((await refused(server.wsUrl, { token })).status).toBe(401);
    await redis.begin();
    const ready = async (): Promise<boolean> =>
      (await Promise.all(servers.map(({ url }) => fetch(`${url}/health/ready`)))).every(
        ({ status }) => status === 200,
      );
    await until(ready, 'all to be ready', BACK_MS);
    const list = new RedisKeys(env['TRUNKLINE_REDIS_PREFIX'] as string).revocations();
    await until(
      async () => (await redis.ask('HEXISTS', list, `user:${user}`)) === 1,
      'the list to be given back',
      BACK_MS,
    );
    await Promise.all(servers.splice(0).map((server) => server.close()));
    servers = await Promise.all([start(), start(), start()]);
    for (const server of servers) expect(await ways(server, token)).toEqual([401, 401, 401, 401]);
  });
});
