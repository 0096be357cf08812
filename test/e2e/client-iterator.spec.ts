// Loops over the messages of a channel: what they yield, how they end, and that they leave nothing behind.

import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { clientFor, happens, inState, type ClientUnderTest } from '../../client/testing/kit.js';
import type { Channel, MessageOf } from '../../client/src/index.js';
import { FakeWsServer, type FakePeer } from '../support/fake-ws-server.js';

interface Events {
  message: { text: string };
  typing: Record<string, never>;
}

let server: FakeWsServer;
let client: ClientUnderTest;
let room: Channel<Events>;

beforeEach(async () => {
  server = await FakeWsServer.start();
  client = clientFor(server.url);
  room = client.trunkline.channel<Events>('chat:lobby');
});

afterEach(async () => {
  client.trunkline.close();
  expect(client.clock.pending, 'timers left behind').toBe(0);
  await server.stop();
});

function message(offset: number): object {
  return {
    channel: 'chat:lobby',
    offset,
    id: `m${offset}`,
    event: 'message',
    data: { text: `t${offset}` },
    time: 1,
  };
}

function reply(offset: number, more: object = {}): object {
  const id = offset === 0 ? '' : `m${offset}`;
  const place = { epoch: 'e1', offset, id, recoverable: true, recovered: false };
  return { channel: 'chat:lobby', ...place, messages: [], ...more };
}

async function welcomed(): Promise<FakePeer> {
  const peer = await server.peer();
  peer.welcome();
  return peer;
}

type Loop = AsyncIterableIterator<MessageOf<Events>, undefined>;

/** A loop that waits for its first message, and the server it subscribed at. */
async function begun(options: Parameters<typeof room.messages>[0] = {}): Promise<{
  loop: Loop;
  first: ReturnType<Loop['next']>;
  peer: FakePeer;
}> {
  const loop = room.messages(options);
  const first = loop.next();
  const peer = await welcomed();
  peer.ok(await peer.next('subscribe'), reply(0));
  await happens('subscription', (resolve) =>
    room.subscribed ? (resolve(undefined), () => {}) : room.on('subscribed', resolve),
  );
  return { loop, first, peer };
}

/** The offset, or how it ended. */
async function step(next: ReturnType<Loop['next']>): Promise<number | string | undefined> {
  const result = await next.catch((error: unknown) => (error as { code: string }).code);
  if (typeof result === 'string') return result;
  return result.done === true ? 'done' : result.value.offset;
}

/** The offsets up to the end, and how it ended. */
async function rest(loop: Loop): Promise<(number | string | undefined)[]> {
  const heard = [];
  for (;;) {
    const offset = await step(loop.next());
    heard.push(offset);
    if (typeof offset === 'string') return heard;
  }
}

/** Resolves when all that was sent before has been heard. */
async function settled(peer: FakePeer): Promise<void> {
  const asked = client.trunkline.request('ping');
  peer.ok(await peer.next('ping'), {});
  await asked;
}

describe('a loop over messages', () => {
  it('subscribes, yields each message in order, and unsubscribes at `break`', async () => {
    const heard: string[] = [];
    const ended = (async () => {
      for await (const { event, data } of room.messages()) {
        if (event === 'message') heard.push(data.text);
        if (heard.length === 3) break;
      }
    })();
    const peer = await welcomed();
    peer.ok(await peer.next('subscribe'), reply(0));
    for (const offset of [1, 2, 3, 4]) peer.push('message', message(offset));
    await ended;
    expect(heard).toEqual(['t1', 't2', 't3']);
    const left = await peer.next('unsubscribe');
    expect(left.data).toEqual({ channel: 'chat:lobby' });
    peer.ok(left, { channel: 'chat:lobby' });
    expect(room.subscribed).toBe(false);
  });

  it('does nothing before the first step', async () => {
    client.trunkline.connect();
    const peer = await welcomed();
    const loop = room.messages();
    await settled(peer);
    expect(await loop.return?.()).toEqual({ done: true, value: undefined });
    expect(await step(loop.next())).toBe('done');
    await settled(peer);
    expect(peer.unread).toBe(0);
  });

  it('may begin at a position the application has kept', async () => {
    const loop = room.messages({ since: { epoch: 'e1', offset: 4, id: 'm4' } });
    const first = loop.next();
    const peer = await welcomed();
    const asked = await peer.next('subscribe');
    expect(asked.data['since']).toEqual({ epoch: 'e1', offset: 4, id: 'm4' });
    peer.ok(asked, reply(6, { recovered: true, messages: [message(5), message(6)] }));
    expect(await step(first)).toBe(5);
    expect(await step(loop.next())).toBe(6);
  });

  it('answers several steps asked for at once, each with its own message', async () => {
    const { loop, first, peer } = await begun();
    const steps = [first, loop.next(), loop.next()];
    peer.push('message', message(1));
    peer.push('message', message(2));
    await settled(peer);
    await loop.return?.();
    expect(await Promise.all(steps.map(step))).toEqual([1, 2, 'done']);
  });

  it('goes on after a lost connection with exactly what was missed', async () => {
    const { loop, first, peer } = await begun();
    peer.push('message', message(1));
    expect(await step(first)).toBe(1);
    const lost = inState(client, 'waiting');
    peer.cut();
    client.clock.advance((await lost).retryInMs ?? 0);
    const again = await welcomed();
    const asked = await again.next('subscribe');
    expect(asked.data['since']).toEqual({ epoch: 'e1', offset: 1, id: 'm1' });
    again.ok(asked, reply(3, { recovered: true, messages: [message(2), message(3)] }));
    expect([await step(loop.next()), await step(loop.next())]).toEqual([2, 3]);
  });

  it('is typed by the events of the channel', () => {
    type Item = Loop extends AsyncIterableIterator<infer M> ? M : never;
    expectTypeOf<Item['event']>().toEqualTypeOf<'message' | 'typing'>();
    expectTypeOf<Extract<Item, { event: 'message' }>['data']>().toEqualTypeOf<{ text: string }>();
  });
});

describe('a loop that falls behind', () => {
  it('gets all that fitted and then an error, never a hole', async () => {
    const { loop, first, peer } = await begun({ limit: 3 });
    peer.push('message', message(1));
    expect(await step(first)).toBe(1);
    for (const offset of [2, 3, 4, 5, 6]) peer.push('message', message(offset));
    await peer.next('unsubscribe');
    expect(await rest(loop)).toEqual([2, 3, 4, 'too_slow']);
    expect(await step(loop.next())).toBe('done');
  });

  it('does not hold back a message for a loop that waits for it', async () => {
    const { loop, first, peer } = await begun({ limit: 0 });
    peer.push('message', message(1));
    expect(await step(first)).toBe(1);
    peer.push('message', message(2));
    await peer.next('unsubscribe');
    expect(await rest(loop)).toEqual(['too_slow']);
  });
});

describe('a gap', () => {
  const gap = { channel: 'chat:lobby', epoch: 'e1', from: 2, to: 5, count: 4, reason: 'lost' };

  it('is told by its event and the loop goes on', async () => {
    const { loop, first, peer } = await begun();
    const told = happens('gap', (resolve) => room.on('gap', resolve));
    peer.push('message', message(1));
    peer.push('gap', gap);
    peer.push('message', message(6));
    expect([await step(first), await step(loop.next())]).toEqual([1, 6]);
    expect(await told).toMatchObject({ from: 2, to: 5 });
  });

  it('ends the loop after the messages before it when that was asked for', async () => {
    const { loop, first, peer } = await begun({ gaps: 'throw' });
    peer.push('message', message(1));
    peer.push('gap', gap);
    peer.push('message', message(6));
    await peer.next('unsubscribe');
    expect(await step(first)).toBe(1);
    await expect(loop.next()).rejects.toMatchObject({
      code: 'gap',
      message: 'Messages 2 to 5 are missing: lost.',
    });
  });
});

describe('the end of a loop', () => {
  it('comes quietly by the signal, whether it waits or is behind', async () => {
    const stop = new AbortController();
    const { loop, first, peer } = await begun({ signal: stop.signal });
    const behind = room.messages({ signal: stop.signal });
    const one = behind.next();
    for (const offset of [1, 2, 3]) peer.push('message', message(offset));
    expect([await step(first), await step(one)]).toEqual([1, 1]);
    expect([await step(loop.next()), await step(loop.next())]).toEqual([2, 3]);
    const waiting = loop.next();
    stop.abort();
    expect([await step(waiting), await step(behind.next())]).toEqual(['done', 'done']);
    await peer.next('unsubscribe');
  });

  it('comes at once by a signal that was given before', async () => {
    client.trunkline.connect();
    const peer = await welcomed();
    expect(await step(room.messages({ signal: AbortSignal.abort() }).next())).toBe('done');
    await settled(peer);
    expect(peer.unread).toBe(0);
  });

  it('comes by the refusal of the subscription, as an error', async () => {
    const first = room.messages().next();
    const peer = await welcomed();
    peer.error(await peer.next('subscribe'), { code: 'forbidden' });
    expect(await step(first)).toBe('forbidden');
  });

  it('comes when the server puts the channel out, after what came before', async () => {
    const { loop, first, peer } = await begun();
    peer.push('message', message(1));
    peer.push('message', message(2));
    peer.push('unsubscribed', { channel: 'chat:lobby', code: 'forbidden', message: 'out' });
    expect([await step(first), ...(await rest(loop))]).toEqual([1, 2, 'forbidden']);
  });

  it('comes when the client is closed, as an error, and at once when it is closed already', async () => {
    const { first } = await begun();
    client.trunkline.close();
    expect(await step(first)).toBe('closed');
    expect(await step(room.messages().next())).toBe('closed');
  });

  it('comes quietly by `unsubscribe()`', async () => {
    const { first } = await begun();
    void room.unsubscribe();
    expect(await step(first)).toBe('done');
  });
});

describe('several who want one channel', () => {
  it('do not unsubscribe each other', async () => {
    const { loop, first, peer } = await begun();
    const other = room.messages();
    const second = other.next();
    await loop.return?.();
    expect(await step(first)).toBe('done');
    await settled(peer);
    expect(peer.unread).toBe(0);
    peer.push('message', message(1));
    expect(await step(second)).toBe(1);
    await other.return?.();
    await peer.next('unsubscribe');
  });

  it('leave a subscription that the application made itself', async () => {
    const call = room.subscribe();
    const peer = await welcomed();
    peer.ok(await peer.next('subscribe'), reply(0));
    await call;
    const loop = room.messages();
    const first = loop.next();
    await loop.return?.();
    expect(await step(first)).toBe('done');
    await settled(peer);
    expect(peer.unread).toBe(0);
    expect(room.subscribed).toBe(true);
  });

  it('hold it over `close()` and `connect()`, even when they came while it was closed', async () => {
    client.trunkline.connect();
    await welcomed();
    await inState(client, 'connected');
    client.trunkline.close();
    const hold = room.hold();
    await expect(hold.ready).rejects.toMatchObject({ code: 'closed' });
    client.trunkline.connect();
    const peer = await welcomed();
    peer.ok(await peer.next('subscribe'), reply(0));
    await settled(peer);
    expect(room.subscribed).toBe(true);
    hold.release();
    hold.release();
    await peer.next('unsubscribe');
  });

  it('are given the members when one of them asks for presence later', async () => {
    const { first, peer } = await begun();
    peer.push('message', message(1));
    expect(await step(first)).toBe(1);
    const members = happens('members', (resolve) => room.on('members', (map) => resolve([...map.keys()])));
    client.trunkline.channel('chat:lobby', { presence: true });
    await peer.next('unsubscribe');
    const again = await peer.next('subscribe');
    expect(again.data).toMatchObject({ presence: true, since: { offset: 1 } });
    const ana = { user: 'ana', connections: 1, since: 1 };
    peer.ok(again, reply(1, { recovered: true, members: [ana] }));
    expect(await members).toEqual(['ana']);
  });
});

it('leaves no listener behind', async () => {
  const { loop, first, peer } = await begun();
  const stop = new AbortController();
  let listeners = 0;
  const { signal } = stop;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
  for (let turn = 0; turn < 50; turn++) {
    const other = room.messages({ signal });
    const next = other.next();
    expect(listeners).toBe(1);
    await other.return?.();
    expect(await step(next)).toBe('done');
  }
  expect(listeners).toBe(0);
  peer.push('message', message(1));
  expect(await step(first)).toBe(1);
  await loop.return?.();
});
