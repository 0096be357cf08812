// Where a credential may stand, on each transport: the first in order counts, a bad one is made good by nothing, and none comes back.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { signToken, TEST_API_KEY } from '../support/server.js';
import { disposeStreams } from '../support/sse-client.js';
import { CONNECTS, DoorModule, enter, WAYS, type Brought, type Way } from '../support/ways-in.js';
import { disposeClients } from '../support/ws-client.js';

let off: E2eServer;
let on: E2eServer;
beforeAll(async () => {
  const boot = { modules: [DoorModule] };
  off = await startE2e({ boot });
  on = await startE2e({ boot, env: { TRUNKLINE_QUERY_TOKENS: 'on' } });
});
afterEach(() => {
  disposeClients();
  disposeStreams();
});
afterAll(async () => {
  await off.close();
  await on.close();
});

async function ticketOf(server: E2eServer, user: string): Promise<string> {
  const response = await fetch(`${server.url}/api/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.token(user)}` },
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { ticket: string }).ticket;
}

interface Place {
  readonly name: string;
  /** The ways that look there. */
  readonly ways: readonly Way[];
  readonly put: (server: E2eServer, text: string) => Brought;
  /** A good one of this user. */
  readonly good: (server: E2eServer, user: string) => Promise<string>;
}

const token = async (server: E2eServer, user: string): Promise<string> => server.token(user);

/** In their order. */
const PLACES: readonly Place[] = [
  {
    name: 'Authorization',
    ways: WAYS,
    put: (_server, text) => ({ headers: { authorization: `Bearer ${text}` } }),
    good: token,
  },
  {
    name: 'cookie',
    ways: WAYS,
    put: ({ url }, text) => ({ headers: { cookie: `trunkline_token=${text}`, origin: url } }),
    good: token,
  },
  {
    name: 'subprotocol',
    ways: ['websocket'],
    put: (_server, text) => ({ protocols: ['trunkline.v1', `bearer.${text}`] }),
    good: token,
  },
  {
    name: 'ticket',
    ways: CONNECTS,
    put: (_server, text) => ({ query: [['ticket', text]] }),
    good: ticketOf,
  },
  {
    name: 'query token',
    ways: CONNECTS,
    put: (_server, text) => ({ query: [['token', text]] }),
    good: token,
  },
];

/** Two places of one request. */
function both(first: Brought, second: Brought): Brought {
  return {
    headers: { ...first.headers, ...second.headers },
    query: [...(first.query ?? []), ...(second.query ?? [])],
    ...(first.protocols === undefined && second.protocols === undefined
      ? {}
      : { protocols: first.protocols ?? second.protocols ?? [] }),
  };
}

/** Not of a form that any place could refuse for another reason. */
const BAD = signToken({ sub: 'mallory' }, 'another-secret-that-is-long-enough-0123');

describe.each(WAYS)('by %s', (way) => {
  const places = PLACES.filter(({ ways }) => ways.includes(way));
  const pairs = places.flatMap((first, at) => places.slice(at + 1).map((second) => ({ first, second })));

  it.each(places)('a good one as $name is taken, and does not come back', async ({ put, good }) => {
    const text = await good(on, 'ana');
    const { as, answer } = await enter(on.url, way, put(on, text));
    expect(as).toBe('ana');
    expect(answer).not.toContain(text);
    expect(answer).not.toContain('bearer.');
  });

  it.each(places)('a bad one as $name is refused with 401, and does not come back', async ({ put }) => {
    for (const text of [BAD, 'rubbish', `tkt_${'A'.repeat(43)}`]) {
      const { status, answer } = await enter(on.url, way, put(on, text));
      expect(status).toBe(401);
      expect(answer).toContain('"code":"unauthenticated"');
      expect(answer).not.toContain(text);
    }
  });

  it.each(pairs)('$first.name counts before $second.name', async ({ first, second }) => {
    const [ana, ben] = [await first.good(on, 'ana'), await second.good(on, 'ben')];
    expect((await enter(on.url, way, both(first.put(on, ana), second.put(on, ben)))).as).toBe('ana');
  });

  it.each(pairs)('a bad $first.name is not made good by a good $second.name', async ({ first, second }) => {
    const ben = await second.good(on, 'ben');
    const taken = await enter(on.url, way, both(first.put(on, BAD), second.put(on, ben)));
    expect(taken.status).toBe(401);
  });

  it.each(pairs)('a bad $second.name spoils no good $first.name', async ({ first, second }) => {
    const ana = await first.good(on, 'ana');
    expect((await enter(on.url, way, both(first.put(on, ana), second.put(on, BAD)))).as).toBe('ana');
  });

  it('none is a stranger, who may do what anyone may', async () => {
    expect((await enter(on.url, way, {})).as).toBe('stranger');
  });

  it('an API key is taken as Authorization alone', async () => {
    for (const { name, put } of places) {
      const { as, status } = await enter(on.url, way, put(on, TEST_API_KEY));
      if (name !== 'Authorization') expect([name, status]).toEqual([name, 401]);
      else expect(['stranger', 'backend']).toContain(as);
    }
  });
});

describe('a query token', () => {
  it.each(CONNECTS)('counts for nothing by %s where it is not turned on, good or bad', async (way) => {
    for (const text of [off.token('ana'), BAD, '']) {
      expect((await enter(off.url, way, { query: [['token', text]] })).as).toBe('stranger');
    }
  });

  it('is a matter of the route on REST, also where it is turned on', async () => {
    for (const text of [on.token('ana'), BAD])
      expect((await enter(on.url, 'rest', { query: [['token', text]] })).as).toBe('stranger');
  });
});

describe.each(CONNECTS)('what makes no sense in the address, by %s', (way) => {
  it.each<[string, readonly (readonly [string, string])[]]>([
    ['an empty ticket', [['ticket', '']]],
    [
      'two tickets',
      [
        ['ticket', `tkt_${'A'.repeat(43)}`],
        ['ticket', `tkt_${'B'.repeat(43)}`],
      ],
    ],
    ['an empty token', [['token', '']]],
    [
      'two tokens',
      [
        ['token', 'a'],
        ['token', 'b'],
      ],
    ],
    ['a ticket of another form', [['ticket', '__proto__']]],
    ['a ticket with more behind it', [['ticket', `tkt_${'A'.repeat(44)}`]]],
    ['a long ticket', [['ticket', 'x'.repeat(5000)]]],
  ])('%s is refused with 401', async (_what, query) => {
    expect((await enter(on.url, way, { query })).status).toBe(401);
  });

  it('two good ones of one name are refused, and the ticket is still good', async () => {
    const good = await ticketOf(on, 'ana');
    const twice = await enter(on.url, way, {
      query: [
        ['ticket', good],
        ['ticket', good],
      ],
    });
    expect(twice.status).toBe(401);
    expect((await enter(on.url, way, { query: [['ticket', good]] })).as).toBe('ana');
  });
});
