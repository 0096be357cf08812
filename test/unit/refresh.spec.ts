// Rights that change under live sessions: `refresh` asks rules and handlers anew on every node, and who lost a right is told.

import { afterEach, describe, expect, it } from 'vitest';
import { ApiKeys, digestOf } from '../../src/auth/api-keys.js';
import { TrunklineError } from '../../src/core/errors.js';
import { BACKEND } from '../../src/core/identity.js';
import type { ChannelContext } from '../../src/core/ports/application.js';
import { RealtimeService } from '../../src/core/realtime.service.js';
import { CLOSE } from '../../src/protocol/codes.js';
import { FakeLink } from '../support/fake-link.js';
import { TestClient, TestCluster, type CoreNode, type Rules } from '../support/core-node.js';

let cluster: TestCluster;
afterEach(() => cluster.stop());

/** `user channel` pairs that handlers refuse. */
const barred = new Set<string>();
let asked: string[] = [];
let answer: (context: ChannelContext) => Promise<void>;

async function start(nodes = 1, rules: Rules = { '*': {} }): Promise<readonly RealtimeService[]> {
  barred.clear();
  asked = [];
  answer = async ({ identity, channel }) => {
    if (barred.has(`${identity.user} ${channel}`)) throw new TrunklineError('forbidden', 'Not any more.');
  };
  const onSubscribe = (context: ChannelContext): Promise<void> => {
    asked.push(`${context.identity.user} ${context.channel}`);
    return answer(context);
  };
  cluster = await TestCluster.start({ nodes, rules, handlers: { onSubscribe } });
  return cluster.nodes.map(({ core, backplane }) => new RealtimeService(core, backplane));
}

async function refresh(service: RealtimeService | undefined, user: string): Promise<void> {
  await service?.refresh(user);
  await cluster.clock.settle();
}

describe('refresh', () => {
  it('takes a user out of the channels he lost, on every node, and tells him the code', async () => {
    const services = await start(3);
    const ana = await Promise.all(cluster.nodes.map((node) => node.connect('ana')));
    const ben = await cluster.node.connect('ben');
    for (const client of [...ana, ben]) for (const channel of ['a', 'b']) await client.subscribe(channel);
    barred.add('ana b').add('ben b');
    await refresh(services[2], 'ana');
    for (const client of ana) {
      expect(client.pushes('unsubscribed')).toEqual([
        { channel: 'b', code: 'forbidden', message: 'Not any more.' },
      ]);
      expect([...client.session.subscriptions.keys()]).toEqual(['a']);
    }
    await cluster.node.publish('a');
    await cluster.node.publish('b');
    await cluster.clock.settle();
    for (const client of ana) expect(client.pushes('message').map(({ channel }) => channel)).toEqual(['a']);
    expect(ben.pushes('message')).toHaveLength(2);
  });

  it('asks the rules of the channel too', async () => {
    const rules: Record<string, { subscribe: 'authenticated' | 'nobody' }> = {
      '*': { subscribe: 'authenticated' },
    };
    const [service] = await start(1, rules);
    const ana = await cluster.node.connect('ana');
    await ana.subscribe('a');
    const before = ana.session.identity;
    // The same user with less: a key bounds him now.
    const keys = new ApiKeys([], [{ name: 'k', digest: digestOf('x'), scopes: [], channels: ['other'] }]);
    const key = keys.find('x');
    if (key === undefined) throw new Error('The key is not known.');
    Object.assign(before, { key });
    await refresh(service, 'ana');
    expect(ana.pushes('unsubscribed')).toMatchObject([{ channel: 'a', code: 'forbidden' }]);
  });

  it('asks once for each channel a session has chosen, and leaves those that the server joined', async () => {
    const [service] = await start();
    const ana = await cluster.node.connect('ana');
    await ana.subscribe('a');
    await service?.subscribe('ana', 'joined');
    await cluster.clock.settle();
    barred.add('ana joined');
    asked = [];
    await refresh(service, 'ana');
    expect(asked).toEqual(['ana a']);
    expect([...ana.session.subscriptions.keys()]).toEqual(['a', 'joined']);
  });

  it('changes nothing when a handler fails for another reason than a refusal', async () => {
    const [service] = await start();
    const ana = await cluster.node.connect('ana');
    await ana.subscribe('a');
    for (const thrown of [new Error('the database is away'), new TrunklineError('unavailable', 'Later.')]) {
      answer = () => Promise.reject(thrown);
      await refresh(service, 'ana');
      expect(ana.session.subscriptions.has('a')).toBe(true);
    }
  });

  it('reaches a subscribe whose handler had read the old rights and was not through', async () => {
    const [service] = await start();
    const ana = await cluster.node.connect('ana');
    let goOn: () => void = () => {};
    const old = new Promise<void>((resolve) => (goOn = resolve));
    const fresh = answer;
    answer = () => old;
    const id = ana.send('subscribe', { channel: 'a' });
    await cluster.clock.settle();
    barred.add('ana a');
    answer = fresh;
    await refresh(service, 'ana');
    goOn();
    await cluster.clock.settle();
    expect(ana.session.subscriptions.size).toBe(0);
    expect([ana.answer(id).event, asked]).toEqual(['error', ['ana a', 'ana a']]);
    await cluster.node.publish('a');
    await cluster.clock.settle();
    expect(ana.pushes('message')).toEqual([]);
    await cluster.clock.advance(10_000);
    expect(cluster.node.core.hub.channelCount).toBe(0);
  });

  it('frees what an expelled newcomer had, presence included', async () => {
    const [service] = await start(1, { '*': { presence: true } });
    const ana = await cluster.node.connect('ana');
    await ana.subscribe('a');
    barred.add('ana a');
    await refresh(service, 'ana');
    await cluster.clock.advance(10_000);
    expect([cluster.node.core.hub.channelCount, cluster.store.sizes.presence]).toEqual([0, 0]);
  });

  it('refuses a name that is no user', async () => {
    const [service] = await start();
    expect(() => service?.refresh('')).toThrow(expect.objectContaining({ code: 'invalid_data' }) as Error);
  });
});

describe('a key that ends', () => {
  async function byKey(node: CoreNode, name: string, more: object = {}): Promise<TestClient> {
    const keys = new ApiKeys([], [{ name, digest: digestOf(name), scopes: ['read'], channels: undefined }]);
    const key = keys.find(name);
    if (key === undefined) throw new Error('The key is not known.');
    const link = new FakeLink();
    const session = node.core.openSession({
      identity: { ...BACKEND, ...more, key },
      format: node.format,
      link,
    });
    await cluster.clock.settle();
    return new TestClient(session, link, cluster.clock);
  }

  it('ends its sessions and those of users by its tickets, and no others', async () => {
    const [service] = await start();
    const own = await byKey(cluster.node, 'billing');
    const user = await byKey(cluster.node, 'billing', { kind: 'user', user: 'ana' });
    const other = await byKey(cluster.node, 'shop');
    const ana = await cluster.node.connect('ana');
    service?.endKey('billing', CLOSE.expired);
    expect([own, user, other, ana].map(({ session }) => session.ended)).toEqual([true, true, false, false]);
    expect(own.link.closed).toMatchObject({ code: 4200 });
    service?.endKey('shop');
    expect(other.link.closed).toMatchObject({ code: 4003 });
  });

  it('without the right to presence sees nobody, with it all', async () => {
    await start(1, { '*': { presence: true } });
    const reader = await byKey(cluster.node, 'billing');
    const ben = await cluster.node.connect('ben');
    expect(await reader.ok('subscribe', { channel: 'a', presence: true })).not.toHaveProperty('members');
    await ben.subscribe('a');
    expect(reader.pushes('join')).toEqual([]);
    expect((await reader.request('presence', { channel: 'a' })).data['code']).toBe('forbidden');
    const all = await byKey(cluster.node, 'all');
    (all.session.identity as unknown as { key: { scopes: Set<string> } }).key.scopes.add('presence');
    expect((await all.ok('subscribe', { channel: 'a', presence: true }))['members']).toMatchObject([
      { user: 'ben' },
    ]);
  });
});
