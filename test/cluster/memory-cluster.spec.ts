// Three whole cores over one memory store, whose bus drops, repeats and delays: together they behave as one.

import { afterEach, describe, expect, it } from 'vitest';
import type { BusFate } from '../../src/backplanes/memory/memory.bus.js';
import { TestCluster, type ClusterSettings, type CoreNode, type TestClient } from '../support/core-node.js';
import { SeededRandom } from '../support/seeded-random.js';

const CHECK_MS = 5000;
const GRACE_MS = 2000;
const HISTORY = { size: 5000, ttlMs: 86_400_000 };
const upTo = (top: number, from = 1) => Array.from({ length: top - from + 1 }, (_, i) => from + i);

describe('three cores over one memory store', () => {
  let cluster: TestCluster;
  let nodes: readonly [CoreNode, CoreNode, CoreNode];

  async function start(settings: ClusterSettings = {}): Promise<void> {
    const core = { positionCheckMs: CHECK_MS, leaveGraceMs: GRACE_MS, maxChannelsPerSession: 0 };
    const rules = { '*': { presence: true, history: HISTORY, ephemeral: new Set(['typing']) } };
    cluster = await TestCluster.start({ nodes: 3, core, rules, ...settings });
    nodes = cluster.nodes as unknown as [CoreNode, CoreNode, CoreNode];
  }
  afterEach(async () => cluster.stop());

  const nodeAt = (index: number): CoreNode => nodes[index % 3] as CoreNode;
  const idsOf = (client: TestClient, channel: string) =>
    new Map(client.stream(channel).seen.map(({ offset, id }) => [offset, id]));
  const logOf = (channel: string) => {
    const { publications } = cluster.store.read(channel, { after: 0, limit: 5000, reverse: false });
    return new Map(publications.map(({ offset, id }) => [offset, id]));
  };

  async function listeners(count: number, channel: string): Promise<TestClient[]> {
    const clients: TestClient[] = [];
    for (let i = 0; i < count; i++) {
      const client = await nodeAt(i).connect(`user${i}`);
      await client.subscribe(channel);
      clients.push(client);
    }
    return clients;
  }

  /** Publications from all nodes at once, `count` in all, with time passing between. */
  async function traffic(channel: string, count: number, random: SeededRandom): Promise<void> {
    for (let sent = 0; sent < count;) {
      const burst = Math.min(1 + random.below(6), count - sent);
      const publishing = upTo(burst).map((n) => nodeAt(random.below(3) + n).publish(channel));
      await Promise.all(publishing);
      sent += burst;
      if (random.below(5) === 0) await cluster.clock.advance(random.below(200));
      else await cluster.clock.settle();
    }
  }

  const FAULTS: [string, (random: SeededRandom) => BusFate][] = [
    ['drops one in ten', (random) => (random.below(10) === 0 ? 'drop' : 'deliver')],
    ['drops nine in ten', (random) => (random.below(10) === 0 ? 'deliver' : 'drop')],
    ['repeats one in three', (random) => (random.below(3) === 0 ? 'duplicate' : 'deliver')],
    ['delays one in four', (random) => (random.below(4) === 0 ? { delayMs: random.below(400) } : 'deliver')],
    [
      'does all of it',
      (random) =>
        (['drop', 'duplicate', { delayMs: 90 }, 'deliver', 'deliver'] as const)[random.below(5)] ?? 'deliver',
    ],
  ];
  it.each(FAULTS)('every subscriber sees 1 to n, with the same ids, when the bus %s', async (_name, fate) => {
    await start();
    const random = new SeededRandom(11);
    const clients = await listeners(9, 'room');
    for (const node of nodes)
      node.faults((message) => (message.kind === 'publication' ? fate(random) : 'deliver'));
    await traffic('room', 400, random);
    await cluster.clock.advance(3 * CHECK_MS);
    const expected = logOf('room');
    expect([...expected.keys()]).toEqual(upTo(400));
    for (const client of clients) {
      expect(client.stream('room').discontinuities).toBe(0);
      expect(idsOf(client, 'room')).toEqual(expected);
    }
  });

  it('finds the last message of many quiet channels within two checks, lost on all ways', async () => {
    await start();
    const channels = upTo(30).map((n) => `quiet:${n}`);
    const client = await nodes[1].connect('ana');
    for (const channel of channels) client.send('subscribe', { channel });
    await cluster.clock.settle();
    for (const node of nodes) node.faults(() => 'drop');
    for (const channel of channels) await nodes[0].publish(channel, 2);
    expect(client.pushes('message')).toEqual([]);
    await cluster.clock.advance(2 * CHECK_MS);
    for (const channel of channels) expect(client.offsets(channel)).toEqual([1, 2]);
  });

  it('gives sequential publishes of one client, on any node, growing offsets, and tells their own places', async () => {
    await start();
    const [listener] = await listeners(1, 'room');
    const publishers = [
      await nodes[0].connect('p0'),
      await nodes[1].connect('p1'),
      await nodes[2].connect('p2'),
    ];
    const told = new Map<number, string>();
    for (let round = 0; round < 20; round++) {
      const replies = await Promise.all(
        publishers.map((client) => client.ok('publish', { channel: 'room', event: 'e', data: round })),
      );
      for (const { offset, id } of replies) told.set(offset as number, id as string);
    }
    const sorted = new Map([...told].sort(([a], [b]) => a - b));
    expect([...sorted.keys()]).toEqual(upTo(60));
    expect(idsOf(listener as TestClient, 'room')).toEqual(sorted);
    const data = (listener as TestClient).pushes('message').map((message) => message['data']);
    expect(data).toEqual(data.toSorted((a, b) => (a as number) - (b as number)));
  });

  it('lets a client move from node to node while the bus loses, and it misses and repeats nothing', async () => {
    await start();
    const random = new SeededRandom(23);
    for (const node of nodes) node.faults(() => (random.below(10) === 0 ? 'drop' : 'deliver'));
    const still = await nodes[0].connect('still');
    await still.subscribe('room');
    const seen: number[] = [];
    let since: object = cluster.store.top('room');
    for (let stay = 0; stay < 40; stay++) {
      const client = await nodeAt(random.below(3)).connect('mover');
      const reply = await client.ok('subscribe', { channel: 'room', since });
      expect(reply).toMatchObject({ recovered: true });
      await traffic('room', random.below(8), random);
      const { standing } = client.stream('room');
      seen.push(...client.offsets('room'));
      since = { epoch: standing?.epoch, offset: standing?.offset };
      client.session.closed(1006);
      await traffic('room', random.below(5), random);
    }
    await cluster.clock.advance(3 * CHECK_MS);
    const top = cluster.store.top('room').offset;
    const last = await nodes[2].connect('mover');
    await last.ok('subscribe', { channel: 'room', since });
    seen.push(...last.offsets('room'));
    expect(seen).toEqual(upTo(top));
    expect(still.offsets('room')).toEqual(upTo(top));
  });

  it('tells every subscriber on every node when the log is replaced, once, and goes on', async () => {
    await start();
    const clients = await listeners(6, 'room');
    await nodes[0].publish('room', 10);
    cluster.store.flush();
    await cluster.clock.advance(3 * CHECK_MS);
    await nodes[1].publish('room', 5);
    await cluster.clock.settle();
    const { epoch } = cluster.store.top('room');
    for (const client of clients) {
      expect(client.pushes('gap')).toMatchObject([{ epoch, reason: 'epoch_changed' }]);
      expect(client.stream('room').standing).toEqual({ epoch, offset: 5 });
    }
  });

  it('publishes once for one idempotency key, whichever nodes are asked at once', async () => {
    await start();
    const [listener] = await listeners(1, 'room');
    const clients = [await nodes[0].connect('p'), await nodes[1].connect('p'), await nodes[2].connect('p')];
    const data = { channel: 'room', event: 'e', data: 1, idempotencyKey: 'order-7' };
    const replies = await Promise.all([...clients, ...clients].map((client) => client.ok('publish', data)));
    expect(replies.filter(({ duplicate }) => duplicate === false)).toHaveLength(1);
    expect(new Set(replies.map(({ offset }) => offset))).toEqual(new Set([1]));
    expect(listener?.offsets('room')).toEqual([1]);
  });

  it('brings events that are not kept to all nodes', async () => {
    await start();
    const clients = await listeners(3, 'room');
    await nodes[2].publish('room', 1, { event: 'typing' });
    await cluster.clock.settle();
    for (const client of clients) expect(client.pushes('message')).toMatchObject([{ event: 'typing' }]);
  });

  describe('presence', () => {
    it('is one list on all nodes, and counts the sessions of a user over them', async () => {
      await start();
      const watcher = await nodes[2].connect('watcher');
      await watcher.subscribe('room', { presence: true });
      const first = await nodes[0].connect('ana');
      await first.subscribe('room');
      const second = await nodes[1].connect('ana');
      const reply = await second.ok('subscribe', { channel: 'room', presence: true });
      expect(reply['members']).toMatchObject([{ user: 'ana', connections: 2 }, { user: 'watcher' }]);
      expect(watcher.pushes('join')).toMatchObject([{ member: { user: 'ana' } }]);
      first.session.closed(1006);
      await cluster.clock.advance(GRACE_MS);
      expect(watcher.pushes('leave')).toEqual([]);
      await second.ok('unsubscribe', { channel: 'room' });
      await cluster.clock.advance(GRACE_MS);
      expect(watcher.pushes('leave')).toMatchObject([{ member: { user: 'ana', connections: 0 } }]);
      expect(await watcher.ok('presence', { channel: 'room' })).toMatchObject({
        members: [{ user: 'watcher' }],
      });
    });

    it('hears nothing of a user who reloads onto another node', async () => {
      await start();
      const watcher = await nodes[2].connect('watcher');
      await watcher.subscribe('room', { presence: true });
      for (let reload = 0; reload < 6; reload++) {
        const client = await nodeAt(reload).connect('ana');
        await client.subscribe('room');
        client.session.closed(1001);
        await cluster.clock.advance(GRACE_MS / 2);
      }
      expect(watcher.pushes('join')).toHaveLength(1);
      expect(watcher.pushes('leave')).toEqual([]);
      await cluster.clock.advance(GRACE_MS);
      expect(watcher.pushes('leave')).toHaveLength(1);
    });

    it('ends with a node that stops, at once', async () => {
      await start();
      const watcher = await nodes[2].connect('watcher');
      await watcher.subscribe('room', { presence: true });
      for (const user of ['ana', 'ben']) await (await nodes[0].connect(user)).subscribe('room');
      await (await nodes[1].connect('ben')).subscribe('room');
      await nodes[0].core.stop();
      await cluster.clock.settle();
      expect(watcher.pushes('leave')).toMatchObject([{ member: { user: 'ana' } }]);
      const members = await watcher.ok('presence', { channel: 'room' });
      expect(members).toMatchObject({ members: [{ user: 'ben', connections: 1 }, { user: 'watcher' }] });
    });

    it('agrees with who is there after a storm of 1,000 acts', async () => {
      await start();
      const random = new SeededRandom(5);
      const watcher = await nodes[0].connect('watcher');
      await watcher.subscribe('room', { presence: true });
      let clients: { client: TestClient; user: string; inside: boolean }[] = [];
      for (let step = 0; step < 1000; step++) {
        const one = clients[random.below(clients.length)];
        const act = random.below(4);
        if (one === undefined || (act === 0 && clients.length < 30)) {
          const user = `user${random.below(8)}`;
          clients.push({ client: await nodeAt(random.below(3)).connect(user), user, inside: false });
        } else if (act === 1) {
          one.client.session.closed(1006);
          clients = clients.filter((other) => other !== one);
        } else {
          one.client.send(one.inside ? 'unsubscribe' : 'subscribe', { channel: 'room' });
          one.inside = !one.inside;
        }
        if (random.below(6) === 0) await cluster.clock.advance(random.below(1500));
      }
      await cluster.clock.advance(2 * GRACE_MS);
      const expected = new Map([['watcher', 1]]);
      for (const { user, inside } of clients) if (inside) expected.set(user, (expected.get(user) ?? 0) + 1);
      const members = cluster.store.members('room');
      expect(new Map(members.map(({ user, connections }) => [user, connections]))).toEqual(expected);
      const present = new Set(['watcher']);
      for (const { event, data } of watcher.frames) {
        if (event !== 'join' && event !== 'leave') continue;
        const { user } = data['member'] as { user: string };
        expect(present.has(user), `${event} ${user}`).toBe(event === 'leave');
        if (event === 'join') present.add(user);
        else present.delete(user);
      }
      expect(present).toEqual(new Set(expected.keys()));
    });
  });

  describe('control', () => {
    it('closes the sessions of a user on all nodes, and no others', async () => {
      await start();
      const ana = await Promise.all(nodes.map((node) => node.connect('ana')));
      const ben = await nodes[1].connect('ben');
      await nodes[2].backplane.control({ type: 'disconnect', user: 'ana', code: 4003, reason: 'revoked' });
      await cluster.clock.settle();
      expect(ana.map(({ link }) => link.closed)).toEqual(ana.map(() => ({ code: 4003, reason: 'revoked' })));
      expect(ben.link.closed).toBeUndefined();
      expect(nodes.map((node) => node.core.hub.sessionCount)).toEqual([0, 1, 0]);
    });

    it('joins and drops the sessions of a user on all nodes', async () => {
      await start();
      const ana = await Promise.all(nodes.map((node) => node.connect('ana')));
      const order = { user: 'ana', channel: 'room' } as const;
      await nodes[0].backplane.control({ type: 'subscribe', ...order });
      await nodes[0].backplane.control({ type: 'subscribe', ...order });
      await cluster.clock.settle();
      await nodes[1].publish('room', 2);
      await cluster.clock.settle();
      for (const client of ana) {
        expect(client.pushes('subscribed')).toHaveLength(1);
        expect(client.offsets('room')).toEqual([1, 2]);
      }
      await nodes[2].backplane.control({ type: 'unsubscribe', ...order });
      await cluster.clock.settle();
      await nodes[1].publish('room', 2);
      await cluster.clock.settle();
      for (const client of ana) {
        expect(client.pushes('unsubscribed')).toMatchObject([{ channel: 'room', code: 'forbidden' }]);
        expect(client.offsets('room')).toEqual([1, 2]);
      }
    });
  });

  it('leaves nothing behind when all sessions have gone', async () => {
    await start();
    const random = new SeededRandom(2);
    const clients = await listeners(12, 'room');
    await traffic('room', 50, random);
    for (const client of clients) client.session.closed(1001);
    await cluster.clock.advance(10_000);
    for (const { core } of nodes) {
      const { hub, presence } = core;
      expect([hub.sessionCount, hub.userCount, hub.channelCount, presence.pending]).toEqual([0, 0, 0, 0]);
    }
    expect([cluster.store.bus.channels, cluster.store.sizes.presence]).toEqual([0, 0]);
  });
});
