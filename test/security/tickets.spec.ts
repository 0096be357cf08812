// One-time tickets on a real server: who gets one, where it is good, what it can do, and that nothing shows it afterwards.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CapturedLog } from '../support/captured-log.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { TEST_API_KEY } from '../support/server.js';
import { disposeStreams, openSse, sseRefused } from '../support/sse-client.js';
import { until } from '../support/wait.js';
import { CONNECTS, DoorModule, enter, type Way } from '../support/ways-in.js';
import { connect, disposeClients, refused } from '../support/ws-client.js';

const log = new CapturedLog();
let server: E2eServer;
/** Every ticket that was given. */
const given: string[] = [];

beforeAll(async () => {
  server = await startE2e({
    boot: { modules: [DoorModule], logger: log.logger },
    env: { TRUNKLINE_QUERY_TOKENS: 'on' },
    rules: [
      { channel: 'room:{name}', history: { size: 10, ttl: '1h' } },
      { channel: 'granted:{name}', subscribe: 'capability', publish: 'capability' },
      { channel: 'inner:{name}', subscribe: 'backend', publish: 'backend' },
    ],
  });
});
afterEach(() => {
  disposeClients();
  disposeStreams();
});
afterAll(() => server.close());

interface Given {
  readonly ticket: string;
  readonly expiresAt: number;
  readonly user?: string;
}

async function ask(credential: string | undefined, body?: unknown): Promise<Response> {
  return fetch(`${server.url}/api/tickets`, {
    method: 'POST',
    headers: {
      ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function ticketOf(credential: string, body?: unknown): Promise<Given> {
  const response = await ask(credential, body);
  const answer = (await response.json()) as Given;
  expect(response.status, JSON.stringify(answer)).toBe(201);
  given.push(answer.ticket);
  return answer;
}

const by = (ticket: string) => ({ query: [['ticket', ticket]] as const });
const wsUrl = (ticket: string): string => `${server.wsUrl}?ticket=${ticket}`;

describe('a ticket', () => {
  it('is given to a user for himself, for half a minute, and is not to be kept by anybody', async () => {
    const response = await ask(server.token('ana'));
    const before = Date.now();
    const answer = (await response.json()) as Given;
    given.push(answer.ticket);
    expect([response.status, response.headers.get('cache-control')]).toEqual([201, 'no-store']);
    expect(answer).toEqual({
      ticket: expect.stringMatching(/^tkt_[A-Za-z0-9_-]{43}$/) as string,
      expiresAt: expect.any(Number) as number,
      user: 'ana',
    });
    expect(Math.abs(answer.expiresAt - before - 30_000)).toBeLessThan(5000);
  });

  it.each(CONNECTS)('lets its user in by %s, once', async (way) => {
    const { ticket } = await ticketOf(server.token('ana'));
    const first = await enter(server.url, way, by(ticket));
    expect(first.as).toBe('ana');
    expect(first.answer).not.toContain(ticket);
    for (const again of CONNECTS) {
      const { status, answer } = await enter(server.url, again, by(ticket));
      expect([again, status]).toEqual([again, 401]);
      expect(answer).not.toContain(ticket);
    }
  });

  it('lets in one of many who come at once', async () => {
    const { ticket } = await ticketOf(server.token('ana'));
    const all = await Promise.all(
      Array.from({ length: 60 }, (_, i) => enter(server.url, CONNECTS[i % 3] as Way, by(ticket))),
    );
    expect(all.filter(({ as }) => as === 'ana')).toHaveLength(1);
    expect(all.filter(({ status }) => status === 401)).toHaveLength(59);
  });

  it('is refused anywhere else, and is not used up by that', async () => {
    const { ticket } = await ticketOf(server.token('ana'));
    const elsewhere: readonly [string, string, RequestInit][] = [
      ['a route in the query', `/api/channels/room:a/messages?ticket=${ticket}`, {}],
      ['a write in the query', `/api/tickets?ticket=${ticket}`, { method: 'POST' }],
      ['figures in the query', `/api/stats?ticket=${ticket}`, {}],
      [
        'the header of a route',
        '/api/channels/room:a/messages',
        { headers: { authorization: `Bearer ${ticket}` } },
      ],
      ['the header of a poll', '/poll?channel=room:a', { headers: { authorization: `Bearer ${ticket}` } }],
      ['the cookie of a poll', '/poll?channel=room:a', { headers: { cookie: `trunkline_token=${ticket}` } }],
      ['the query token of a poll', `/poll?channel=room:a&token=${ticket}`, {}],
    ];
    for (const [place, path, init] of elsewhere) {
      const response = await fetch(server.url + path, init);
      expect([place, response.status]).toEqual([place, 401]);
      expect(await response.text(), place).not.toContain(ticket);
    }
    expect((await refused(server.wsUrl, { token: ticket })).status).toBe(401);
    expect((await refused(server.wsUrl, { protocols: ['trunkline.v1', `bearer.${ticket}`] })).status).toBe(
      401,
    );
    const stranger = await server.join(undefined);
    stranger.send({ event: 'authenticate', id: 1, data: { token: ticket } });
    expect((await stranger.closed).code).toBe(4002);
    expect((await enter(server.url, 'websocket', by(ticket))).as).toBe('ana');
  });

  it('is not taken for a parameter of that name of a route', async () => {
    const credential = { authorization: `Bearer ${TEST_API_KEY}` };
    for (const [headers, value] of [
      [credential, `tkt_${'A'.repeat(43)}`],
      [{}, '4711'],
    ] as const) {
      const response = await fetch(`${server.url}/api/channels/door:a/messages?ticket=${value}`, { headers });
      expect(response.status).toBe(200);
    }
  });

  it.each([
    ['nobody', undefined],
    ['a bad token', 'rubbish'],
    ['a ticket', `tkt_${'A'.repeat(43)}`],
  ])('is not given to %s', async (_who, credential) => {
    expect((await ask(credential)).status).toBe(401);
  });

  it('carries the rights of the token, and no more', async () => {
    const claims = { channels: { 'granted:mine': ['subscribe'] }, name: 'Ana' };
    const { ticket } = await ticketOf(server.token('ana', claims));
    const client = await connect(wsUrl(ticket));
    expect((await client.next('welcome')).data['user']).toBe('ana');
    await client.subscribe('granted:mine');
    expect(await client.refusal('publish', { channel: 'granted:mine', event: 'x', data: 1 })).toBe(
      'forbidden',
    );
    expect(await client.refusal('subscribe', { channel: 'granted:other' })).toBe('forbidden');
    expect(await client.refusal('subscribe', { channel: 'inner:a' })).toBe('forbidden');
  });

  it('gives a session that ends with the token, and is prolonged by a fresh one', async () => {
    const soon = Math.floor(Date.now() / 1000) + 3;
    const short = server.token('ana', { exp: soon });
    const clients = [
      await connect(wsUrl((await ticketOf(short)).ticket)),
      await connect(wsUrl((await ticketOf(short)).ticket)),
    ];
    await clients[1]?.ok('authenticate', { token: server.token('ana') });
    expect((await clients[0]?.closed)?.code).toBe(4200);
    await clients[1]?.settled();
  });

  it('is refused, and its session ended, when the user is revoked', async () => {
    const [used, unused] = [await ticketOf(server.token('rita')), await ticketOf(server.token('rita'))];
    const client = await connect(wsUrl(used.ticket));
    await client.next('welcome');
    expect((await server.api('POST', '/users/rita/revocations')).status).toBe(201);
    expect((await client.closed).code).toBe(4003);
    expect((await enter(server.url, 'sse', by(unused.ticket))).status).toBe(401);
  });

  it('does not help a page of a foreign origin, and is not used up by it', async () => {
    const headers = { origin: 'https://evil.example' };
    const { ticket } = await ticketOf(server.token('ana'));
    expect((await refused(wsUrl(ticket), { headers })).status).toBe(403);
    const query = [['ticket', ticket]] as const;
    expect((await sseRefused(server.url, ['room:a'], { headers, query })).status).toBe(403);
    expect((await enter(server.url, 'websocket', by(ticket))).as).toBe('ana');
  });

  it('is rate-limited by user', async () => {
    const limited = await startE2e({ env: { TRUNKLINE_MESSAGE_RATE: '5/1m' } });
    const token = limited.token('ana');
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) {
      const response = await fetch(`${limited.url}/api/tickets`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      });
      statuses.push(response.status);
      if (response.status === 429) expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect([statuses.slice(0, 10), statuses.slice(10)]).toEqual([Array(10).fill(201), [429, 429]]);
    await limited.close();
  });
});

describe('a ticket that a backend asked for', () => {
  it('is a session of the user it names, for as long as it says', async () => {
    const body = { user: 'ben', name: 'Ben', channels: { 'granted:*': ['subscribe'] }, ttl: 2 };
    const { ticket, user } = await ticketOf(TEST_API_KEY, body);
    expect(user).toBe('ben');
    const client = await connect(wsUrl(ticket));
    expect((await client.next('welcome')).data['user']).toBe('ben');
    await client.subscribe('granted:a');
    expect(await client.refusal('subscribe', { channel: 'inner:a' })).toBe('forbidden');
    expect((await client.closed).code).toBe(4200);
  });

  it('is one of the backend itself without a user', async () => {
    const { ticket, user } = await ticketOf(TEST_API_KEY);
    expect(user).toBeUndefined();
    const stream = await openSse(server.url, ['inner:a'], { query: [['ticket', ticket]] });
    expect((await stream.ready()).user).toBeUndefined();
  });

  it.each<[string, object, number]>([
    ['a user that is none', { user: '' }, 400],
    ['a name alone', { name: 'Ben' }, 400],
    ['channels alone', { channels: {} }, 400],
    ['a map that is none', { user: 'ben', channels: [] }, 400],
    ['an unknown capability', { user: 'ben', channels: { 'a:*': ['fly'] } }, 400],
    ['a bad pattern', { user: 'ben', channels: { 'a:*:b': ['publish'] } }, 400],
    ['a life of nothing', { user: 'ben', ttl: 0 }, 400],
    ['a life of more than a day', { user: 'ben', ttl: 86_401 }, 400],
    ['a life in words', { user: 'ben', ttl: '1h' }, 400],
  ])('is refused for %s', async (_what, body, status) => {
    expect((await ask(TEST_API_KEY, body)).status).toBe(status);
  });

  it.each<[string, object]>([
    ['another user', { user: 'ben' }],
    ['another name', { name: 'Chief' }],
    ['more rights', { channels: { 'granted:*': ['publish'] } }],
    ['a longer life', { ttl: 86_400 }],
  ])('is not for users: %s is refused', async (_what, body) => {
    expect((await ask(server.token('ana'), body)).status).toBe(403);
  });

  it('may be asked by a user with his own name', async () => {
    expect((await ticketOf(server.token('ana'), { user: 'ana' })).user).toBe('ana');
  });
});

describe('afterwards', () => {
  it('no log has shown a ticket, and metrics count them', async () => {
    await until(() => server.stats().sessions === 0, 'the sessions to end');
    expect(given.length).toBeGreaterThan(14);
    for (const ticket of given) expect(log.text).not.toContain(ticket.slice(4));
    const figures = await (await fetch(`${server.url}/metrics`)).text();
    const figure = (name: string): number =>
      Number(new RegExp(`^trunkline_tickets_total\\{outcome="${name}"\\} (\\d+)$`, 'm').exec(figures)?.[1]);
    expect(figure('issued')).toBe(given.length);
    expect(figure('used')).toBeGreaterThan(8);
    expect(figure('refused')).toBeGreaterThan(60);
    for (const ticket of given) expect(figures).not.toContain(ticket.slice(4));
  });
});
