// Publishes: order, one message for one call over lost replies, and the bound on what waits.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { clientFor, happens, inState, type ClientUnderTest } from '../../client/testing/kit.js';
import type { Channel, TrunklineOptions } from '../../client/src/index.js';
import { FakeWsServer, type FakePeer, type ReceivedFrame } from '../support/fake-ws-server.js';

interface Events {
  message: { text: string };
}

let server: FakeWsServer;
let client: ClientUnderTest;

beforeEach(async () => {
  server = await FakeWsServer.start();
});

afterEach(async () => {
  client.trunkline.close();
  expect(client.clock.pending, 'timers left behind').toBe(0);
  await server.stop();
});

async function connected(options: TrunklineOptions = {}): Promise<FakePeer> {
  // A real sequence of numbers, since keys are made of it.
  let seed = 1;
  client = clientFor(server.url, {
    random: () => (seed = (seed * 48271) % 2147483647) / 2147483647,
    ...options,
  });
  client.trunkline.connect();
  return welcomed();
}

async function welcomed(): Promise<FakePeer> {
  const peer = await server.peer();
  peer.welcome();
  await inState(client, 'connected');
  return peer;
}

async function reconnected(): Promise<FakePeer> {
  const { retryInMs } = await inState(client, 'waiting');
  client.clock.advance(retryInMs ?? 0);
  return welcomed();
}

const room = () => client.trunkline.channel<Events>('chat:lobby');
const published = (offset: number, duplicate = false) => ({
  channel: 'chat:lobby',
  epoch: 'e1',
  offset,
  id: `m${offset}`,
  duplicate,
});
const textOf = (frame: ReceivedFrame): string => (frame.data['data'] as { text: string }).text;

it('resolves with the place in the log and sends a key of its own each time', async () => {
  const peer = await connected();
  const call = room().publish('message', { text: 'hi' }, { key: 'k', echo: false });
  const frame = await peer.next('publish');
  expect(frame.data).toMatchObject({
    channel: 'chat:lobby',
    event: 'message',
    data: { text: 'hi' },
    key: 'k',
    echo: false,
  });
  peer.ok(frame, published(7));
  expect(await call).toEqual(published(7));
  const second = room().publish('message', { text: 'hi' });
  const other = await peer.next('publish');
  expect(other.data['idempotencyKey']).toMatch(/^[0-9a-z]{28}$/);
  expect(other.data['idempotencyKey']).not.toBe(frame.data['idempotencyKey']);
  peer.ok(other, published(8));
  await second;
});

it('publishes by name without keeping anything of the channel, and as the channel where there is one', async () => {
  const peer = await connected();
  const call = client.trunkline.publish('orders:17', 'message', { text: 'paid' }, { idempotencyKey: 'own' });
  const frame = await peer.next('publish');
  expect(frame.data).toEqual({
    channel: 'orders:17',
    event: 'message',
    data: { text: 'paid' },
    idempotencyKey: 'own',
  });
  peer.ok(frame, published(1));
  expect(await call).toEqual(published(1));
  // The event is for channels the client has no object of.
  const joined = happens<Channel>('channel', (on) => client.trunkline.on('channel', on));
  peer.push('subscribed', { ...published(1), channel: 'orders:17', recoverable: true, messages: [] });
  const orders = await joined;
  expect(orders.name).toBe('orders:17');
  expect(client.trunkline.channel('orders:17')).toBe(orders);

  const gaps: unknown[] = [];
  orders.on('gap', (gap) => gaps.push(gap));
  const silent = client.trunkline.publish('orders:17', 'message', { text: 'sent' }, { echo: false });
  peer.ok(await peer.next('publish'), published(2));
  await silent;
  const next = happens('message', (on) => orders.on('message', on));
  peer.push('message', { ...published(3), channel: 'orders:17', event: 'message', data: {}, time: 1 });
  await next;
  expect(gaps, 'its own message is no hole').toEqual([]);
});

it('takes a key of the caller', async () => {
  const peer = await connected();
  const call = room().publish('message', { text: 'hi' }, { idempotencyKey: 'mine' });
  const frame = await peer.next('publish');
  expect(frame.data['idempotencyKey']).toBe('mine');
  peer.ok(frame, published(1, true));
  expect((await call).duplicate).toBe(true);
});

it('sends again with the same key and the same text when the reply was lost', async () => {
  const peer = await connected();
  const data = { text: 'first' };
  const call = room().publish('message', data);
  const frame = await peer.next('publish');
  data.text = 'changed meanwhile';
  peer.cut();
  const again = await reconnected();
  const repeated = await again.next('publish');
  expect(repeated.data).toEqual(frame.data);
  again.ok(repeated, published(3, true));
  expect(await call).toEqual(published(3, true));
});

it('keeps the order of what was sent and of what waited, one at a time', async () => {
  const peer = await connected();
  const done: string[] = [];
  const send = (text: string): void =>
    void room()
      .publish('message', { text })
      .then(() => done.push(text));
  send('a');
  send('b');
  await peer.next('publish');
  await peer.next('publish');
  peer.cut();
  await inState(client, 'waiting');
  send('c');
  const again = await reconnected();
  send('d');
  for (const [index, text] of ['a', 'b', 'c', 'd'].entries()) {
    const frame = await again.next('publish');
    expect(textOf(frame)).toBe(text);
    expect(again.unread, 'the next waits for the answer').toBe(0);
    again.ok(frame, published(index + 1));
  }
  const last = room().publish('message', { text: 'e' });
  again.ok(await again.next('publish'), published(5));
  await last;
  expect(done).toEqual(['a', 'b', 'c', 'd']);
});

it('waits with what follows while the server refuses one for a while', async () => {
  const peer = await connected();
  peer.cut();
  await inState(client, 'waiting');
  const calls = ['a', 'b'].map((text) => room().publish('message', { text }));
  const again = await reconnected();
  const first = await again.next('publish');
  again.error(first, { code: 'rate_limited', retry: true, retryAfterMs: 300 });
  const ping = client.trunkline.request('ping');
  again.ok(await again.next('ping'), {});
  await ping;
  client.clock.advance(299);
  client.clock.advance(1);
  const repeated = await again.next('publish');
  expect(repeated.data).toEqual(first.data);
  again.ok(repeated, published(1));
  again.ok(await again.next('publish'), published(2));
  expect((await Promise.all(calls)).map(({ offset }) => offset)).toEqual([1, 2]);
});

it('goes on with the next when one that waited is refused for good', async () => {
  const peer = await connected();
  peer.cut();
  await inState(client, 'waiting');
  const bad = room().publish('message', { text: '' });
  const good = room().publish('message', { text: 'ok' });
  const again = await reconnected();
  again.error(await again.next('publish'), { code: 'invalid_data' });
  await expect(bad).rejects.toMatchObject({ name: 'TrunklineError', code: 'invalid_data', retry: false });
  again.ok(await again.next('publish'), published(1));
  expect((await good).offset).toBe(1);
});

it('does not wait for answers while the connection holds, and tells a refusal at once', async () => {
  const peer = await connected();
  const calls = ['a', 'b'].map((text) => room().publish('message', { text }));
  const frames = [await peer.next('publish'), await peer.next('publish')] as const;
  peer.error(frames[0], { code: 'rate_limited', retry: true, retryAfterMs: 900 });
  peer.ok(frames[1], published(1));
  await expect(calls[0]).rejects.toMatchObject({ code: 'rate_limited', retry: true, retryAfterMs: 900 });
  expect((await calls[1])?.offset).toBe(1);
});

it('refuses what is over the bound, keeps what is within it, and counts only what waits', async () => {
  const peer = await connected({ outboundLimit: 2 });
  const live = [1, 2, 3].map((n) => room().publish('message', { text: `live ${n}` }));
  for (const n of [1, 2, 3]) peer.ok(await peer.next('publish'), published(n));
  await Promise.all(live);
  peer.cut();
  await inState(client, 'waiting');
  const kept = ['a', 'b'].map((text) => room().publish('message', { text }));
  await expect(room().publish('message', { text: 'c' })).rejects.toMatchObject({
    code: 'buffer_full',
    retry: true,
  });
  const asks = [room().presence(), room().presence()];
  await expect(room().presence()).rejects.toMatchObject({ code: 'buffer_full' });
  const again = await reconnected();
  for (const _ of asks) again.ok(await again.next('presence'), { channel: 'chat:lobby', members: [] });
  await Promise.all(asks);
  for (const n of [4, 5]) again.ok(await again.next('publish'), published(n));
  expect((await Promise.all(kept)).map(({ offset }) => offset)).toEqual([4, 5]);
});

it('rejects what waits when the client is closed', async () => {
  const peer = await connected();
  const sent = room().publish('message', { text: 'sent' });
  await peer.next('publish');
  peer.cut();
  await inState(client, 'waiting');
  const waiting = room().publish('message', { text: 'waiting' });
  client.trunkline.close();
  await expect(sent).rejects.toMatchObject({ code: 'closed' });
  await expect(waiting).rejects.toMatchObject({ code: 'closed' });
});

it('ends as an unknown outcome when the reply alone fails to come', async () => {
  const peer = await connected();
  const call = room().publish('message', { text: 'hi' });
  await peer.next('publish');
  client.clock.advance(1);
  peer.push('news', {});
  await new Promise<void>((resolve) => void client.trunkline.on('event', () => resolve()));
  client.clock.advance(9_999);
  await expect(call).rejects.toMatchObject({ code: 'unknown_outcome', retry: true });
  expect(client.trunkline.state).toBe('connected');
});

it('never repeats a request of the application', async () => {
  const peer = await connected();
  const call = client.trunkline.request('orders.buy', { item: 1 });
  expect((await peer.next('orders.buy')).data).toEqual({ item: 1 });
  peer.cut();
  await expect(call).rejects.toMatchObject({ code: 'unknown_outcome' });
  const again = await reconnected();
  const other = client.trunkline.request('ping');
  again.ok(await again.next('ping'), { time: 5 });
  expect(await other).toEqual({ time: 5 });
});
