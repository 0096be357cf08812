// What an application does with the client, over the transports made of requests, against the real server: the same as over WebSocket.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { happens } from '../../client/testing/kit.js';
import {
  Trunkline,
  type Channel,
  type Gap,
  type Message,
  type TrunklineOptions,
} from '../../client/src/index.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { until } from '../support/wait.js';

interface Events {
  say: { n: number };
  typing: { n: number };
}

const RULES = [
  {
    channel: 'room:{name}',
    subscribe: 'authenticated',
    publish: 'authenticated',
    presence: true,
    history: { size: 200, ttl: '1h' },
  },
  {
    channel: 'small:{name}',
    subscribe: 'authenticated',
    publish: 'authenticated',
    history: { size: 3, ttl: '1h' },
  },
  { channel: 'loose:{name}', subscribe: 'anyone', publish: 'authenticated' },
  { channel: 'open:{name}', subscribe: 'anyone', publish: 'authenticated', history: { size: 50, ttl: '1h' } },
  { channel: 'secret:{name}', subscribe: 'nobody', publish: 'nobody' },
];

let server: E2eServer;
let count = 0;
const clients: Trunkline[] = [];

beforeAll(async () => {
  server = await startE2e({ rules: RULES });
});

afterAll(async () => {
  await server.close();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await until(() => server.stats().sessions === 0, 'no session to be left');
});

function open(user: string | undefined, options: TrunklineOptions): Trunkline {
  const token = user === undefined ? {} : { token: () => server.token(user) };
  const client = new Trunkline(server.url, { minDelayMs: 50, ...token, ...options });
  clients.push(client);
  return client;
}

function publish(channel: string, n: number, event = 'say'): Promise<Response> {
  return server.api('POST', `/channels/${channel}/messages`, { event, data: { n } });
}

/** Everything a channel tells, in order. */
function listen(channel: Channel<Events>): { readonly told: unknown[]; readonly gaps: Gap[] } {
  const told: unknown[] = [];
  const gaps: Gap[] = [];
  channel.on('message', (message) => told.push(message.data.n));
  channel.on('gap', (gap) => {
    gaps.push(gap);
    told.push(gap.reason);
  });
  return { told, gaps };
}

describe.each(['sse', 'polling'] as const)('over %s', (transport) => {
  const options: TrunklineOptions = { transports: [transport] };
  let name: string;

  beforeEach(() => {
    name = `${transport}${++count}`;
  });

  it('subscribes, hears what others publish in order, and tells who and how', async () => {
    const client = open('ana', options);
    const room = client.channel<Events>(`room:${name}`);
    const { told } = listen(room);
    const heard: Message[] = [];
    room.on('message', (message) => heard.push(message));
    const subscription = await room.subscribe();
    expect(subscription).toMatchObject({
      channel: `room:${name}`,
      offset: 0,
      recoverable: true,
      recovered: false,
    });
    expect(client.transport).toBe(transport);
    expect(client.user).toBe('ana');
    for (let n = 1; n <= 20; n++) await publish(`room:${name}`, n);
    await until(() => told.length >= 20);
    expect(told).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
    expect(room.position?.offset).toBe(20);
    expect(Object.keys(heard[0] ?? {}).sort()).toEqual(['channel', 'data', 'event', 'id', 'offset', 'time']);
  });

  it('publishes in order, reads history and members', async () => {
    const client = open('ana', options);
    const room = client.channel<Events>(`room:${name}`, { presence: true });
    await room.subscribe();
    const published = await Promise.all([1, 2, 3, 4, 5].map((n) => room.publish('say', { n })));
    const [, since] = published;
    if (since === undefined) throw new Error('five were published');
    expect(published.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5]);
    const { messages } = await room.history({ since, limit: 2 });
    expect(messages.map(({ data }) => data)).toEqual([{ n: 3 }, { n: 4 }]);
    expect((await room.history({ limit: 1, reverse: true })).messages.map(({ offset }) => offset)).toEqual([
      5,
    ]);
    const bob = await server.join('bob');
    await bob.subscribe(`room:${name}`);
    expect((await room.presence()).map(({ user }) => user)).toContain('bob');
    await bob.close();
  });

  it('publishes once when told twice with one key', async () => {
    const room = open('ana', options).channel<Events>(`room:${name}`);
    const first = await room.publish('say', { n: 1 }, { idempotencyKey: 'k1' });
    const second = await room.publish('say', { n: 1 }, { idempotencyKey: 'k1' });
    expect(second).toMatchObject({ offset: first.offset, id: first.id, duplicate: true });
  });

  it('resumes exactly what was missed after the connection was away', async () => {
    const client = open('ana', options);
    const room = client.channel<Events>(`room:${name}`);
    const { told } = listen(room);
    await room.subscribe();
    await publish(`room:${name}`, 1);
    await until(() => told.length === 1);
    client.close();
    await publish(`room:${name}`, 2);
    await publish(`room:${name}`, 3);
    const again = happens<{ recovered: boolean }>('subscribed', (resolve) => room.on('subscribed', resolve));
    client.connect();
    expect(await again).toMatchObject({ recovered: true });
    await publish(`room:${name}`, 4);
    await until(() => told.length >= 4);
    expect(told).toEqual([1, 2, 3, 4]);
  });

  it('tells a gap when what was missed is gone', async () => {
    const client = open('ana', options);
    const room = client.channel<Events>(`small:${name}`);
    const { told, gaps } = listen(room);
    await room.subscribe();
    client.close();
    for (let n = 1; n <= 6; n++) await publish(`small:${name}`, n);
    client.connect();
    await until(() => told.length > 0);
    expect(gaps).toMatchObject([{ from: 1, to: 6, count: 6, reason: 'expired' }]);
    await publish(`small:${name}`, 7);
    await until(() => told.length > 1);
    expect(told).toEqual(['expired', 7]);
  });

  it('tells a gap while it stays connected when the log is gone faster than it is read', async () => {
    const client = open('ana', options);
    const room = client.channel<Events>(`small:${name}`);
    const { told } = listen(room);
    await room.subscribe();
    await Promise.all(Array.from({ length: 40 }, (_, at) => publish(`small:${name}`, at + 1)));
    const covered = (): number => room.position?.offset ?? 0;
    await until(() => covered() === 40);
    const numbers = told.filter((entry) => typeof entry === 'number');
    const holes = told.length - numbers.length;
    expect(numbers.length === 40 || holes > 0, 'every message, or a word about what is missing').toBe(true);
  });

  it('begins after a position the application has kept', async () => {
    const room = open('ana', options).channel<Events>(`room:${name}`);
    const first = await room.publish('say', { n: 1 });
    await room.publish('say', { n: 2 });
    const { told } = listen(room);
    await room.subscribe({ since: first });
    expect(told).toEqual([2]);
  });

  it('joins more channels later without losing or repeating in the first', async () => {
    const client = open('ana', options);
    const first = client.channel<Events>(`room:${name}a`);
    const { told } = listen(first);
    await first.subscribe();
    let n = 0;
    const busy = (async (): Promise<void> => {
      while (n < 60) await publish(`room:${name}a`, ++n);
    })();
    const others = ['b', 'c', 'd'].map((part) => client.channel<Events>(`room:${name}${part}`));
    const [nearest = first] = others;
    const second = listen(nearest);
    for (const other of others) await other.subscribe();
    await publish(`room:${name}b`, 1);
    await busy;
    await until(() => told.length >= 60 && second.told.length >= 1);
    expect(told).toEqual(Array.from({ length: 60 }, (_, at) => at + 1));
    expect(second.told).toEqual([1]);
  });

  it('hands on nothing of a channel after unsubscribe, and leaves it', async () => {
    const client = open('ana', options);
    const room = client.channel<Events>(`room:${name}a`);
    const other = client.channel<Events>(`room:${name}b`);
    const { told } = listen(room);
    const rest = listen(other);
    await Promise.all([room.subscribe(), other.subscribe()]);
    await room.unsubscribe();
    await publish(`room:${name}a`, 1);
    await publish(`room:${name}b`, 2);
    await until(() => rest.told.length === 1);
    expect(told).toEqual([]);
  });

  it('answers a refused subscribe with its error and keeps the others', async () => {
    const client = open('ana', options);
    const good = client.channel<Events>(`room:${name}`);
    const { told } = listen(good);
    const results = await Promise.allSettled([
      client.channel(`secret:${name}`).subscribe(),
      good.subscribe(),
      client.channel(`nowhere:${name}`).subscribe(),
    ]);
    expect(results).toMatchObject([
      { reason: { code: 'forbidden' } },
      { status: 'fulfilled' },
      { reason: { code: 'unknown_channel' } },
    ]);
    await publish(`room:${name}`, 1);
    await until(() => told.length === 1);
    await expect(client.channel(`secret:${name}`).subscribe()).rejects.toMatchObject({ code: 'forbidden' });
    await publish(`room:${name}`, 2);
    await until(() => told.length === 2);
    expect(client.state).toBe('connected');
  });

  it('refuses publishes, history and own events with the codes of the protocol', async () => {
    const client = open('ana', options);
    const secret = client.channel(`secret:${name}`);
    await expect(secret.publish('say', { n: 1 })).rejects.toMatchObject({ code: 'forbidden', retry: false });
    await expect(secret.history()).rejects.toMatchObject({ code: 'forbidden' });
    await expect(client.channel(`loose:${name}`).presence()).rejects.toMatchObject({ code: 'forbidden' });
    await expect(client.request('anything', {})).rejects.toMatchObject({ code: 'unknown_event' });
    expect(client.state).toBe('connected');
  });

  it('spares the sender its own copy', async () => {
    const room = open('ana', options).channel<Events>(`room:${name}`);
    const { told } = listen(room);
    await room.subscribe();
    await room.publish('say', { n: 1 }, { echo: false });
    await publish(`room:${name}`, 2);
    await room.publish('say', { n: 3 }, { echo: false });
    await room.publish('say', { n: 4 });
    await until(() => told.includes(4));
    expect(told).toEqual([2, 4]);
  });

  it('hears channels that keep nothing, also while others are joined', async () => {
    const client = open('ana', options);
    const loose = client.channel<Events>(`loose:${name}`);
    const { told } = listen(loose);
    expect(await loose.subscribe()).toMatchObject({ recoverable: false });
    let n = 0;
    while (told.length === 0) await publish(`loose:${name}`, ++n);
    await client.channel(`room:${name}`).subscribe();
    const before = told.length;
    while (told.length === before) await publish(`loose:${name}`, ++n);
    expect(new Set(told).size, 'none twice').toBe(told.length);
  });

  it('lets a stranger hear what anyone may, and nothing else', async () => {
    const client = open(undefined, options);
    const openRoom = client.channel<Events>(`open:${name}`);
    const { told } = listen(openRoom);
    await openRoom.subscribe();
    await publish(`open:${name}`, 1);
    await until(() => told.length === 1);
    await expect(client.channel(`room:${name}`).subscribe()).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    await expect(openRoom.publish('say', { n: 1 })).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(client.user).toBeUndefined();
    await openRoom.unsubscribe();
    expect(client.state).toBe('connected');
  });

  it('connects without a channel, and as a stranger too', async () => {
    for (const user of ['ana', undefined]) {
      const client = open(user, options);
      const welcomed = happens('connected', (resolve) =>
        client.on('state', ({ state }) => state === 'connected' && resolve(true)),
      );
      client.connect();
      await welcomed;
      expect(client.transport).toBe(transport);
    }
  });

  it('stops when the token is refused twice', async () => {
    let asked = 0;
    const client = new Trunkline(server.url, { ...options, minDelayMs: 50, token: () => `bad${++asked}` });
    clients.push(client);
    await expect(client.channel(`room:${name}`).subscribe()).rejects.toMatchObject({ code: 'closed' });
    expect(client.state).toBe('closed');
    expect(asked).toBe(2);
  });

  it('goes on with a new token before the old one ends', async () => {
    let asked = 0;
    const states: string[] = [];
    const now = Math.floor(Date.now() / 1000);
    const client = new Trunkline(server.url, {
      ...options,
      token: () => server.token('ana', { exp: now + (asked++ === 0 ? 12 : 3600) }),
    });
    clients.push(client);
    client.on('state', ({ state }) => states.push(state));
    const room = client.channel<Events>(`room:${name}`);
    const { told } = listen(room);
    await room.subscribe();
    await until(() => asked === 2, 'a second token');
    await publish(`room:${name}`, 1);
    await until(() => told.length === 1);
    expect(states).toEqual(['connecting', 'connected']);
  });

  it('shows who is there, and tells who comes and goes', async () => {
    const client = open('ana', { ...options, random: () => 1 });
    const room = client.channel<Events>(`room:${name}`, { presence: true });
    const changes: string[] = [];
    room.on('join', ({ member }) => changes.push(`+${member.user}`));
    room.on('leave', ({ member }) => changes.push(`-${member.user}`));
    const bob = await server.join('bob');
    await bob.subscribe(`room:${name}`);
    await room.subscribe();
    expect([...room.members.keys()]).toContain('bob');
    const eve = await server.join('eve');
    await eve.subscribe(`room:${name}`);
    await until(() => changes.includes('+eve'), 'eve to come', 12_000);
    await eve.close();
    await until(() => changes.includes('-eve'), 'eve to leave', 15_000);
    expect([...room.members.keys()]).not.toContain('eve');
    await bob.close();
  }, 40_000);
});
