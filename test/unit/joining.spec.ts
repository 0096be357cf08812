// Subscribing while things happen: what is published meanwhile comes exactly once, in the reply or live, or its loss is told.

import { afterEach, describe, expect, it } from 'vitest';
import { TrunklineError } from '../../src/core/errors.js';
import { TestCluster, type ClusterSettings, type CoreNode, type TestClient } from '../support/core-node.js';
import type { Gate, Method } from '../support/gated-backplane.js';
import { SeededRandom } from '../support/seeded-random.js';

const CHANNEL = 'room';
const CHECK_MS = 5000;
/** Replies come from the log here; `resume-from-memory.spec.ts` is about those that need not ask it. */
const CORE = { positionCheckMs: CHECK_MS, tailMessages: 0 };
const away = () => new TrunklineError('unavailable', 'The backplane is away.');
const upTo = (top: number, from = 1) => Array.from({ length: top - from + 1 }, (_, i) => from + i);

describe('joining', () => {
  let cluster: TestCluster;
  let source: CoreNode;
  let node: CoreNode;
  let client: TestClient;

  async function start(settings: ClusterSettings = {}): Promise<void> {
    cluster = await TestCluster.start({ nodes: 2, core: CORE, ...settings });
    [source, node] = cluster.nodes as [CoreNode, CoreNode];
    client = await node.connect('ana');
  }
  afterEach(async () => cluster.stop());

  const publish = async (count: number): Promise<void> => {
    await source.publish(CHANNEL, count);
    await cluster.clock.settle();
  };
  const loseOnBus = (lost: boolean) => node.faults(lost ? () => 'drop' : undefined);
  const messagesOf = (id: number) =>
    (client.answer(id).data['messages'] as { offset: number }[]).map(({ offset }) => offset);

  /**
   * Resumes after `offset`. The reply is read from the log, which is ahead of the bus; the repair that this sets off
   * waits at the gate `ahead` with its question not yet asked.
   */
  async function joinAhead(offset: number): Promise<{ id: number; ahead: Gate }> {
    const { epoch } = cluster.store.top(CHANNEL);
    const reply = node.backplane.hold('read', 'answer');
    const id = client.send('subscribe', { channel: CHANNEL, since: { epoch, offset } });
    await cluster.clock.settle();
    expect(reply.waiting).toBe(1);
    reply.open();
    const ahead = node.backplane.hold('read', 'request');
    await cluster.clock.settle();
    expect(ahead.waiting).toBe(1);
    return { id, ahead };
  }

  const steps: [Method, 'request' | 'answer'][] = [
    ['subscribe', 'request'],
    ['subscribe', 'answer'],
    ['tops', 'request'],
    ['tops', 'answer'],
    ['enter', 'request'],
    ['enter', 'answer'],
    ['members', 'request'],
    ['members', 'answer'],
  ];
  it.each(steps)('misses nothing that comes during %s, %s', async (method, stage) => {
    await start({ nodes: 2, rules: { '*': { presence: true } } });
    await publish(3);
    const gate = node.backplane.hold(method, stage);
    const id = client.send('subscribe', { channel: CHANNEL, presence: true });
    await cluster.clock.settle();
    expect(gate.waiting).toBe(1);
    await publish(4);
    gate.open();
    await cluster.clock.settle();
    await publish(3);
    const { offset } = client.answer(id).data as { offset: number };
    expect(client.offsets(CHANNEL)).toEqual(upTo(10, offset + 1));
    expect(offset).toBeGreaterThanOrEqual(3);
  });

  it.each(['request', 'answer'] as const)(
    'misses nothing that comes while the log is read for a resume, %s',
    async (stage) => {
      await start();
      await publish(3);
      const { epoch } = cluster.store.top(CHANNEL);
      const gate = node.backplane.hold('read', stage);
      const id = client.send('subscribe', { channel: CHANNEL, since: { epoch, offset: 1 } });
      await cluster.clock.settle();
      expect(gate.waiting).toBe(1);
      await publish(4);
      gate.open();
      await cluster.clock.settle();
      await publish(3);
      expect(client.offsets(CHANNEL)).toEqual(upTo(10, 2));
      expect(messagesOf(id)).toEqual(stage === 'request' ? upTo(7, 2) : [2, 3]);
    },
  );

  it('opens the channel once for many who join at the same time', async () => {
    await start();
    const clients = [client];
    for (let i = 0; i < 9; i++) clients.push(await node.connect('ben'));
    const gate = node.backplane.hold('subscribe');
    for (const one of clients) one.send('subscribe', { channel: CHANNEL });
    await cluster.clock.settle();
    gate.open();
    await cluster.clock.settle();
    await publish(3);
    for (const one of clients) expect(one.offsets(CHANNEL)).toEqual([1, 2, 3]);
    expect(node.backplane.count('subscribe')).toBe(1);
    expect(node.backplane.count('tops')).toBe(1);
  });

  it('fails all who wait when the channel cannot be opened, and lets them try again', async () => {
    await start();
    const ben = await node.connect('ben');
    const gate = node.backplane.hold('tops', 'request');
    const ids = [client.send('subscribe', { channel: CHANNEL }), ben.send('subscribe', { channel: CHANNEL })];
    await cluster.clock.settle();
    gate.fail(away());
    await cluster.clock.settle();
    const refused = { event: 'error', data: { code: 'unavailable', retry: true } };
    expect([client.reply(ids[0] as number), ben.reply(ids[1] as number)]).toMatchObject([refused, refused]);
    await publish(2);
    expect((await client.subscribe(CHANNEL)).offset).toBe(2);
    await publish(1);
    expect(client.offsets(CHANNEL)).toEqual([3]);
    expect(ben.pushes('message')).toEqual([]);
  });

  it('joins during a repair and takes part in its end', async () => {
    await start();
    const ben = await node.connect('ben');
    await ben.subscribe(CHANNEL);
    await publish(2);
    loseOnBus(true);
    await publish(3);
    loseOnBus(false);
    const gate = node.backplane.hold('read');
    await publish(1);
    expect((await client.subscribe(CHANNEL)).offset).toBe(2);
    gate.open();
    await cluster.clock.settle();
    await publish(2);
    expect(client.offsets(CHANNEL)).toEqual(upTo(8, 3));
    expect(ben.offsets(CHANNEL)).toEqual(upTo(8));
  });

  it('gets nothing twice when its reply was read from the log ahead of the bus', async () => {
    await start();
    const ben = await node.connect('ben');
    await ben.subscribe(CHANNEL);
    await publish(2);
    loseOnBus(true);
    await publish(3);
    const { epoch } = cluster.store.top(CHANNEL);
    const reply = await client.ok('subscribe', { channel: CHANNEL, since: { epoch, offset: 1 } });
    expect(reply).toMatchObject({ recovered: true, offset: 5 });
    loseOnBus(false);
    await publish(3);
    expect(client.offsets(CHANNEL)).toEqual(upTo(8, 2));
    expect(ben.offsets(CHANNEL)).toEqual(upTo(8));
  });

  it('waits ahead of the bus while the log does not answer, then is live like the others', async () => {
    await start();
    const ben = await node.connect('ben');
    await ben.subscribe(CHANNEL);
    await publish(1);
    loseOnBus(true);
    await publish(3);
    loseOnBus(false);
    const { id: first, ahead } = await joinAhead(0);
    await publish(2);
    ahead.open();
    await cluster.clock.settle();
    await publish(2);
    expect(messagesOf(first)).toEqual(upTo(4));
    expect(client.offsets(CHANNEL)).toEqual(upTo(8));
    expect(ben.offsets(CHANNEL)).toEqual(upTo(8));
  });

  it('is told when writes are lost that its reply has and the bus had not brought', async () => {
    await start();
    const ben = await node.connect('ben');
    await ben.subscribe(CHANNEL);
    await publish(2);
    loseOnBus(true);
    await publish(4);
    loseOnBus(false);
    const { id, ahead } = await joinAhead(1);
    expect(client.answer(id)).toMatchObject({ event: 'ok', data: { recovered: true, offset: 6 } });
    cluster.store.loseLast(CHANNEL, 5);
    ahead.open();
    await cluster.clock.settle();
    await publish(3);
    for (const one of [ben, client]) {
      expect(one.pushes('gap')).toMatchObject([{ reason: 'id_mismatch' }]);
      expect(one.stream(CHANNEL).standing?.offset).toBe(4);
    }
  });

  it('is told when writes are lost between the making of its reply and its sending', async () => {
    await start();
    const ben = await node.connect('ben');
    await ben.subscribe(CHANNEL);
    await publish(2);
    loseOnBus(true);
    await publish(4);
    loseOnBus(false);
    const { epoch } = cluster.store.top(CHANNEL);
    const gate = node.backplane.hold('read', 'answer');
    const id = client.send('subscribe', { channel: CHANNEL, since: { epoch, offset: 1 } });
    await cluster.clock.settle();
    cluster.store.loseLast(CHANNEL, 5);
    gate.open();
    // The repair that the reply sets off has not asked yet.
    const repair = node.backplane.hold('read', 'request');
    await cluster.clock.settle();
    expect(repair.waiting).toBe(1);
    repair.open();
    await cluster.clock.settle();
    expect(client.answer(id)).toMatchObject({ event: 'ok', data: { recovered: true, offset: 6 } });
    await publish(3);
    for (const one of [ben, client]) {
      expect(one.pushes('gap')).toHaveLength(1);
      expect(one.stream(CHANNEL).standing?.offset).toBe(4);
    }
  });

  it('is told what the log has trimmed between the making of its reply and its sending', async () => {
    await start({ nodes: 2, rules: { '*': { presence: true, history: { size: 5, ttlMs: 86_400_000 } } } });
    const ben = await node.connect('ben');
    await ben.subscribe(CHANNEL);
    await publish(2);
    loseOnBus(true);
    await publish(17);
    loseOnBus(false);
    const read = node.backplane.hold('read', 'answer');
    await publish(1);
    const members = node.backplane.hold('members', 'answer');
    const id = client.send('subscribe', { channel: CHANNEL, presence: true });
    await cluster.clock.settle();
    expect([members.waiting, read.waiting]).toEqual([1, 1]);
    // Both answers come in one turn, as two replies in one packet do.
    members.open();
    read.open();
    await cluster.clock.settle();
    await publish(2);
    const { offset } = client.answer(id).data as { offset: number };
    expect(ben.offsets(CHANNEL)).toEqual([1, 2, ...upTo(22, 16)]);
    expect(client.stream(CHANNEL).standing?.offset).toBe(22);
    expect(client.offsets(CHANNEL)).toEqual(upTo(22, Math.max(16, offset + 1)));
  });

  it('answers a resume anew when the log is replaced while it is read', async () => {
    await start();
    const ben = await node.connect('ben');
    await ben.subscribe(CHANNEL);
    await publish(5);
    const { epoch } = cluster.store.top(CHANNEL);
    const gate = node.backplane.hold('read', 'answer');
    const id = client.send('subscribe', { channel: CHANNEL, since: { epoch, offset: 3 } });
    await cluster.clock.settle();
    cluster.store.flush();
    await cluster.clock.advance(2 * CHECK_MS);
    expect(ben.pushes('gap')).toMatchObject([{ reason: 'epoch_changed' }]);
    gate.open();
    await cluster.clock.settle();
    expect(client.reply(id)).toMatchObject({
      event: 'ok',
      data: { recovered: false, reason: 'epoch_changed', messages: [], offset: 0 },
    });
    await publish(2);
    expect(client.offsets(CHANNEL)).toEqual([1, 2]);
  });

  it('answers a resume anew when writes are lost while it is read', async () => {
    await start();
    const ben = await node.connect('ben');
    await ben.subscribe(CHANNEL);
    await publish(5);
    const { epoch } = cluster.store.top(CHANNEL);
    const gate = node.backplane.hold('read', 'answer');
    const id = client.send('subscribe', { channel: CHANNEL, since: { epoch, offset: 3 } });
    await cluster.clock.settle();
    cluster.store.loseLast(CHANNEL, 2);
    await cluster.clock.advance(2 * CHECK_MS);
    expect(ben.pushes('gap')).toMatchObject([{ reason: 'id_mismatch' }]);
    gate.open();
    await cluster.clock.settle();
    expect(client.answer(id).data).toMatchObject({ recovered: true, offset: 3, messages: [] });
    await publish(2);
    expect(client.offsets(CHANNEL)).toEqual([4, 5]);
  });

  it('gets nothing of the old log after a reply of the new one', async () => {
    await start({ nodes: 2, rules: { '*': { presence: true } } });
    const ben = await node.connect('ben');
    await ben.subscribe(CHANNEL);
    const gate = node.backplane.hold('enter');
    const id = client.send('subscribe', { channel: CHANNEL });
    await publish(5);
    cluster.store.flush();
    await publish(2);
    gate.open();
    await cluster.clock.settle();
    const { epoch } = cluster.store.top(CHANNEL);
    expect(client.reply(id)?.data).toMatchObject({ epoch, offset: 2 });
    await publish(2);
    expect(client.offsets(CHANNEL)).toEqual([3, 4]);
  });

  it('is refused, not cut, when more comes while it joins than can be held for it', async () => {
    await start({ nodes: 2, rules: { '*': { presence: true } } });
    const gate = node.backplane.hold('enter');
    const id = client.send('subscribe', { channel: CHANNEL });
    await cluster.clock.settle();
    await publish(4097);
    gate.open();
    await cluster.clock.settle();
    expect(client.reply(id)).toMatchObject({ event: 'error', data: { code: 'unavailable', retry: true } });
    expect(client.pushes('message')).toEqual([]);
    await client.subscribe(CHANNEL);
    await publish(1);
    expect(client.offsets(CHANNEL)).toEqual([4098]);
  });

  it('sees each publication once over many subscriptions, resumes and lost deliveries', async () => {
    await start({ nodes: 2, rules: { '*': { presence: true, history: { size: 5000, ttlMs: 86_400_000 } } } });
    const random = new SeededRandom(7);
    node.faults(() => (random.below(10) === 0 ? 'drop' : 'deliver'));
    const ben = await node.connect('ben');
    await ben.subscribe(CHANNEL);
    let cycles = 0;
    const start0 = cluster.store.top(CHANNEL);
    let since: object = { epoch: start0.epoch, offset: 0 };
    for (let round = 0; round < 60; round++) {
      const gate = node.backplane.hold(
        (['subscribe', 'tops', 'enter', 'read'] as const)[random.below(4)] ?? 'read',
      );
      const id = client.send('subscribe', { channel: CHANNEL, since });
      await publish(random.below(4));
      gate.open();
      await cluster.clock.settle();
      expect(client.reply(id)?.data).toMatchObject({ recovered: true });
      await publish(random.below(6));
      if (random.below(3) === 0) await cluster.clock.advance(random.below(2500));
      const { epoch, offset } = client.stream(CHANNEL).standing ?? { epoch: '', offset: 0 };
      since = { epoch, offset };
      await client.ok('unsubscribe', { channel: CHANNEL });
      await publish(random.below(3));
      cycles++;
    }
    await client.subscribe(CHANNEL, { since });
    await cluster.clock.advance(3 * CHECK_MS);
    const top = cluster.store.top(CHANNEL).offset;
    expect(cycles).toBe(60);
    expect(client.offsets(CHANNEL)).toEqual(upTo(top));
    expect(ben.offsets(CHANNEL)).toEqual(upTo(top));
  });
});
