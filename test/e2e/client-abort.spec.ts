// Calls that are taken back by an AbortSignal: what they answer, and what still happens.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientFor, type ClientUnderTest } from '../../client/testing/kit.js';
import type { Channel } from '../../client/src/index.js';
import { FakeWsServer, type FakePeer } from '../support/fake-ws-server.js';

let server: FakeWsServer;
let client: ClientUnderTest;
let room: Channel<{ message: { text: string } }>;
let stop: AbortController;
let heard: (number | string)[];

beforeEach(async () => {
  server = await FakeWsServer.start();
  client = clientFor(server.url);
  room = client.trunkline.channel('chat:lobby');
  stop = new AbortController();
  heard = [];
  room.on('message', ({ offset }) => heard.push(offset ?? 0));
  room.on('gap', ({ from, to }) => heard.push(`gap ${from}-${to}`));
});

afterEach(async () => {
  client.trunkline.close();
  expect(client.clock.pending, 'timers left behind').toBe(0);
  await server.stop();
});

const message = (offset: number) => ({
  channel: 'chat:lobby',
  offset,
  id: `m${offset}`,
  event: 'message',
  data: { text: 'x' },
  time: 1,
});
const reply = (offset: number) => {
  const place = { epoch: 'e1', offset, id: `m${offset}`, recoverable: true, recovered: false };
  return { channel: 'chat:lobby', ...place, messages: [] };
};
const published = (offset: number) => ({
  channel: 'chat:lobby',
  epoch: 'e1',
  offset,
  id: `m${offset}`,
  duplicate: false,
});

async function welcomed(): Promise<FakePeer> {
  const peer = await server.peer();
  peer.welcome();
  return peer;
}

async function subscribed(): Promise<FakePeer> {
  const call = room.subscribe();
  const peer = await welcomed();
  peer.ok(await peer.next('subscribe'), reply(1));
  await call;
  return peer;
}

/** Resolves when all that was sent before has been heard. */
async function settled(peer: FakePeer): Promise<void> {
  const asked = client.trunkline.request('ping');
  peer.ok(await peer.next('ping'), {});
  await asked;
}

describe('a subscribe', () => {
  it('taken back while it waits rejects with the reason and subscribes to nothing', async () => {
    const call = room.subscribe({ signal: stop.signal });
    const peer = await welcomed();
    const asked = await peer.next('subscribe');
    const reason = new Error('page left');
    stop.abort(reason);
    await expect(call).rejects.toBe(reason);
    peer.ok(await peer.next('unsubscribe'), {});
    peer.ok(asked, reply(1));
    peer.push('message', message(2));
    await settled(peer);
    expect(room.subscribed).toBe(false);
    expect(heard).toEqual([]);
  });

  it('taken back leaves another one that waits for the same', async () => {
    const kept = room.subscribe();
    const call = room.subscribe({ signal: stop.signal });
    const peer = await welcomed();
    const asked = await peer.next('subscribe');
    stop.abort();
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    peer.ok(asked, reply(1));
    expect(await kept).toMatchObject({ offset: 1 });
    await settled(peer);
    expect(peer.unread).toBe(0);
  });

  it('is not touched by a signal that comes after its answer', async () => {
    const call = room.subscribe({ signal: stop.signal });
    const peer = await welcomed();
    peer.ok(await peer.next('subscribe'), reply(1));
    await call;
    stop.abort();
    peer.push('message', message(2));
    await settled(peer);
    expect(room.subscribed).toBe(true);
    expect(heard).toEqual([2]);
  });

  it('with a signal given before does not even connect', async () => {
    await expect(room.subscribe({ signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(client.trunkline.state).toBe('idle');
  });
});

describe('a publish', () => {
  it('taken back while its answer is awaited rejects, and the others go on', async () => {
    const peer = await subscribed();
    const call = room.publish('message', { text: 'a' }, { signal: stop.signal });
    const next = room.publish('message', { text: 'b' });
    const [first, second] = [await peer.next('publish'), await peer.next('publish')];
    stop.abort();
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    peer.ok(first, published(2));
    peer.ok(second, published(3));
    expect(await next).toMatchObject({ offset: 3 });
  });

  it('without an echo that is taken back leaves no false gap when it came into the channel', async () => {
    const peer = await subscribed();
    const call = room.publish('message', { text: 'a' }, { echo: false, signal: stop.signal });
    const frame = await peer.next('publish');
    stop.abort();
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    peer.push('message', message(3));
    peer.ok(frame, published(2));
    await settled(peer);
    expect(heard).toEqual([3]);
  });

  it('taken back while it waits for the connection is never sent, and frees its place', async () => {
    client = clientFor(server.url, { outboundLimit: 1 });
    room = client.trunkline.channel('chat:lobby');
    client.trunkline.connect();
    const call = room.publish('message', { text: 'a' }, { signal: stop.signal });
    stop.abort();
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    const kept = room.publish('message', { text: 'b' });
    const peer = await welcomed();
    const frame = await peer.next('publish');
    expect(frame.data['data']).toEqual({ text: 'b' });
    peer.ok(frame, published(2));
    expect(await kept).toMatchObject({ offset: 2 });
  });

  it('with a signal given before is not sent', async () => {
    const peer = await subscribed();
    const call = room.publish('message', { text: 'a' }, { signal: AbortSignal.abort() });
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    await settled(peer);
    expect(peer.unread).toBe(0);
  });
});

it('a history that is taken back rejects, and its late answer is nobody’s', async () => {
  const peer = await subscribed();
  const call = room.history({ limit: 5, signal: stop.signal });
  const asked = await peer.next('history');
  expect(asked.data).toEqual({ channel: 'chat:lobby', limit: 5 });
  stop.abort();
  await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  peer.ok(asked, { ...reply(1), messages: [] });
  await settled(peer);
  expect(client.errors).toEqual([]);
});
