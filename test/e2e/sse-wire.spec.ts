// Server-Sent Events on the wire: headers, the first event, ids, heartbeats, the ways to say where to begin, and refusals.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from '../../src/protocol/cursor.js';
import {
  disposeStreams,
  openSse,
  sseRefused,
  type SseClient,
  type SseOptions,
} from '../support/sse-client.js';
import { startStreams, type StreamServer } from '../support/stream-server.js';
import { until } from '../support/wait.js';
import { connect as connectWs, disposeClients } from '../support/ws-client.js';

const HEARTBEAT_MS = 200;
const RETRY_MS = 700;

let server: StreamServer;
let count = 0;
beforeAll(async () => {
  server = await startStreams({
    rules: [
      { channel: 'room:{name}', presence: true, history: { size: 100, ttl: '1m' }, ephemeral: ['typing'] },
      { channel: 'open:{name}', subscribe: 'anyone' },
      { channel: 'team:{name}', subscribe: 'capability' },
      { channel: 'inbox:{name}', subscribe: 'nobody', history: { size: 100, ttl: '1m' } },
    ],
    sse: { heartbeatMs: HEARTBEAT_MS, retryMs: RETRY_MS },
    core: { leaveGraceMs: 50 },
  });
});
afterEach(() => {
  disposeStreams();
  disposeClients();
});
afterAll(() => server.close());

const newChannel = (): string => `room:${++count}`;
const open = (channels: readonly string[], options: SseOptions = {}): Promise<SseClient> =>
  openSse(server.url, channels, { token: server.token('ana'), ...options });
const refused = (channels: readonly string[], options: SseOptions = {}) =>
  sseRefused(server.url, channels, { token: server.token('ana'), ...options });
const publish = async (channel: string, ...payloads: readonly unknown[]): Promise<void> => {
  for (const data of payloads) await server.realtime.publish(channel, 'tick', data);
};

describe('the answer', () => {
  it('has the headers that keep caches, proxies and sniffers away', async () => {
    const stream = await open([newChannel()]);
    expect(stream.response.statusCode).toBe(200);
    expect(stream.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const cacheControl = stream.headers['cache-control']?.split(/, */) ?? [];
    expect(cacheControl).toEqual(expect.arrayContaining(['no-store', 'no-transform']));
    expect(stream.headers['x-accel-buffering']).toBe('no');
    expect(stream.headers['x-content-type-options']).toBe('nosniff');
    expect(stream.headers).not.toHaveProperty('content-length');
    expect(stream.headers).not.toHaveProperty('x-powered-by');
    expect(stream.headers['vary']).toMatch(/Authorization/);
  });

  it('begins with `retry:` and `ready`, which tells who, what and where', async () => {
    const channel = newChannel();
    await publish(channel, 'before');
    const { epoch, offset, id } = await server.realtime.history(channel);
    const stream = await open([channel]);
    const ready = await stream.ready();
    expect(ready).toMatchObject({ user: 'ana', heartbeatMs: HEARTBEAT_MS, version: 1 });
    expect(ready.channels).toEqual([
      { channel, epoch, offset, id, recoverable: true, recovered: false, replayed: 0 },
    ]);
    expect(stream.lastEventId).toBe(encodeCursor(new Map([[channel, { epoch, offset, id }]])));
    expect(stream.text).toMatch(/^retry: \d+\n\nid: \S+\nevent: ready\ndata: /);
    expect(server.realtime.sessions('ana').map(({ id: session }) => session)).toContain(ready.session);
  });

  it('tells a retry with jitter, from the least to twice of it', async () => {
    const channel = newChannel();
    const streams = await Promise.all(Array.from({ length: 20 }, () => open([channel])));
    await Promise.all(streams.map((stream) => stream.ready()));
    const retries = streams.map(({ retries: list }) => list[0] ?? 0);
    expect(new Set(retries).size).toBeGreaterThan(5);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(RETRY_MS);
    expect(Math.max(...retries)).toBeLessThanOrEqual(2 * RETRY_MS);
    expect(streams.every(({ retries: list }) => list.length === 1)).toBe(true);
  });

  it('comes at once, not with the first event after it', async () => {
    const start = performance.now();
    await (await open([newChannel()])).ready();
    expect(performance.now() - start).toBeLessThan(HEARTBEAT_MS * 5);
  });
});

describe('each kept message', () => {
  it('has an id that stands after it, in all channels of the stream', async () => {
    const [a, b] = [newChannel(), newChannel()] as const;
    const stream = await open([a, b]);
    const { channels } = await stream.ready();
    await publish(a, 1);
    await publish(b, 1, 2);
    await publish(a, 2);
    const offsets = new Map(channels.map(({ channel, offset }) => [channel, offset]));
    for (let n = 0; n < 4; n++) {
      const { id = '', data } = await stream.next('message');
      offsets.set(data.channel, data.offset);
      const cursor = decodeCursor(id);
      expect(new Map([...(cursor ?? [])].map(([channel, { offset }]) => [channel, offset]))).toEqual(offsets);
      expect(cursor?.get(data.channel)?.id).toBe(data.id);
    }
  });

  it('and nothing else has one: what is not kept leaves the last id standing', async () => {
    const channel = newChannel();
    const stream = await open([channel]);
    await stream.ready();
    await server.realtime.publish(channel, 'typing', {});
    expect((await stream.next('message')).id).toBeUndefined();
    const ben = await open([channel], { token: server.token('ben') });
    expect((await stream.next('join')).id).toBeUndefined();
    ben.destroy();
    expect((await stream.next('leave')).data.member.user).toBe('ben');
  });

  it('has the same JSON as the push of a WebSocket', async () => {
    const channel = newChannel();
    const [stream, socket] = [
      await open([channel]),
      await connectWs(server.wsUrl, { token: server.token('ben') }),
    ];
    await socket.subscribe(channel);
    await socket.publish(channel, { text: 'same' }, { key: 'k' });
    const [event, frame] = [await stream.next('message'), await socket.next('message')];
    expect(event.data).toEqual(frame.data);
  });
});

describe('the heartbeat', () => {
  it('is a comment in each period, and no event', async () => {
    const stream = await open([newChannel()]);
    await stream.ready();
    const start = performance.now();
    await until(() => stream.comments.length >= 4, 'four comments');
    expect(performance.now() - start).toBeGreaterThan(HEARTBEAT_MS * 2.5);
    expect(stream.events).toHaveLength(1);
  });
});

describe('where to begin', () => {
  async function readTwo(): Promise<{ channel: string; ids: readonly string[] }> {
    const channel = newChannel();
    const stream = await open([channel]);
    await stream.ready();
    await publish(channel, 'one', 'two', 'three');
    const ids = [stream.lastEventId];
    for (let n = 0; n < 3; n++) ids.push((await stream.next('message')).id ?? '');
    return { channel, ids };
  }
  const heard = async (stream: SseClient): Promise<readonly unknown[]> => {
    const { channels } = await stream.ready();
    const list: unknown[] = [];
    for (let n = 0; n < (channels[0]?.replayed ?? 0); n++)
      list.push((await stream.next('message')).data.data);
    return list;
  };

  it('is told by Last-Event-ID, by ?cursor, and the header wins', async () => {
    const { channel, ids } = await readTwo();
    const [, one, two, three] = ids as [string, string, string, string];
    expect(await heard(await open([channel], { lastEventId: one }))).toEqual(['two', 'three']);
    expect(await heard(await open([channel], { cursor: two }))).toEqual(['three']);
    expect(await heard(await open([channel], { cursor: one, lastEventId: three }))).toEqual([]);
    expect(await heard(await open([channel], { cursor: three, lastEventId: one }))).toEqual(['two', 'three']);
    expect(await heard(await open([channel], { cursor: two, lastEventId: '' }))).toEqual(['three']);
  });

  it('the id of `ready` stands before what follows it, so a stream cut right there loses nothing', async () => {
    const { channel, ids } = await readTwo();
    const stream = await open([channel], { cursor: ids[0] });
    await stream.ready();
    const [ready] = stream.events;
    expect(await heard(await open([channel], { lastEventId: ready?.id }))).toEqual(['one', 'two', 'three']);
  });

  it('a cursor of other channels is no fault and gives nothing of them', async () => {
    const { ids } = await readTwo();
    const stream = await open([newChannel()], { cursor: ids[1] });
    const { channels } = await stream.ready();
    expect(channels).toMatchObject([{ recovered: false, replayed: 0 }]);
    expect(channels[0]).not.toHaveProperty('reason');
  });

  it('`end` says do not come back: 204', async () => {
    expect((await refused([newChannel()], { lastEventId: 'end' })).status).toBe(204);
  });

  it.each([
    ['rubbish', 'rubbish'],
    ['another version', '9~room%3Aa!e.1.'],
    ['a channel twice', '1~room%3Aa!e.1.~room%3Aa!e.2.'],
    ['a bad escape', '1~room%ZZ!e.1.'],
    ['no position', '1~room%3Aa!'],
    ['an offset over 2^53', '1~room%3Aa!e.9999999999999999.'],
    ['too much', `1~${'x'.repeat(9000)}`],
  ])('a cursor that is none is refused with 400: %s', async (_what, cursor) => {
    for (const options of [{ cursor }, { lastEventId: cursor }]) {
      const { status, problem } = await refused([newChannel()], options);
      expect([status, problem['code']]).toEqual([400, 'invalid_data']);
    }
  });
});

describe('a channel that the token joins', () => {
  const token = (inbox: string): string => server.token('ana', { join: [inbox] });

  /** A stream that has stood in its own channel and in the joined one; a message that it has missed in the latter. */
  async function missedInTheInbox(): Promise<{ room: string; inbox: string; lastEventId: string }> {
    const [room, inbox] = [newChannel(), `inbox:${++count}`] as const;
    const stream = await open([room], { token: token(inbox) });
    await stream.next('subscribed');
    await publish(inbox, 'seen');
    await publish(room, 'seen');
    await stream.next('message', ({ data }) => data.channel === inbox);
    await stream.next('message', ({ data }) => data.channel === room);
    stream.destroy();
    await publish(inbox, 'missed');
    return { room, inbox, lastEventId: stream.lastEventId };
  }

  /** What a stream brings of the joined channel, as a message of its own or with the news of the joining. */
  async function broughtOf(stream: SseClient): Promise<readonly unknown[]> {
    const { data } = await stream.next('subscribed');
    const live = stream.events.filter(
      ({ event, data: one }) => event === 'message' && one.channel === data.channel,
    );
    return [...data.messages.map((message) => message.data), ...live.map((event) => event.data.data)];
  }

  it('resumes with the stream', async () => {
    const { room, inbox, lastEventId } = await missedInTheInbox();
    expect(await broughtOf(await open([room], { token: token(inbox), lastEventId }))).toEqual(['missed']);
  });

  it('loses nothing when the stream is cut right after `ready`', async () => {
    const { room, inbox, lastEventId } = await missedInTheInbox();
    const cut = await open([room], { token: token(inbox), lastEventId });
    await cut.ready();
    const [ready] = cut.events;
    cut.destroy();
    const back = await open([room], { token: token(inbox), lastEventId: ready?.id });
    expect(await broughtOf(back)).toEqual(['missed']);
  });
});

describe('a refusal', () => {
  it('is a problem with its code, its words, and the channel it is about', async () => {
    const { status, headers, problem } = await refused([newChannel(), 'team:a']);
    expect(status).toBe(403);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(problem).toMatchObject({ code: 'forbidden', channel: 'team:a', retry: false });
    expect(problem['detail']).toEqual(expect.any(String));
    expect(await refused(['nowhere:a'])).toMatchObject({ status: 404 });
  });

  it('leaves no session and no presence behind', async () => {
    const channel = newChannel();
    await until(() => server.core.hub.sessionCount === 0, 'earlier streams to end');
    await refused([channel, 'team:a']);
    expect(server.core.hub.sessionCount).toBe(0);
    await until(async () => (await server.realtime.members(channel)).length === 0, 'nobody to be there');
  });

  it('of a stranger without a channel is 401; a known user may open without one and be joined', async () => {
    expect(await refused([], { token: undefined })).toMatchObject({ status: 401 });
    const stream = await open([], { token: server.token('lone') });
    expect((await stream.ready()).channels).toEqual([]);
    const channel = newChannel();
    await server.realtime.subscribe('lone', channel);
    await stream.next('subscribed');
    await publish(channel, 'hello');
    expect((await stream.next('message')).data.data).toBe('hello');
  });

  it('meets other methods: a HEAD is not left open, a POST finds nothing', async () => {
    for (const method of ['HEAD', 'POST', 'PUT', 'DELETE']) {
      const { status } = await refused([newChannel()], { method });
      expect([404, 405], method).toContain(status);
    }
    expect(server.core.hub.sessionCount).toBe(0);
  });
});

describe('presence', () => {
  it('tells members when asked with true, joins and leaves by default, and nothing with false', async () => {
    const channel = newChannel();
    const [asked, byDefault, quiet] = [
      await open([channel], { query: [['presence', 'true']] }),
      await open([channel]),
      await open([channel], { query: [['presence', 'false']] }),
    ];
    expect((await asked.ready()).channels[0]?.members?.map(({ user }) => user)).toEqual(['ana']);
    expect((await byDefault.ready()).channels[0]).not.toHaveProperty('members');
    expect((await quiet.ready()).channels[0]).not.toHaveProperty('members');
    await open([channel], { token: server.token('ben') });
    for (const stream of [asked, byDefault]) expect((await stream.next('join')).data.member.user).toBe('ben');
    await publish(channel, 'barrier');
    await quiet.next('message');
    expect(quiet.pending('join')).toEqual([]);
  });

  it('may be asked for some channels of a stream', async () => {
    const [a, b] = [newChannel(), newChannel()] as const;
    const stream = await open([a, b], { query: [['presence', a]] });
    const { channels } = await stream.ready();
    expect(channels.map((entry) => 'members' in entry)).toEqual([true, false]);
  });
});
