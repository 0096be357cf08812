// What the Redis backplane leaves in Redis and who may use it: an end for every key, applications apart, slots that no name chooses,
// logins that say what is wrong.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import { redisOptions } from '../../src/backplanes/redis/redis.options.js';
import { RecordingListener } from '../support/recording-listener.js';
import { startCluster, startStandalone, timesToLive, type RedisFleet } from '../support/redis-fleet.js';
import {
  append,
  freshPrefix,
  offsetsOf,
  redisNode,
  startPeer,
  stopPeers,
  type Peer,
} from '../support/redis-nodes.js';
import { askRedis, RedisServer, type Command } from '../support/redis-server.js';
import { until } from '../support/wait.js';

const upTo = (top: number): number[] => Array.from({ length: top }, (_, i) => i + 1);
const entry = (session: string, user = session) => ({ session, user, name: undefined, since: 1 });

afterEach(() => stopPeers());

/** A little of everything. */
async function workload(a: Peer, b: Peer): Promise<void> {
  for (const n of upTo(10)) {
    const channel = `mixed:${n}`;
    await a.node.subscribe(channel);
    await append(a, channel);
    await append(b, channel, { idempotencyKey: `key ${n}` });
    const draft = { event: 'typing', data: '{}', from: undefined, key: undefined };
    await b.node.append(channel, draft, {
      history: undefined,
      idempotencyKey: `told ${n}`,
      except: undefined,
    });
    await offsetsOf(a, channel);
    await b.node.tops([channel, `asked:${n}`]);
    await offsetsOf(b, `read:${n}`);
    for (const peer of [a, b]) await peer.node.enter(channel, entry(`session ${peer === a ? 'a' : 'b'}`));
    if (n % 2 === 0) await a.node.exit(channel, entry('session a'));
    await a.node.control({ type: 'subscribe', user: `user ${n}`, channel });
  }
}

describe.each([
  ['standalone', startStandalone],
  ['Cluster', startCluster],
] as const)('keys in Redis, %s', (_name, start) => {
  let fleet: RedisFleet;
  beforeAll(async () => {
    fleet = await start();
  });
  afterAll(() => fleet.stop());

  it('all have an end after all that a server does, and after it has gone', async () => {
    const prefix = freshPrefix();
    const settings = { url: fleet.url, prefix, beatMs: 50 };
    const [a, b] = [await startPeer(settings), await startPeer(settings)];
    await workload(a, b);
    const during = await timesToLive(fleet, prefix);
    expect(during.size).toBeGreaterThan(60);
    expect([...during].filter(([, left]) => left <= 0)).toEqual([]);
    await stopPeers();
    const after = await timesToLive(fleet, prefix);
    expect([...after].filter(([, left]) => left <= 0)).toEqual([]);
    const keys = new RedisKeys(prefix);
    expect([...after.keys()].filter((key) => key === keys.presence('mixed:1'))).toEqual([]);
  });

  it('no other application is met, not even one whose prefix begins alike, or is the same in another database', async () => {
    const prefix = freshPrefix();
    const peers = await Promise.all([
      ...[prefix, `${prefix}:`, `${prefix}:node`, `${prefix}2`].map((own) =>
        startPeer({ url: fleet.url, prefix: own }),
      ),
      // A Cluster has one database.
      ...(fleet.url.includes(',') ? [] : [1, 12]).map((db) =>
        startPeer({ url: `${fleet.url}/${db}`, prefix }),
      ),
    ]);
    const channel = 'shared:1';
    for (const { node } of peers) await node.subscribe(channel);
    for (const [n, peer] of peers.entries()) {
      for (const _ of upTo(n + 1)) await append(peer, channel);
      await peer.node.enter(channel, entry(`user-${n}`));
      await peer.node.control({ type: 'disconnect', user: `user-${n}`, code: 4003, reason: '' });
    }
    for (const [n, peer] of peers.entries()) {
      await peer.ear.until('its own', () => peer.ear.control.length > 0);
      expect(await offsetsOf(peer, channel)).toEqual(upTo(n + 1));
      expect(peer.ear.offsets(channel)).toEqual(upTo(n + 1));
      expect(peer.ear.moves(channel)).toEqual([`join user-${n}`]);
      expect(peer.ear.control.map(({ user }) => user)).toEqual([`user-${n}`]);
      expect(await peer.node.members(channel)).toMatchObject([{ user: `user-${n}`, connections: 1 }]);
    }
  });

  it.each(['a}b{c', '{x}', '}{', '{', '{}', '}:b:{', '__proto__', 'a b', '\r\nFLUSHALL\r\n', '*', '\u0000'])(
    'a channel named %j is one like any other',
    async (channel) => {
      const settings = { url: fleet.url, prefix: freshPrefix() };
      const [a, b] = [await startPeer(settings), await startPeer(settings)];
      await a.node.subscribe(channel);
      const { position } = await append(b, channel, { idempotencyKey: channel });
      expect(await append(a, channel, { idempotencyKey: channel })).toEqual({ position, duplicate: true });
      await b.node.enter(channel, entry('ana'));
      await a.ear.until('the join', () => a.ear.moves(channel).length === 1);
      expect(a.ear.offsets(channel)).toEqual([1]);
      expect(await offsetsOf(a, channel)).toEqual([1]);
      expect(await a.node.members(channel)).toMatchObject([{ user: 'ana' }]);
    },
  );
});

describe('slots of a Cluster', () => {
  it('are chosen by no name from outside, and all keys of a channel share one', async () => {
    const server = await RedisServer.start({ args: ['--cluster-enabled', 'yes'] });
    try {
      const keys = new RedisKeys('app');
      const odd = ['a}b{c', '{x}', '}{', '{', '{}', '}:b:{y}', '__proto__'];
      const names = [...odd, ...upTo(1500).map((n) => `{same}:${n}`)];
      const kinds = (name: string): string[] => [
        keys.meta(name),
        keys.stream(name),
        keys.idempotency(name, '{k}'),
        keys.presence(name),
        keys.bus(name),
      ];
      const asked = names.flatMap(kinds).map((key): Command => ['CLUSTER', 'KEYSLOT', key]);
      // As Redis itself reckons them.
      const slots = (await askRedis(server.url, ...asked)) as number[];
      const width = slots.length / names.length;
      const fill = new Map<number, number>();
      for (const [n, name] of names.entries()) {
        const own = new Set(slots.slice(n * width, (n + 1) * width));
        expect(own.size, name).toBe(1);
        for (const slot of own) fill.set(slot, (fill.get(slot) ?? 0) + 1);
      }
      expect(fill.size, 'slots in use').toBeGreaterThan(100);
      expect(Math.max(...fill.values()), 'names in the fullest').toBeLessThan(60);
    } finally {
      await server.stop();
    }
  });

  it('cannot be steered by a prefix', () => {
    for (const prefix of ['{x}', 'a{b', 'a}b', 'a b', '', '\n', 'x'.repeat(65)])
      expect(redisOptions.safeParse({ prefix }).success, prefix).toBe(false);
  });
});

describe('a login', () => {
  const prefix = freshPrefix();
  let server: RedisServer;
  const as = (login: string): string => `redis://${login}@127.0.0.1:${server.port}`;
  beforeAll(async () => {
    server = await RedisServer.start();
    const users: Command[] = [
      ['ACL', 'SETUSER', 'app', 'on', '>right', `~${prefix}:*`, `&${prefix}:*`, '+@all', '-@dangerous'],
      ['ACL', 'SETUSER', 'elsewhere', 'on', '>right', '~other:*', '&*', '+@all'],
      ['ACL', 'SETUSER', 'deaf', 'on', '>right', '~*', '+@all'],
      ['ACL', 'SETUSER', 'reader', 'on', '>right', '~*', '&*', '+@read', '+@connection', '+@pubsub', '+info'],
      ['ACL', 'SETUSER', 'default', '>secret', 'resetpass', '>secret'],
    ];
    // The last one locks the door behind this connection.
    await askRedis(server.url, ...users);
  });
  afterAll(() => server.stop());

  it.each([
    ['that is missing', () => server.url, /NOAUTH/],
    ['with a wrong password', () => as(':wrong'), /WRONGPASS/],
    ['of a user that is not there', () => as('nobody:right'), /WRONGPASS/],
    ['without rights on the keys', () => as('elsewhere:right'), /NOPERM|permission/i],
    ['without rights on the bus', () => as('deaf:right'), /NOPERM|permission/i],
    ['without rights to write', () => as('reader:right'), /NOPERM|permission/i],
  ])('%s is an error of the start that says so', async (_name, url, message) => {
    const node = redisNode({ url: url(), prefix, connectTimeoutMs: 1000, commandTimeoutMs: 1000 });
    const start = performance.now();
    await expect(node.start(new RecordingListener())).rejects.toThrow(message);
    expect(performance.now() - start).toBeLessThan(3000);
    expect(node.healthy()).toBe(false);
    const left = async (): Promise<number> => {
      const [list] = await askRedis(as(':secret'), ['CLIENT', 'LIST']);
      return String(list).trim().split('\n').length;
    };
    await until(async () => (await left()) === 1, 'its connections to be closed');
  });

  it('of the master user is enough', async () => {
    const peer = await startPeer({ url: as(':secret'), prefix });
    expect((await append(peer, 'login:master')).position.offset).toBe(1);
  });

  it('of a user with rights on the prefix and no dangerous command is enough', async () => {
    const [a, b] = [
      await startPeer({ url: as('app:right'), prefix }),
      await startPeer({ url: as('app:right'), prefix }),
    ];
    await workload(a, b);
    await a.ear.until('orders', () => a.ear.control.length >= 10);
    await a.ear.until('publications', () => a.ear.offsets('mixed:10').length === 3);
  });
});
