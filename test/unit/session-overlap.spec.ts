// Publishes of one session that follow each other without waiting: they reach the log in order and together, and nothing else overtakes.

import { afterEach, describe, expect, it } from 'vitest';
import { TrunklineError } from '../../src/core/errors.js';
import { TestCluster, type ClusterSettings, type CoreNode, type TestClient } from '../support/core-node.js';

const CHANNEL = 'room';
const upTo = (top: number) => Array.from({ length: top }, (_, i) => i + 1);

describe('publishes of one session', () => {
  let cluster: TestCluster;
  let node: CoreNode;
  let client: TestClient;

  async function start(settings: ClusterSettings = {}): Promise<void> {
    cluster = await TestCluster.start(settings);
    ({ node } = cluster);
    client = await node.connect('ana');
  }
  afterEach(async () => cluster.stop());

  const publish = (data: unknown = 1) => client.send('publish', { channel: CHANNEL, event: 'e', data });
  const sendMany = (count: number) => Array.from({ length: count }, (_, at) => publish(at));
  const offsetOf = (id: number) => client.answer(id).data['offset'];

  it('go to the log without waiting for the answers before them, in order', async () => {
    await start();
    const gate = node.backplane.hold('append', 'request');
    const ids = sendMany(10);
    await cluster.clock.settle();
    expect(gate.waiting).toBe(10);
    gate.open();
    await cluster.clock.settle();
    expect(ids.map(offsetOf)).toEqual(upTo(10));
  });

  it('keep their order although a handler takes longer for the first', async () => {
    const waiting: (() => void)[] = [];
    await start({
      handlers: {
        onPublish: () => async (context) => {
          if (context.data === '0') await new Promise<void>((resolve) => waiting.push(resolve));
          return undefined;
        },
      },
    });
    const ids = sendMany(3);
    await cluster.clock.settle();
    expect(node.backplane.count('append')).toBe(0);
    waiting[0]?.();
    await cluster.clock.settle();
    expect(ids.map(offsetOf)).toEqual([1, 2, 3]);
  });

  it('are bounded; what is over waits, and reading stops', async () => {
    await start();
    const gate = node.backplane.hold('append', 'request');
    const ids = sendMany(200);
    await cluster.clock.settle();
    expect(gate.waiting).toBe(64);
    expect(client.link.paused).toBe(true);
    gate.open();
    await cluster.clock.settle();
    expect(ids.map(offsetOf)).toEqual(upTo(200));
    expect(client.link.paused).toBe(false);
  });

  it('all fail together when the log stands still, and later ones are tried', async () => {
    await start();
    const gate = node.backplane.hold('append', 'request');
    const ids = sendMany(30);
    await cluster.clock.settle();
    gate.fail(new TrunklineError('unknown_outcome', 'Nobody knows.'));
    await cluster.clock.settle();
    expect(ids.map((id) => client.answer(id).data['code'])).toEqual(ids.map(() => 'unknown_outcome'));
    const later = publish();
    await cluster.clock.settle();
    expect(offsetOf(later)).toBe(1);
  });

  it('are answered in their order, whichever the log has carried out first', async () => {
    await start();
    const first = node.backplane.hold('append', 'answer');
    const ids = sendMany(2);
    await cluster.clock.settle();
    const second = node.backplane.hold('append', 'answer');
    ids.push(...sendMany(2));
    await cluster.clock.settle();
    expect([first.waiting, second.waiting]).toEqual([2, 2]);
    second.open();
    await cluster.clock.settle();
    expect(ids.map((id) => client.reply(id))).toEqual(ids.map(() => undefined));
    first.open();
    await cluster.clock.settle();
    expect(client.frames.filter(({ id }) => ids.includes(Number(id))).map(({ id }) => id)).toEqual(ids);
  });

  it('are over before anything else of the session is done', async () => {
    await start();
    await client.subscribe(CHANNEL);
    const gate = node.backplane.hold('append', 'request');
    publish();
    const history = client.send('history', { channel: CHANNEL });
    const leave = client.send('unsubscribe', { channel: CHANNEL });
    const last = publish();
    await cluster.clock.settle();
    expect(gate.waiting).toBe(1);
    expect(client.reply(history)).toBeUndefined();
    gate.open();
    await cluster.clock.settle();
    expect((client.answer(history).data['messages'] as unknown[]).length).toBe(1);
    expect(client.answer(leave).event).toBe('ok');
    expect(offsetOf(last)).toBe(2);
    expect(client.offsets(CHANNEL)).toEqual([1]);
  });

  it('of a session that has ended are done, and nobody is answered', async () => {
    await start();
    const gate = node.backplane.hold('append', 'request');
    const ids = sendMany(3);
    await cluster.clock.settle();
    client.session.close({ code: 1000, reason: 'done' });
    gate.open();
    await cluster.clock.settle();
    expect(ids.map((id) => client.reply(id))).toEqual([undefined, undefined, undefined]);
    expect(cluster.store.top(CHANNEL).offset).toBe(3);
  });
});
