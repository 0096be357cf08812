// Three whole servers over one Redis act as one: chat, presence, resume, orders; and what they do while Redis is away, and after.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { rulesFile, startE2e, UNLIMITED, type E2eServer } from '../support/e2e-server.js';
import { freshPrefix } from '../support/redis-nodes.js';
import { RedisServer } from '../support/redis-server.js';
import { startServer } from '../support/server.js';
import { disposeReaders } from '../support/transport-reader.js';
import { until } from '../support/wait.js';
import { connect, disposeClients, type Frame, type WsClient } from '../support/ws-client.js';
import { changingReader } from './changing-reader.part.js';

const RULES = [
  {
    channel: 'room:{name}',
    subscribe: 'authenticated',
    publish: 'authenticated',
    presence: true,
    history: { size: 2000, ttl: '1h' },
  },
];
/** Milliseconds in which a refusal counts as fast on a busy machine. */
const FAST_MS = 500;
/** Milliseconds after its return in which all servers have found Redis again: the longest pause between tries is 2 s. */
const BACK_MS = 5000;

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

let redis: RedisServer;
let env: Record<string, string>;
let servers: readonly E2eServer[] = [];
let rooms = 0;
const newRoom = (): string => `room:${++rooms}`;
const serverAt = (place: number): E2eServer => servers[place % servers.length] as E2eServer;

beforeAll(async () => {
  redis = await RedisServer.start();
  env = { TRUNKLINE_BACKPLANE: 'redis', REDIS_URL: redis.url, TRUNKLINE_REDIS_PREFIX: freshPrefix() };
  servers = await Promise.all(upTo(3).map(() => startE2e({ rules: RULES, env })));
});
afterEach(() => {
  disposeReaders();
  disposeClients();
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await redis.stop();
});

/** One user on each server, all in the room. */
async function crowd(room: string, options: object = {}): Promise<readonly WsClient[]> {
  const clients = await Promise.all(servers.map((server, n) => server.join(`user-${n}`)));
  for (const client of clients) await client.subscribe(room, options);
  return clients;
}

const messages = (client: WsClient, room: string) =>
  client.frames
    .filter(({ event, data }) => event === 'message' && data.channel === room)
    .map(({ data }) => data);
const offsets = (client: WsClient, room: string): number[] =>
  messages(client, room).map(({ offset }) => offset);
const about =
  (user: string) =>
  ({ data }: Frame): boolean =>
    data.member.user === user;

async function members(client: WsClient, channel: string): Promise<Record<string, number>> {
  const { members: list } = await client.ok('presence', { channel });
  return Object.fromEntries(list.map(({ user, connections }) => [user, connections]));
}

async function readiness(server: E2eServer): Promise<number> {
  return (await fetch(`${server.url}/health/ready`)).status;
}

describe('three servers over one Redis', () => {
  it('bring what is said on any of them to all, in one order', async () => {
    const room = newRoom();
    const clients = await crowd(room);
    await Promise.all(
      upTo(40).flatMap((n) => clients.map((client, place) => client.publish(room, `${place} says ${n}`))),
    );
    await until(() => clients.every((client) => offsets(client, room).length === 120), 'all to have all');
    const [first, ...others] = clients.map((client) =>
      messages(client, room).map(({ id, data }) => [id, data]),
    );
    for (const other of others) expect(other).toEqual(first);
    for (const client of clients) expect(offsets(client, room)).toEqual(upTo(120));
    for (const place of [0, 1, 2]) {
      const own = (first ?? [])
        .map(([, data]) => String(data))
        .filter((data) => data.startsWith(`${place} `));
      expect(own).toEqual(upTo(40).map((n) => `${place} says ${n}`));
    }
  });

  it('show a user once, however many servers he is on, and tell the leave with his last one', async () => {
    const room = newRoom();
    const watcher = await serverAt(2).join('watcher');
    await watcher.subscribe(room, { presence: true });
    const first = await serverAt(0).join('ana');
    const second = await serverAt(1).join('ana');
    await first.subscribe(room);
    await second.subscribe(room);
    await watcher.next('join', about('ana'));
    expect(await members(watcher, room)).toEqual({ watcher: 1, ana: 2 });
    await first.close();
    await until(async () => (await members(watcher, room))['ana'] === 1, 'the first to be gone');
    await watcher.expectNone('join', about('ana'));
    await watcher.expectNone('leave', about('ana'));
    await second.close();
    await watcher.next('leave', about('ana'));
    expect(await members(watcher, room)).toEqual({ watcher: 1 });
  });

  it('close all sessions of a user at the word of one', async () => {
    const anas = await Promise.all(servers.map((server) => server.join('ana')));
    const ben = await serverAt(1).join('ben');
    const response = await serverAt(2).api('DELETE', '/users/ana/sessions');
    expect(response.status).toBe(204);
    for (const ana of anas) expect((await ana.closed).code).toBe(4003);
    await ben.settled();
    expect(ben.isOpen).toBe(true);
  });

  it('tell the leaves of one that is closed', async () => {
    const room = newRoom();
    const watcher = await serverAt(0).join('watcher');
    await watcher.subscribe(room, { presence: true });
    const file = rulesFile(RULES);
    const fourth = await startServer({ ...UNLIMITED, TRUNKLINE_CHANNELS_FILE: file.path, ...env });
    try {
      const ana = await connect(fourth.wsUrl, { token: fourth.token('ana') });
      await ana.subscribe(room);
      await watcher.next('join', about('ana'));
    } finally {
      await fourth.close();
      file.remove();
    }
    await watcher.next('leave', about('ana'));
    expect(await members(watcher, room)).toEqual({ watcher: 1 });
  });

  it('lose nothing for anybody when their buses are cut under traffic, the last message included', async () => {
    const room = newRoom();
    const clients = await crowd(room);
    let sent = 0;
    for (const round of upTo(6)) {
      const cut = redis.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
      for (const _ of upTo(10)) await (clients[sent++ % 3] as WsClient).publish(room, sent);
      await cut;
      await (clients[round % 3] as WsClient).publish(room, ++sent);
      await until(() => clients.every((client) => offsets(client, room).length === sent), `all ${sent}`);
    }
    for (const client of clients) expect(offsets(client, room)).toEqual(upTo(sent));
  });
});

changingReader(serverAt, newRoom);

describe('while Redis is away', () => {
  it('nobody is ready, publishes and subscribes fail fast, sockets stay, and all converges after its return', async () => {
    const [room, other] = [newRoom(), newRoom()];
    const clients = await crowd(room, { presence: true });
    for (const [n, client] of clients.entries()) await client.publish(room, n);
    await until(() => clients.every((client) => offsets(client, room).length === 3), 'the first three');

    await redis.shutdown();
    await until(
      async () => (await Promise.all(servers.map(readiness))).every((status) => status === 503),
      '503',
    );
    for (const [n, client] of clients.entries()) {
      const start = performance.now();
      expect(await client.refusal('publish', { channel: room, event: 'tick', data: 'lost' })).toBe(
        'unavailable',
      );
      expect(await client.refusal('subscribe', { channel: other })).toBe('unavailable');
      const { status } = await serverAt(n).api('POST', `/channels/${room}/messages`, { event: 'e', data: 1 });
      expect(status).toBe(503);
      expect(performance.now() - start).toBeLessThan(3 * FAST_MS);
    }
    for (const client of clients) expect(client.isOpen).toBe(true);

    await redis.begin();
    const ready = async (): Promise<boolean> =>
      (await Promise.all(servers.map(readiness))).every((status) => status === 200);
    await until(ready, 'all to be ready', BACK_MS);
    // This Redis came back empty: each reader is told that the past is gone.
    for (const client of clients) {
      const { data } = await client.next('gap', (frame) => frame.data.channel === room, 15_000);
      expect(data['reason']).toBe('epoch_changed');
      client.forget();
    }
    for (const client of clients) await client.subscribe(other);
    for (const [n, client] of clients.entries()) {
      await client.publish(room, `again ${n}`);
      await client.publish(other, `again ${n}`);
    }
    for (const channel of [room, other]) {
      const again = (client: WsClient): number[] =>
        messages(client, channel)
          .filter(({ data }) => String(data).startsWith('again'))
          .map(({ offset }) => offset);
      await until(() => clients.every((client) => again(client).length === 3), 'all to be live again');
      for (const client of clients) expect(again(client)).toEqual([1, 2, 3]);
    }
    const all = { 'user-0': 1, 'user-1': 1, 'user-2': 1 };
    for (const client of clients)
      await until(
        async () => JSON.stringify(sorted(await members(client, room))) === JSON.stringify(all),
        'everybody to be present again',
        BACK_MS,
      );
    for (const client of clients) expect(client.isOpen).toBe(true);
  });

  function sorted(record: Record<string, number>): Record<string, number> {
    return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
});
