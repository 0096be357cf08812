// Channels over a connection: subscribe, resume, refusals, members, typed events.

import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { clientFor, happens, inState, type ClientUnderTest } from '../../client/testing/kit.js';
import { isRetryable } from '../../client/src/errors.js';
import type { Channel, Gap, Message, Subscription, TrunklineError } from '../../client/src/index.js';
import { ERRORS, type ErrorCode } from '../../src/protocol/codes.js';
import { FakeWsServer, type FakePeer } from '../support/fake-ws-server.js';

interface Events {
  message: { text: string };
  typing: Record<string, never>;
}

let server: FakeWsServer;
let client: ClientUnderTest;
let room: Channel<Events>;
let heard: (number | string)[];

beforeEach(async () => {
  server = await FakeWsServer.start();
  client = clientFor(server.url);
  room = client.trunkline.channel<Events>('chat:lobby', { presence: true });
  heard = [];
  room.on('message', ({ offset }) => heard.push(offset ?? 'no offset'));
  room.on('gap', ({ reason, from, to }) => heard.push(`${reason} ${from}-${to}`));
});

afterEach(async () => {
  client.trunkline.close();
  expect(client.clock.pending, 'timers left behind').toBe(0);
  await server.stop();
});

const member = (user: string, connections = 1) => ({ user, name: user.toUpperCase(), connections, since: 1 });

function message(offset: number, more: object = {}): object {
  return {
    channel: 'chat:lobby',
    offset,
    id: `m${offset}`,
    event: 'message',
    data: { text: `t${offset}` },
    time: 1,
    ...more,
  };
}

function reply(offset: number, more: object = {}): object {
  const id = offset === 0 ? '' : `m${offset}`;
  return {
    channel: 'chat:lobby',
    epoch: 'e1',
    offset,
    id,
    recoverable: true,
    recovered: false,
    messages: [],
    ...more,
  };
}

async function welcomed(): Promise<FakePeer> {
  const peer = await server.peer();
  peer.welcome();
  return peer;
}

async function subscribed(offset = 0, more: object = {}): Promise<FakePeer> {
  const call = room.subscribe();
  const peer = await welcomed();
  peer.ok(await peer.next('subscribe'), reply(offset, more));
  await call;
  return peer;
}

async function reconnected(): Promise<FakePeer> {
  const { retryInMs } = await inState(client, 'waiting');
  client.clock.advance(retryInMs ?? 0);
  return welcomed();
}

/** Resolves when everything the peer sent before has been handled. */
async function caughtUp(peer: FakePeer): Promise<void> {
  const call = client.trunkline.request('ping');
  peer.ok(await peer.next('ping'), {});
  await call;
}

describe('subscribe', () => {
  it('asks for the channel and resolves with its place', async () => {
    const call = room.subscribe();
    const peer = await welcomed();
    const frame = await peer.next('subscribe');
    expect(frame.data).toEqual({ channel: 'chat:lobby', presence: true });
    peer.ok(frame, reply(4));
    expect(await call).toEqual({
      channel: 'chat:lobby',
      epoch: 'e1',
      offset: 4,
      id: 'm4',
      recoverable: true,
      recovered: false,
    });
    expect(room.subscribed).toBe(true);
    expect(room.position).toEqual({ epoch: 'e1', offset: 4, id: 'm4' });
  });

  it('is asked once for many calls', async () => {
    const calls = [room.subscribe(), room.subscribe()];
    const peer = await welcomed();
    peer.ok(await peer.next('subscribe'), reply(0));
    await Promise.all(calls);
    await room.subscribe();
    await caughtUp(peer);
    const other = client.trunkline.channel('chat:other');
    const more = [other.subscribe(), other.subscribe()];
    peer.ok(await peer.next('subscribe'), { ...reply(0), channel: 'chat:other' });
    await Promise.all(more);
    await caughtUp(peer);
  });

  it('may begin at a position the application has kept', async () => {
    const since = { epoch: 'e1', offset: 2, id: 'm2' };
    const call = room.subscribe({ since });
    const peer = await welcomed();
    const frame = await peer.next('subscribe');
    expect(frame.data['since']).toEqual(since);
    peer.ok(frame, reply(3, { recovered: true, messages: [message(3)] }));
    await call;
    expect(heard).toEqual([3]);
  });

  it('that is refused rejects, tells, and is not asked again', async () => {
    const told = happens<TrunklineError>('unsubscribed', (resolve) => room.on('unsubscribed', resolve));
    const call = room.subscribe();
    const peer = await welcomed();
    peer.error(await peer.next('subscribe'), { code: 'forbidden', message: 'Not for you.' });
    await expect(call).rejects.toMatchObject({ code: 'forbidden', message: 'Not for you.' });
    expect(await told).toMatchObject({ code: 'forbidden' });
    peer.cut();
    await caughtUp(await reconnected());
  });

  it('that cannot be answered now is asked again later', async () => {
    const call = room.subscribe();
    const peer = await welcomed();
    peer.error(await peer.next('subscribe'), { code: 'unavailable', retry: true });
    await caughtUp(peer);
    client.clock.advance(750);
    peer.error(await peer.next('subscribe'), { code: 'rate_limited', retry: true, retryAfterMs: 100 });
    await caughtUp(peer);
    client.clock.advance(350);
    peer.ok(await peer.next('subscribe'), reply(0));
    await call;
  });

  it('survives a connection that ends before the answer', async () => {
    const call = room.subscribe();
    const peer = await welcomed();
    await peer.next('subscribe');
    peer.cut();
    const again = await reconnected();
    again.ok(await again.next('subscribe'), reply(0));
    await call;
  });

  it('knows a code as worth a retry exactly when the protocol does', () => {
    for (const [code, { retry }] of Object.entries(ERRORS))
      expect(isRetryable(code as ErrorCode), code).toBe(retry);
  });
});

describe('resume', () => {
  it('asks from the last message and hands on the missed ones in order, once', async () => {
    const peer = await subscribed(4);
    peer.push('message', message(5));
    await caughtUp(peer);
    peer.cut();
    const again = await reconnected();
    const frame = await again.next('subscribe');
    expect(frame.data['since']).toEqual({ epoch: 'e1', offset: 5, id: 'm5' });
    again.ok(frame, reply(7, { recovered: true, messages: [message(6), message(7)] }));
    again.push('message', message(7));
    again.push('message', message(8));
    await caughtUp(again);
    expect(heard).toEqual([5, 6, 7, 8]);
  });

  it('works when no message was ever received', async () => {
    const peer = await subscribed(0);
    peer.cut();
    const again = await reconnected();
    const frame = await again.next('subscribe');
    expect(frame.data['since']).toEqual({ epoch: 'e1', offset: 0, id: '' });
    again.ok(frame, reply(1, { recovered: true, messages: [message(1)] }));
    await caughtUp(again);
    expect(heard).toEqual([1]);
  });

  it('that the server cannot give is told with its reason, and reading goes on', async () => {
    const told: Subscription[] = [];
    const gaps: Gap[] = [];
    room.on('subscribed', (subscription) => told.push(subscription));
    room.on('gap', (gap) => gaps.push(gap));
    const peer = await subscribed(4);
    peer.cut();
    const again = await reconnected();
    again.ok(await again.next('subscribe'), reply(9, { reason: 'expired' }));
    again.push('message', message(10));
    await caughtUp(again);
    expect(told.map(({ recovered, reason }) => ({ recovered, reason }))).toEqual([
      { recovered: false, reason: undefined },
      { recovered: false, reason: 'expired' },
    ]);
    expect(gaps).toEqual([
      { channel: 'chat:lobby', epoch: 'e1', from: 5, to: 9, count: 5, reason: 'expired' },
    ]);
    expect(heard).toEqual(['expired 5-9', 10]);
  });

  it('is not asked of a channel without history', async () => {
    const peer = await subscribed(0, { epoch: 'none', recoverable: false });
    peer.cut();
    const again = await reconnected();
    const frame = await again.next('subscribe');
    expect(frame.data['since']).toBeUndefined();
    again.ok(frame, reply(0, { epoch: 'none', recoverable: false }));
    again.push('message', { ...message(1), offset: undefined });
    await caughtUp(again);
    expect(heard).toEqual(['no offset']);
  });

  it('that is refused ends the subscription', async () => {
    const peer = await subscribed(1);
    peer.cut();
    const told = happens<TrunklineError>('unsubscribed', (resolve) => room.on('unsubscribed', resolve));
    const again = await reconnected();
    again.error(await again.next('subscribe'), { code: 'forbidden' });
    expect(await told).toMatchObject({ code: 'forbidden' });
    expect(room.subscribed).toBe(false);
  });

  it('goes out and in again when the server says it is there already', async () => {
    const peer = await subscribed(1);
    peer.cut();
    const again = await reconnected();
    again.error(await again.next('subscribe'), { code: 'already_subscribed' });
    again.ok(await again.next('unsubscribe'), { channel: 'chat:lobby' });
    const frame = await again.next('subscribe');
    expect(frame.data['since']).toMatchObject({ offset: 1 });
    again.ok(frame, reply(2, { recovered: true, messages: [message(2)] }));
    await caughtUp(again);
    expect(heard).toEqual([2]);
  });

  it('begins again after close() and connect()', async () => {
    await subscribed(3);
    client.trunkline.close();
    client.trunkline.connect();
    const again = await welcomed();
    expect((await again.next('subscribe')).data['since']).toMatchObject({ offset: 3 });
  });
});

it('asks again for what was held back behind a publish of its own', async () => {
  const peer = await subscribed(5);
  const call = room.publish('message', { text: 'mine' }, { echo: false });
  await peer.next('publish');
  peer.push('message', message(7));
  await caughtUp(peer);
  client.trunkline.close();
  await expect(call).rejects.toMatchObject({ code: 'closed' });
  client.trunkline.connect();
  const again = await welcomed();
  expect((await again.next('subscribe')).data['since']).toMatchObject({ offset: 5 });
  expect(heard).toEqual([]);
});

describe('unsubscribe', () => {
  it('hands on nothing more, and forgets the place', async () => {
    const peer = await subscribed(1);
    const left = room.unsubscribe();
    peer.push('message', message(2));
    peer.push('join', { channel: 'chat:lobby', member: member('ben') });
    peer.ok(await peer.next('unsubscribe'), { channel: 'chat:lobby' });
    await left;
    expect(room.members.size).toBe(0);
    const call = room.subscribe();
    const frame = await peer.next('subscribe');
    expect(frame.data['since']).toBeUndefined();
    peer.ok(frame, reply(2));
    await call;
    expect(heard).toEqual([]);
  });

  it('in the middle of a resume spares the listener the rest', async () => {
    const peer = await subscribed(1);
    peer.cut();
    room.on('message', ({ offset }) => {
      if (offset === 2) void room.unsubscribe();
    });
    const again = await reconnected();
    again.ok(
      await again.next('subscribe'),
      reply(4, { recovered: true, messages: [2, 3, 4].map((n) => message(n)) }),
    );
    again.ok(await again.next('unsubscribe'), { channel: 'chat:lobby' });
    expect(heard).toEqual([2]);
  });

  it('before the answer cancels the subscribe, and a new one is not confused by it', async () => {
    const first = room.subscribe();
    const peer = await welcomed();
    const frame = await peer.next('subscribe');
    const left = room.unsubscribe();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    const second = room.subscribe();
    peer.ok(frame, reply(1));
    peer.ok(await peer.next('unsubscribe'), { channel: 'chat:lobby' });
    await left;
    expect(room.subscribed).toBe(false);
    peer.ok(await peer.next('subscribe'), reply(2));
    expect(await second).toMatchObject({ offset: 2 });
  });

  it('by the server is told, and tried again when the reason passes', async () => {
    const peer = await subscribed(1);
    const told = vi.fn<(error: TrunklineError) => void>();
    room.on('unsubscribed', told);
    peer.push('unsubscribed', { channel: 'chat:lobby', code: 'unavailable', message: 'later' });
    await caughtUp(peer);
    expect(told).not.toHaveBeenCalled();
    client.clock.advance(750);
    const frame = await peer.next('subscribe');
    expect(frame.data['since']).toMatchObject({ offset: 1 });
    peer.ok(frame, reply(1, { recovered: true }));
    peer.push('unsubscribed', { channel: 'chat:lobby', code: 'forbidden', message: 'gone' });
    await caughtUp(peer);
    expect(told.mock.calls).toEqual([[expect.objectContaining({ code: 'forbidden', message: 'gone' })]]);
    expect(room.members.size).toBe(0);
  });
});

describe('members', () => {
  it('are kept from the reply, joins and leaves', async () => {
    const snapshots: string[] = [];
    room.on('members', (members) => snapshots.push([...members.keys()].join(' ')));
    const moves: string[] = [];
    room.on('join', ({ member: { user } }) => moves.push(`+${user}`));
    room.on('leave', ({ member: { user } }) => moves.push(`-${user}`));
    const peer = await subscribed(0, { members: [member('ana')] });
    peer.push('join', { channel: 'chat:lobby', member: member('ben') });
    peer.push('leave', { channel: 'chat:lobby', member: member('ana') });
    await caughtUp(peer);
    expect(snapshots).toEqual(['ana', 'ana ben', 'ben']);
    expect(moves).toEqual(['+ben', '-ana']);
    expect(room.members.get('ben')).toEqual(member('ben'));
    peer.cut();
    const again = await reconnected();
    expect([...room.members.keys()], 'what was true last').toEqual(['ben']);
    again.ok(await again.next('subscribe'), reply(0, { recovered: true, members: [member('cleo', 2)] }));
    await caughtUp(again);
    expect([...room.members.keys()]).toEqual(['cleo']);
  });

  it('can be asked for without a subscription', async () => {
    const call = room.presence();
    const peer = await welcomed();
    peer.ok(await peer.next('presence'), { channel: 'chat:lobby', members: [member('ana')] });
    expect(await call).toEqual([member('ana')]);
  });
});

describe('events', () => {
  it('reach the listener of their name with their own type', async () => {
    const texts: string[] = [];
    room.onEvent('message', (data, { from }) => {
      expectTypeOf(data).toEqualTypeOf<{ text: string }>();
      texts.push(`${from?.user}: ${data.text}`);
    });
    const off = room.onEvent('typing', () => texts.push('typing'));
    const peer = await subscribed();
    peer.push('message', message(1, { from: { user: 'ben' } }));
    peer.push('message', { ...message(0), offset: undefined, event: 'typing', data: {} });
    await caughtUp(peer);
    off();
    peer.push('message', { ...message(0), offset: undefined, event: 'typing', data: {} });
    await caughtUp(peer);
    expect(texts).toEqual(['ben: t1', 'typing']);
  });

  it('are typed together by their name', () => {
    room.on('message', (m) => {
      if (m.event === 'message') expectTypeOf(m.data).toEqualTypeOf<{ text: string }>();
    });
    // @ts-expect-error: an event the channel does not have
    const wrong = () => room.publish('mesage', { text: '' });
    // @ts-expect-error: a payload of another event
    const worse = () => room.publish('message', { txt: '' });
    expect([wrong, worse]).toHaveLength(2);
  });

  it('go on when a listener throws', async () => {
    room.on('message', ({ offset }) => {
      if (offset === 1) throw new Error('listener');
    });
    const rest: (Message | number)[] = [];
    room.on('message', ({ offset }) => rest.push(offset ?? 0));
    const peer = await subscribed();
    peer.push('message', message(1));
    peer.push('message', message(2));
    await caughtUp(peer);
    expect(rest).toEqual([1, 2]);
    expect(client.errors).toEqual([new Error('listener')]);
  });

  it('of the application and stray errors reach the client', async () => {
    const events: unknown[] = [];
    client.trunkline.on('event', (event) => events.push(event));
    const peer = await subscribed();
    peer.push('orders.filled', { order: 7 });
    peer.sendText('{"event":"error","data":{"code":"invalid_frame","message":"What?","retry":false}}');
    peer.sendText('not json');
    await caughtUp(peer);
    expect(events).toEqual([{ event: 'orders.filled', data: { order: 7 } }]);
    expect(client.errors).toEqual([
      expect.objectContaining({ code: 'invalid_frame', message: 'What?' }),
      expect.objectContaining({ message: 'The server sent a frame that is not of the protocol.' }),
    ]);
  });
});

describe('a channel that the server joins us to', () => {
  it('is handed over before its first message', async () => {
    const texts: unknown[] = [];
    client.trunkline.on('channel', (channel) => channel.on('message', ({ data }) => texts.push(data)));
    client.trunkline.connect();
    const peer = await welcomed();
    peer.push('subscribed', { ...reply(3), channel: 'news:all' });
    peer.push('message', { ...message(4), channel: 'news:all' });
    await caughtUp(peer);
    expect(texts).toEqual([{ text: 't4' }]);
  });

  it('counts as the answer to a subscribe of our own when nothing was missed', async () => {
    room = client.trunkline.channel<Events>('chat:other');
    room.on('message', ({ offset }) => heard.push(offset ?? 0));
    const call = room.subscribe();
    const peer = await welcomed();
    const frame = await peer.next('subscribe');
    peer.push('subscribed', { ...reply(3), channel: 'chat:other' });
    peer.error(frame, { code: 'already_subscribed' });
    expect(await call).toMatchObject({ offset: 3 });
    peer.push('message', { ...message(4), channel: 'chat:other' });
    await caughtUp(peer);
    expect(heard).toEqual([4]);
  });
});

it('takes the join of the server for a resume when nothing was missed', async () => {
  const peer = await subscribed(3);
  peer.cut();
  room = client.trunkline.channel<Events>('chat:lobby', { presence: false });
  const again = await reconnected();
  const frame = await again.next('subscribe');
  again.push('subscribed', reply(3));
  again.error(frame, { code: 'already_subscribed' });
  again.push('message', message(4));
  await caughtUp(again);
  expect(heard).toEqual([4]);
});

it('reads history as it is asked', async () => {
  const call = room.history({ since: { epoch: 'e1', offset: 1, id: 'm1' }, limit: 2, reverse: true });
  const peer = await welcomed();
  const frame = await peer.next('history');
  expect(frame.data).toEqual({
    channel: 'chat:lobby',
    since: { epoch: 'e1', offset: 1, id: 'm1' },
    limit: 2,
    reverse: true,
  });
  peer.ok(frame, {
    channel: 'chat:lobby',
    epoch: 'e1',
    offset: 3,
    id: 'm3',
    messages: [message(3), message(2)],
  });
  const page = await call;
  expect(page.messages.map(({ offset }) => offset)).toEqual([3, 2]);
});
