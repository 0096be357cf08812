// Leaving a channel on the bus: late, once, and never from under a newcomer. Nothing stays behind.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestCluster, type CoreNode, type TestClient } from '../support/core-node.js';
import { SeededRandom } from '../support/seeded-random.js';

const CHANNEL = 'room';
const LINGER_MS = 1000;
const upTo = (top: number, from = 1) => Array.from({ length: top - from + 1 }, (_, i) => from + i);

describe('lingering channels', () => {
  let cluster: TestCluster;
  let source: CoreNode;
  let node: CoreNode;
  let ana: TestClient;
  let ben: TestClient;

  beforeEach(async () => {
    cluster = await TestCluster.start({
      nodes: 2,
      core: { feedLingerMs: LINGER_MS, maxChannelsPerSession: 0 },
    });
    [source, node] = cluster.nodes as [CoreNode, CoreNode];
    ana = await node.connect('ana');
    ben = await node.connect('ben');
  });
  afterEach(async () => cluster.stop());

  const publish = async (count: number): Promise<void> => {
    await source.publish(CHANNEL, count);
    await cluster.clock.settle();
  };
  const subscribed = () => cluster.store.bus.channels;

  it('stay subscribed for a moment, so that a quick return costs nothing', async () => {
    await ana.subscribe(CHANNEL);
    await ana.ok('unsubscribe', { channel: CHANNEL });
    await cluster.clock.advance(LINGER_MS - 1);
    expect(subscribed()).toBe(1);
    await publish(3);
    expect((await ana.subscribe(CHANNEL)).offset).toBe(3);
    await cluster.clock.advance(10 * LINGER_MS);
    expect(node.backplane.count('subscribe')).toBe(1);
    expect(node.backplane.count('unsubscribe')).toBe(0);
    await publish(1);
    expect(ana.offsets(CHANNEL)).toEqual([4]);
  });

  it('are left when the moment is over, and subscribed again with the position of then', async () => {
    await ana.subscribe(CHANNEL);
    await ana.ok('unsubscribe', { channel: CHANNEL });
    await cluster.clock.advance(LINGER_MS);
    expect([subscribed(), node.core.hub.channelCount]).toEqual([0, 0]);
    await publish(3);
    expect((await ana.subscribe(CHANNEL)).offset).toBe(3);
    await publish(2);
    expect(ana.offsets(CHANNEL)).toEqual([4, 5]);
  });

  it('bring nothing to a session that has unsubscribed', async () => {
    await ana.subscribe(CHANNEL);
    await ben.subscribe(CHANNEL);
    await publish(1);
    await ana.ok('unsubscribe', { channel: CHANNEL });
    await publish(2);
    expect(ana.offsets(CHANNEL)).toEqual([1]);
    expect(ben.offsets(CHANNEL)).toEqual([1, 2, 3]);
    expect(ana.stream(CHANNEL).standing).toBeUndefined();
  });

  it.each(['request', 'answer'] as const)(
    'let a newcomer wait for the end of their leaving, and begin afresh: %s',
    async (stage) => {
      await ana.subscribe(CHANNEL);
      await publish(2);
      await ana.ok('unsubscribe', { channel: CHANNEL });
      const gate = node.backplane.hold('unsubscribe', stage);
      await cluster.clock.advance(LINGER_MS);
      expect(gate.waiting).toBe(1);
      const id = ben.send('subscribe', { channel: CHANNEL });
      await publish(3);
      expect(ben.reply(id)).toBeUndefined();
      gate.open();
      await cluster.clock.settle();
      expect(ben.reply(id)?.data).toMatchObject({ offset: 5 });
      await publish(2);
      expect(ben.offsets(CHANNEL)).toEqual([6, 7]);
      expect(subscribed()).toBe(1);
    },
  );

  it('keep many newcomers who come one by one while they are left', async () => {
    await ana.subscribe(CHANNEL);
    await ana.ok('unsubscribe', { channel: CHANNEL });
    const gate = node.backplane.hold('unsubscribe');
    await cluster.clock.advance(LINGER_MS);
    for (const client of [ana, ben]) {
      client.send('subscribe', { channel: CHANNEL });
      await cluster.clock.advance(LINGER_MS);
    }
    gate.open();
    await cluster.clock.settle();
    await publish(2);
    for (const client of [ana, ben]) expect(client.offsets(CHANNEL)).toEqual([1, 2]);
    expect(node.backplane.count('subscribe')).toBe(2);
  });

  it('are not left by an old leaving once somebody is there again', async () => {
    await ana.subscribe(CHANNEL);
    await ana.ok('unsubscribe', { channel: CHANNEL });
    await cluster.clock.advance(LINGER_MS / 2);
    await ben.subscribe(CHANNEL);
    await cluster.clock.advance(5 * LINGER_MS);
    await publish(1);
    expect(ben.offsets(CHANNEL)).toEqual([1]);
    expect(node.backplane.count('unsubscribe')).toBe(0);
  });

  it('stay for the whole moment after the last one has gone, whenever others went before', async () => {
    await ana.subscribe(CHANNEL);
    await ana.ok('unsubscribe', { channel: CHANNEL });
    await cluster.clock.advance(LINGER_MS * 0.5);
    await ana.subscribe(CHANNEL);
    await cluster.clock.advance(LINGER_MS * 0.25);
    await ana.ok('unsubscribe', { channel: CHANNEL });
    await cluster.clock.advance(LINGER_MS - 1);
    expect(subscribed()).toBe(1);
    await cluster.clock.advance(1);
    expect(subscribed()).toBe(0);
  });

  it('stay behind on the bus for nobody: the newcomer of a slow leaving has gone again', async () => {
    await ana.subscribe(CHANNEL);
    await ana.ok('unsubscribe', { channel: CHANNEL });
    const gate = node.backplane.hold('unsubscribe');
    await cluster.clock.advance(LINGER_MS);
    ben.send('subscribe', { channel: CHANNEL });
    await cluster.clock.settle();
    ben.session.closed(1006);
    await cluster.clock.advance(2 * LINGER_MS);
    gate.open();
    await cluster.clock.advance(5 * LINGER_MS);
    expect([subscribed(), node.core.hub.channelCount]).toEqual([0, 0]);
  });

  it('do not take the answer of an old repair for news after they were left and subscribed again', async () => {
    await ana.subscribe(CHANNEL);
    await publish(2);
    node.faults(() => 'drop');
    await publish(3);
    node.faults(undefined);
    const read = node.backplane.hold('read');
    await publish(1);
    expect(read.waiting).toBe(1);
    await ana.ok('unsubscribe', { channel: CHANNEL });
    const unsubscribe = node.backplane.hold('unsubscribe');
    await cluster.clock.advance(LINGER_MS);
    ben.send('subscribe', { channel: CHANNEL });
    await publish(2);
    unsubscribe.open();
    await cluster.clock.settle();
    await publish(1);
    read.open();
    await cluster.clock.settle();
    await publish(2);
    expect(ben.offsets(CHANNEL)).toEqual(upTo(11, 9));
  });

  it('leave nothing in any registry after a storm', async () => {
    const random = new SeededRandom(3);
    const clients: TestClient[] = [];
    for (let step = 0; step < 600; step++) {
      const act = random.below(10);
      const client = clients[random.below(clients.length)];
      const channel = `storm:${random.below(8)}`;
      if (act < 2 || client === undefined) clients.push(await node.connect(`user${random.below(5)}`));
      else if (act < 6) client.send('subscribe', { channel, presence: true });
      else if (act < 8) client.send('unsubscribe', { channel });
      else if (act < 9) client.send('publish', { channel, event: 'e', data: step });
      else {
        client.session.closed(1006);
        clients.splice(clients.indexOf(client), 1);
      }
      if (random.below(4) === 0) await cluster.clock.advance(random.below(400));
    }
    for (const client of [...clients, ana, ben]) client.session.closed(1001);
    await cluster.clock.advance(10_000);
    const { hub, presence } = node.core;
    expect([hub.sessionCount, hub.userCount, hub.channelCount, presence.pending]).toEqual([0, 0, 0, 0]);
    expect([subscribed(), cluster.store.sizes.presence]).toEqual([0, 0]);
    await cluster.stop();
    await cluster.clock.advance(60_000);
    expect(cluster.clock.pending).toBe(0);
  });
});
