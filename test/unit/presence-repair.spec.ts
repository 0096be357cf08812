// Joins and leaves that the bus loses: whoever listens is told them when the bus is back, once.

import { afterEach, describe, expect, it } from 'vitest';
import { TrunklineError } from '../../src/core/errors.js';
import { TestCluster, type CoreNode, type TestClient } from '../support/core-node.js';

const CHANNEL = 'room';
const CHECK_MS = 5000;

describe('who came or went while the bus was away', () => {
  let cluster: TestCluster;
  let other: CoreNode;
  let node: CoreNode;
  let watcher: TestClient;

  async function start(): Promise<void> {
    cluster = await TestCluster.start({
      nodes: 2,
      rules: { '*': { presence: true } },
      core: { leaveGraceMs: 0, positionCheckMs: CHECK_MS },
    });
    [other, node] = cluster.nodes as [CoreNode, CoreNode];
    watcher = await node.connect('watcher');
    await watcher.ok('subscribe', { channel: CHANNEL, presence: true });
  }
  afterEach(async () => cluster.stop());

  const away = (lost: boolean) => node.faults(lost ? () => 'drop' : undefined);
  const back = async (): Promise<void> => {
    away(false);
    cluster.store.bus.suspect(node.memory.port);
    await cluster.clock.settle();
  };
  const told = () =>
    watcher.frames
      .filter(({ event }) => event === 'join' || event === 'leave')
      .map(({ event, data }) => `${event} ${(data['member'] as { user: string }).user}`);
  async function enter(user: string): Promise<TestClient> {
    const client = await other.connect(user);
    await client.subscribe(CHANNEL);
    return client;
  }
  async function leave(client: TestClient): Promise<void> {
    await client.ok('unsubscribe', { channel: CHANNEL });
    await cluster.clock.advance(1);
  }

  it('is told when it is back, leaves first', async () => {
    await start();
    const ana = await enter('ana');
    away(true);
    await enter('ben');
    await leave(ana);
    expect(told()).toEqual(['join ana']);
    await back();
    expect(told()).toEqual(['join ana', 'leave ana', 'join ben']);
  });

  it('is told once, although others ask who is there and the bus brings it late', async () => {
    await start();
    away(true);
    await enter('ben');
    away(false);
    const late = await node.connect('late');
    const { members } = await late.ok('subscribe', { channel: CHANNEL, presence: true });
    expect((members as { user: string }[]).map(({ user }) => user)).toEqual(['ben', 'late', 'watcher']);
    await back();
    expect([...told()].sort()).toEqual(['join ben', 'join late']);
    expect(late.pushes('join')).toEqual([]);
  });

  it('is told of who came and went during the question as it was in the end', async () => {
    await start();
    away(true);
    const ben = await enter('ben');
    away(false);
    const gate = node.backplane.hold('members', 'answer');
    await back();
    expect(gate.waiting).toBe(1);
    await leave(ben);
    await enter('cleo');
    gate.open();
    await cluster.clock.settle();
    expect(told()).toEqual(['join cleo']);
  });

  it('is asked again when the question is not answered', async () => {
    await start();
    away(true);
    await enter('ben');
    const gate = node.backplane.hold('members', 'request');
    await back();
    gate.fail(new TrunklineError('unavailable', 'The backplane is away.'));
    await cluster.clock.settle();
    expect(told()).toEqual([]);
    await cluster.clock.advance(CHECK_MS);
    expect(told()).toEqual(['join ben']);
  });

  it('is not asked where nobody wants to know', async () => {
    await start();
    await watcher.ok('unsubscribe', { channel: CHANNEL });
    await watcher.subscribe(CHANNEL);
    const asked = node.backplane.count('members');
    away(true);
    await enter('ben');
    await back();
    expect(node.backplane.count('members')).toBe(asked);
  });
});
