// The client over long polling, against a server that does what the test says: places, gaps, members, pace, ends.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientFor, happens, inState, type ClientUnderTest } from '../../client/testing/kit.js';
import type { Channel, TrunklineOptions } from '../../client/src/index.js';
import { FakeHttpServer, type FakeCall } from '../support/fake-http-server.js';
import { signToken } from '../support/server.js';
import { until } from '../support/wait.js';

interface Events {
  say: { n: number };
}

let server: FakeHttpServer;
let client: ClientUnderTest;
let room: Channel<Events>;
let heard: (number | string)[];
/** Answers that the client has read to their end. */
let read: number;

/** Counts what was read, and lets the client go on before the count is seen. */
const counting: typeof fetch = async (...args) => {
  const response = await fetch(...args);
  const json = response.json.bind(response);
  response.json = async (): Promise<unknown> => {
    const body: unknown = await json();
    setImmediate(() => read++);
    return body;
  };
  return response;
};

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
  client = clientFor(server.url, {
    transports: ['polling'],
    token: () => 'good',
    fetch: counting,
    ...options,
  });
  read = 0;
  room = client.trunkline.channel<Events>('room:a');
  heard = [];
  room.on('message', ({ data }) => heard.push(data.n));
  room.on('gap', ({ reason, from, to }) => heard.push(`${reason} ${from}-${to}`));
}

const at = (offset: number, channel = 'room%3Aa'): string =>
  `${channel}!e1.${offset}.${offset === 0 ? '' : `m${offset}`}`;

const answer = (offset: number, numbers: readonly number[] = [], more: object = {}): object => ({
  messages: numbers.map((n) => ({
    ...{ type: 'message', channel: 'room:a', offset: n, id: `m${n}`, event: 'say', data: { n }, time: 1 },
  })),
  cursor: `1~${at(offset)}`,
  ...more,
});

/** The next poll, when it is due. */
async function poll(): Promise<FakeCall> {
  await until(() => server.waiting > 0 || client.clock.pending > 0);
  if (server.waiting === 0) client.clock.advance(100);
  return server.next('/poll');
}

/** Joined at an offset; the poll that waits. */
async function subscribed(offset = 5): Promise<FakeCall> {
  const call = room.subscribe();
  (await poll()).json(answer(offset));
  await call;
  client.clock.advance(100);
  return server.next('/poll');
}

describe('polling', () => {
  it('asks for a place first, and from there waits for what comes', async () => {
    const call = room.subscribe();
    const first = await poll();
    expect(first.channels).toEqual(['room:a']);
    expect(Object.fromEntries(first.query)).toMatchObject({ wait: '0', cursor: '1~' });
    expect(first.request.headers['authorization']).toBe('Bearer good');
    first.json(answer(5));
    expect(await call).toEqual({
      channel: 'room:a',
      epoch: 'e1',
      offset: 5,
      id: 'm5',
      recoverable: true,
      recovered: false,
    });
    expect(client.states.at(-1)).toMatchObject({ state: 'connected', transport: 'polling' });
    client.clock.advance(100);
    const second = await server.next('/poll');
    expect(Object.fromEntries(second.query)).toMatchObject({ wait: '25', cursor: '1~room%3Aa!e1.5.m5' });
    second.json(answer(7, [6, 7]));
    await until(() => heard.length === 2);
    expect((await poll()).query.get('cursor')).toBe('1~room%3Aa!e1.7.m7');
    expect(room.position).toEqual({ epoch: 'e1', offset: 7, id: 'm7' });
  });

  it('gives what was missed in the reply, and tells a gap when it is gone', async () => {
    const since = { epoch: 'e1', offset: 2, id: 'm2' };
    const call = room.subscribe({ since });
    const first = await poll();
    expect(first.query.get('cursor')).toBe('1~room%3Aa!e1.2.m2');
    first.json(answer(4, [3, 4]));
    expect(await call).toMatchObject({ recovered: true, offset: 4 });
    expect(heard).toEqual([3, 4]);
    client.trunkline.close();
    client.trunkline.connect();
    const gap = { channel: 'room:a', epoch: 'e1', from: 5, to: 9, count: 5, reason: 'expired' };
    const again = happens<object>('subscribed', (resolve) => room.on('subscribed', resolve));
    (await poll()).json(answer(9, [], { gaps: [gap] }));
    expect(await again).toMatchObject({ recovered: false, reason: 'expired' });
    expect(heard).toEqual([3, 4, 'expired 5-9']);
  });

  it('asks once more for a newcomer whose place has no id, and gives the last value in the reply', async () => {
    const call = room.subscribe();
    (await poll()).json({ messages: [], cursor: '1~room%3Aa!e1.6.' });
    client.clock.advance(100);
    const second = await server.next('/poll');
    expect(Object.fromEntries(second.query)).toMatchObject({ wait: '0', cursor: '1~room%3Aa!e1.6.' });
    second.json(answer(7, [7]));
    expect(await call).toMatchObject({ offset: 7, recovered: false });
    expect(heard).toEqual([7]);
  });

  it('tells gaps while it is joined', async () => {
    const waiting = await subscribed();
    const gap = {
      type: 'gap',
      channel: 'room:a',
      epoch: 'e1',
      from: 6,
      to: 8,
      count: 3,
      reason: 'conflated',
    };
    waiting.json(answer(9, [9], { gaps: [gap] }));
    await until(() => heard.length === 2);
    expect(heard).toEqual(['conflated 6-8', 9]);
  });

  it('loses nothing when a poll is given up for a change of channels', async () => {
    const waiting = await subscribed();
    const other = client.trunkline.channel('room:b').subscribe();
    client.clock.advance(100);
    const second = await poll();
    await until(() => waiting.closed);
    expect(second.channels).toEqual(['room:a', 'room:b']);
    expect(second.query.get('cursor')).toBe('1~room%3Aa!e1.5.m5');
    second.json(answer(7, [6, 7], { cursor: `1~${at(7)}~${at(3, 'room%3Ab')}` }));
    expect(await other).toMatchObject({ offset: 3 });
    expect(heard).toEqual([6, 7]);
  });

  it('goes on from the same place when an answer breaks off', async () => {
    const waiting = await subscribed();
    waiting.response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    waiting.response.write('{"messages":[{"type":"message"');
    waiting.cut();
    client.clock.advance((await inState(client, 'waiting')).retryInMs ?? 0);
    const again = await poll();
    expect(again.query.get('cursor')).toBe('1~room%3Aa!e1.5.m5');
    again.json(answer(6, [6]));
    await until(() => heard.length === 1);
  });

  it('hands nothing on after unsubscribe, and starts anew at the next subscribe', async () => {
    const waiting = await subscribed();
    void room.unsubscribe();
    waiting.json(answer(6, [6]));
    client.clock.advance(100);
    (await poll()).problem(400, 'invalid_data');
    const call = room.subscribe();
    client.clock.advance(100);
    const first = await poll();
    expect(first.query.get('cursor')).toBe('1~');
    first.json(answer(9));
    await call;
    expect(heard).toEqual([]);
    expect(client.trunkline.state).toBe('connected');
  });

  it('does not hand on an own message that was published without a copy', async () => {
    const waiting = await subscribed();
    const published = room.publish('say', { n: 6 }, { echo: false });
    const call = await server.next('/api/channels/room%3Aa/messages');
    waiting.json(answer(7, [6, 7]));
    call.json({ channel: 'room:a', epoch: 'e1', offset: 6, id: 'm6', duplicate: false }, 201);
    await published;
    await until(() => heard.length === 1);
    expect(heard).toEqual([7]);
  });

  it('connects without a channel when the server is there, and only then', async () => {
    client.trunkline.connect();
    (await poll()).problem(400, 'invalid_data');
    await inState(client, 'connected');
    client.trunkline.close();
    client.trunkline.connect();
    (await poll()).plain(400);
    await inState(client, 'waiting');
  });
});

describe('the pace', () => {
  it('is at most ten polls a second, however fast answers come', async () => {
    let next = await subscribed();
    const before = server.total;
    for (let n = 6; n < 16; n++) {
      const known = read;
      next.json(answer(n, [n]));
      await until(() => read > known);
      client.clock.advance(99);
      expect(server.waiting).toBe(0);
      client.clock.advance(1);
      next = await server.next('/poll');
    }
    expect(server.total - before).toBe(10);
  });

  it('is at most two empty answers a second', async () => {
    let next = await subscribed();
    for (let round = 0; round < 3; round++) {
      const before = read;
      next.json(answer(5));
      await until(() => read > before);
      client.clock.advance(499);
      expect(server.waiting).toBe(0);
      client.clock.advance(501);
      next = await server.next('/poll');
    }
  });

  it('of short polls is one or two a second', async () => {
    use({ pollSeconds: 0 });
    const next = await subscribed();
    expect(next.query.get('wait')).toBe('0');
    const before = read;
    next.json(answer(5));
    await until(() => read > before);
    client.clock.advance(499);
    expect(server.waiting).toBe(0);
    client.clock.advance(501);
    await server.next('/poll');
  });
});

describe('the end of polling', () => {
  const ends: readonly [string, (call: FakeCall) => void, object][] = [
    [
      '429 waits as long as it says',
      (call) => call.problem(429, 'rate_limited', {}, { 'retry-after': '9' }),
      { state: 'waiting', code: 1013, retryInMs: 9250 },
    ],
    ['403 stops', (call) => call.problem(403, 'forbidden'), { state: 'closed', code: 1008 }],
    ['204 stops', (call) => call.plain(204), { state: 'closed', code: 1000 }],
    ['502 of a proxy backs off', (call) => call.plain(502), { state: 'waiting', code: 1006 }],
    [
      '401 asks for a new token at once',
      (call) => call.problem(401, 'expired'),
      { state: 'connecting', code: 4200 },
    ],
  ];
  it.each(ends)('%s', async (_name, end, change) => {
    end(await subscribed());
    await inState(client, (change as { state: 'waiting' }).state);
    expect(client.states.at(-1)).toMatchObject(change);
  });

  it('tells a channel that may not be heard any more, and goes on with the others', async () => {
    const both = Promise.all([room.subscribe(), client.trunkline.channel('room:b').subscribe()]);
    (await poll()).json({ messages: [], cursor: `1~${at(5)}~${at(3, 'room%3Ab')}` });
    await both;
    client.clock.advance(100);
    const out = happens<{ code: string }>('unsubscribed', (resolve) => room.on('unsubscribed', resolve));
    (await server.next('/poll')).problem(403, 'forbidden', { channel: 'room:a' });
    expect(await out).toMatchObject({ code: 'forbidden' });
    await until(() => client.clock.pending >= 2);
    client.clock.advance(1000);
    expect((await server.next('/poll')).channels).toEqual(['room:b']);
  });

  it('is found when a poll has no answer: after a silence it is asked anew, then given up', async () => {
    const waiting = await subscribed();
    client.clock.advance(30_000);
    await until(() => waiting.closed);
    await server.next('/poll');
    client.clock.advance(15_000);
    expect(client.trunkline.state).toBe('waiting');
  });
});

describe('members', () => {
  it('come with the reply and are looked at again within ten seconds', async () => {
    room = client.trunkline.channel('room:a', { presence: true });
    const changes: string[] = [];
    room.on('join', ({ member }) => changes.push(`+${member.user}`));
    room.on('leave', ({ member }) => changes.push(`-${member.user}`));
    const member = (user: string) => ({ user, connections: 1, since: 1 });
    const call = room.subscribe();
    (await poll()).json(answer(5));
    (await server.next('/api/channels/room%3Aa/members')).json({
      channel: 'room:a',
      members: [member('ana'), member('bob')],
    });
    await call;
    expect([...room.members.keys()]).toEqual(['ana', 'bob']);
    client.clock.advance(100);
    await server.next('/poll');
    client.clock.advance(9900);
    (await server.next('/api/channels/room%3Aa/members')).json({
      channel: 'room:a',
      members: [member('bob'), member('eve')],
    });
    await until(() => changes.length === 2);
    expect(changes).toEqual(['-ana', '+eve']);
    expect([...room.members.keys()]).toEqual(['bob', 'eve']);
  });

  it('of a channel that shows nobody do not stand in the way', async () => {
    room = client.trunkline.channel('room:a', { presence: true });
    const call = room.subscribe();
    (await poll()).json(answer(5));
    (await server.next('/api/channels/room%3Aa/members')).problem(403, 'forbidden');
    await call;
    expect(room.members.size).toBe(0);
  });
});

describe('the token', () => {
  it('is read for the user, and renewed 30 s before its end', async () => {
    const tokens = [60, 3600].map((seconds) =>
      signToken({ sub: 'zoë', exp: Math.floor(Date.now() / 1000) + seconds }),
    );
    let asked = 0;
    use({ token: () => tokens[asked++] ?? '' });
    const waiting = await subscribed();
    expect(client.trunkline.user).toBe('zoë');
    client.clock.advance(25_000);
    expect(asked).toBe(1);
    client.clock.advance(4900);
    await until(() => asked === 2 && waiting.closed);
    const next = await server.next('/poll');
    expect(next.request.headers['authorization']).toBe(`Bearer ${tokens[1] ?? ''}`);
    expect(next.query.get('cursor')).toBe('1~room%3Aa!e1.5.m5');
  });
});
