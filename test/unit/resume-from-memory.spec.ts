// Coming back to a channel that others here listen to: what was missed is answered from memory, and only what memory cannot prove is asked.

import { afterEach, describe, expect, it } from 'vitest';
import { TrunklineError } from '../../src/core/errors.js';
import type { Position } from '../../src/protocol/position.js';
import { TestCluster, type ClusterSettings, type CoreNode, type TestClient } from '../support/core-node.js';

const CHANNEL = 'room';
const upTo = (top: number, from = 1) => Array.from({ length: top - from + 1 }, (_, i) => from + i);

describe('resume from memory', () => {
  let cluster: TestCluster;
  let source: CoreNode;
  let node: CoreNode;

  /** A publishing node, and another one with a listener. */
  async function start(settings: ClusterSettings = {}): Promise<void> {
    cluster = await TestCluster.start({ nodes: 2, ...settings });
    [source, node] = cluster.nodes as [CoreNode, CoreNode];
    const listener = await node.connect('listener');
    await listener.subscribe(CHANNEL);
  }
  afterEach(async () => cluster.stop());

  async function publish(count: number, extra: { event?: string } = {}): Promise<Position> {
    const position = await source.publish(CHANNEL, count, extra);
    await cluster.clock.settle();
    return position;
  }

  const reads = () => node.backplane.count('read');

  async function comeBack(since: Partial<Position>, name = 'ben'): Promise<Returned> {
    const client = await node.connect(name);
    const data = await client.ok('subscribe', { channel: CHANNEL, since });
    const messages = (data['messages'] as { offset: number }[]).map(({ offset }) => offset);
    return { client, recovered: data['recovered'] as boolean, reason: data['reason'], messages };
  }

  interface Returned {
    readonly client: TestClient;
    readonly recovered: boolean;
    readonly reason: unknown;
    readonly messages: readonly number[];
  }

  it('gives exactly what was missed, asks the log for nothing, and goes on live', async () => {
    await start();
    const seen = await publish(3);
    await publish(5);
    const { client, recovered, messages } = await comeBack(seen);
    expect({ recovered, messages }).toEqual({ recovered: true, messages: upTo(8, 4) });
    expect(reads()).toBe(0);
    await publish(2);
    expect(client.offsets(CHANNEL)).toEqual(upTo(10, 4));
  });

  it('asks the log for an id that memory cannot prove, and refuses it as the log does', async () => {
    await start();
    const seen = await publish(3);
    await publish(2);
    const { recovered, reason } = await comeBack({ ...seen, id: 'another' });
    expect({ recovered, reason }).toEqual({ recovered: false, reason: 'id_mismatch' });
    expect(reads()).toBe(1);
  });

  it('asks the log once for a crowd that was at one place before this instance listened', async () => {
    await start();
    const seen = await publish(2);
    // Nobody here has heard of this channel yet.
    const other = 'elsewhere';
    const before = await source.publish(other, 3);
    await source.publish(other, 4);
    await cluster.clock.settle();
    const clients = await Promise.all(Array.from({ length: 50 }, (_, at) => node.connect(`user-${at}`)));
    const ids = clients.map((client) => client.send('subscribe', { channel: other, since: before }));
    await cluster.clock.settle();
    for (const [at, client] of clients.entries()) {
      const { data } = client.answer(ids[at] as number);
      expect(data).toMatchObject({ recovered: true, offset: 7 });
      expect((data['messages'] as { offset: number }[]).map(({ offset }) => offset)).toEqual([4, 5, 6, 7]);
    }
    expect(reads()).toBe(1);
    expect(seen.offset).toBe(2);
  });

  it('asks for each who was further back than the first, and no further than twice', async () => {
    await start();
    const other = 'elsewhere';
    const far = await source.publish(other, 1);
    const near = await source.publish(other, 3);
    await source.publish(other, 2);
    await cluster.clock.settle();
    const clients = await Promise.all(Array.from({ length: 20 }, (_, at) => node.connect(`user-${at}`)));
    const ids = clients.map((client, at) =>
      client.send('subscribe', { channel: other, since: at === 0 ? near : far }),
    );
    await cluster.clock.settle();
    const given = clients.map((client, at) => client.answer(ids[at] as number).data['messages'] as unknown[]);
    expect(given.map(({ length }) => length)).toEqual([2, ...Array.from({ length: 19 }, () => 5)]);
    expect(reads()).toBeLessThanOrEqual(20);
    const late = await node.connect('late');
    const asked = reads();
    expect(await late.ok('subscribe', { channel: other, since: far })).toMatchObject({ recovered: true });
    expect(reads()).toBe(asked);
  });

  it('tells all who waited for one question that the log does not answer', async () => {
    await start();
    const other = 'elsewhere';
    const seen = await source.publish(other, 1);
    await source.publish(other, 2);
    await cluster.clock.settle();
    const gate = node.backplane.hold('read');
    const clients = await Promise.all(Array.from({ length: 10 }, (_, at) => node.connect(`user-${at}`)));
    const ids = clients.map((client) => client.send('subscribe', { channel: other, since: seen }));
    await cluster.clock.settle();
    expect(gate.waiting).toBe(1);
    gate.fail(new TrunklineError('unavailable', 'The log does not answer.'));
    await cluster.clock.settle();
    for (const [at, client] of clients.entries())
      expect(client.answer(ids[at] as number).data['code']).toBe('unavailable');
  });

  it('knows no more than the log keeps', async () => {
    await start({ rules: { '*': { history: { size: 3, ttlMs: 60_000 } } } });
    const seen = await publish(1);
    await publish(5);
    const { recovered, reason } = await comeBack(seen);
    expect({ recovered, reason }).toEqual({ recovered: false, reason: 'expired' });
    const { messages } = await comeBack({ ...seen, offset: 3, id: '' }, 'cleo');
    expect(messages).toEqual([4, 5, 6]);
  });

  it('forgets with the log: what has expired there is not given from memory', async () => {
    await start({ rules: { '*': { history: { size: 100, ttlMs: 60_000 } } } });
    const seen = await publish(1);
    await publish(2);
    await cluster.clock.advance(60_001);
    const { recovered, reason } = await comeBack(seen);
    expect({ recovered, reason }).toEqual({ recovered: false, reason: 'expired' });
  });

  it('forgets with the log although the instance that took a publication has a clock an hour ahead', async () => {
    await start({ rules: { '*': { history: { size: 100, ttlMs: 60_000 } } } });
    const seen = await publish(1);
    node.faults(() => 'drop');
    const { epoch } = await publish(1);
    const { publications } = await node.memory.read(CHANNEL, { after: 1, limit: 1, reverse: false });
    const [next] = publications;
    if (next === undefined) throw new Error('The log lost it.');
    const publication = { ...next, time: next.time + 3_600_000 };
    node.core.hub.onPublication(CHANNEL, epoch, { publication, except: undefined, previous: seen.id });
    expect(await comeBack(seen)).toMatchObject({ recovered: true, messages: [2] });
    expect(reads()).toBe(0);
    await cluster.clock.advance(60_001);
    expect(await comeBack(seen, 'cleo')).toMatchObject({ recovered: false, reason: 'expired' });
  });

  it('asks the log when the clock was set back: nobody knows how old memory is', async () => {
    await start({ rules: { '*': { history: { size: 100, ttlMs: 60_000 } } } });
    const seen = await publish(1);
    await publish(2);
    cluster.clock.setBack(3_600_000);
    expect(await comeBack(seen)).toMatchObject({ recovered: true, messages: [2, 3] });
    expect(reads()).toBe(1);
  });

  it('gives nothing of a log that was replaced', async () => {
    await start();
    const seen = await publish(2);
    await publish(3);
    cluster.store.flush();
    await publish(1);
    const { recovered, reason } = await comeBack(seen);
    expect({ recovered, reason }).toEqual({ recovered: false, reason: 'epoch_changed' });
  });

  it('gives the last value to newcomers without asking', async () => {
    await start({ rules: { '*': { history: { size: 1, ttlMs: 60_000 }, replayLast: true } } });
    await publish(3);
    const asked = reads();
    for (let at = 0; at < 5; at++) {
      const client = await node.connect(`user-${at}`);
      const { messages } = await client.ok('subscribe', { channel: CHANNEL });
      expect((messages as { offset: number }[]).map(({ offset }) => offset)).toEqual([3]);
    }
    expect(reads()).toBe(asked);
  });

  it('holds nothing when it is told to hold nothing', async () => {
    await start({ core: { tailMessages: 0 } });
    const seen = await publish(1);
    await publish(2);
    expect((await comeBack(seen)).messages).toEqual([2, 3]);
    expect(reads()).toBe(1);
  });
});
