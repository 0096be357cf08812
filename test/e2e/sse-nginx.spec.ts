// Behind nginx with its defaults, buffering and a cache for other paths: events arrive at once over HTTP/1.1 and HTTP/2, and nothing of one user goes to another.

import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { createParser } from 'eventsource-parser';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { report, startE2e, type E2eServer } from '../support/e2e-server.js';
import { startNginx, type Nginx } from '../support/nginx.js';
import { poll } from '../support/poll-client.js';
import { disposeStreams, openSse, sseRefused, sseUrl } from '../support/sse-client.js';
import { until } from '../support/wait.js';
import type { Message } from '../support/ws-client.js';

/** An event that waits in a buffer comes with the next heartbeat, after up to 15 s. This is far less. */
const AT_ONCE_MS = 1000;

let server: E2eServer;
let nginx: Nginx;
let count = 0;
beforeAll(async () => {
  server = await startE2e({ rules: [{ channel: 'room:{name}', history: { size: 100, ttl: '1m' } }] });
  nginx = await startNginx(server.port);
});
afterEach(disposeStreams);
afterAll(async () => {
  disposeStreams();
  await nginx.stop();
  await server.close();
});

const newChannel = (): string => `room:${++count}`;

/** A stream of one HTTP/2 connection. */
class H2Stream {
  status = 0;
  headers: Readonly<Record<string, unknown>> = {};
  ended = false;
  readonly events: { readonly event: string; readonly data: Message; readonly at: number }[] = [];
  private readonly stream: ClientHttp2Stream;

  constructor(session: ClientHttp2Session, channel: string, token: string) {
    const { pathname, search } = sseUrl(nginx.secureUrl, [channel]);
    this.stream = session.request({ ':path': pathname + search, authorization: `Bearer ${token}` });
    const parser = createParser({
      onEvent: ({ event = 'message', data }) =>
        this.events.push({ event, data: JSON.parse(data) as Message, at: performance.now() }),
      onError: (error) => {
        throw error;
      },
    });
    this.stream.on('response', (headers) => {
      this.status = headers[':status'] ?? 0;
      this.headers = headers;
    });
    this.stream.setEncoding('utf8');
    this.stream.on('data', (text: string) => parser.feed(text));
    this.stream.on('close', () => (this.ended = true));
    this.stream.on('error', () => {});
  }

  messages(): readonly Message[] {
    return this.events.filter(({ event }) => event === 'message').map(({ data }) => data);
  }

  close(): void {
    this.stream.close();
  }
}

describe('over HTTP/1.1', () => {
  it('the first event and each later one arrive at once, small and alone', async () => {
    const channel = newChannel();
    const start = performance.now();
    const stream = await openSse(nginx.url, [channel], { token: server.token('ana') });
    await stream.ready();
    expect(performance.now() - start).toBeLessThan(AT_ONCE_MS);
    expect(stream.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(stream.headers).not.toHaveProperty('content-encoding');
    const took: number[] = [];
    for (let n = 1; n <= 10; n++) {
      const sent = performance.now();
      await server.realtime.publish(channel, 'tick', n);
      expect((await stream.next('message')).data.data).toBe(n);
      took.push(performance.now() - sent);
    }
    expect(Math.max(...took)).toBeLessThan(AT_ONCE_MS);
    report(`an event through nginx over HTTP/1.1: at most ${Math.max(...took).toFixed(1)} ms`);
  });

  it('over TLS as well, and a return with the last id gets exactly the missed', async () => {
    const channel = newChannel();
    const options = { token: server.token('ana'), ca: nginx.ca };
    const stream = await openSse(nginx.secureUrl, [channel], options);
    await stream.ready();
    await server.realtime.publish(channel, 'tick', 1);
    await stream.next('message');
    stream.destroy();
    await until(
      () => server.realtime.sessions('ana').length === 0,
      'the server to learn that the reader is gone',
    );
    await server.realtime.publish(channel, 'tick', 2);
    const back = await openSse(nginx.secureUrl, [channel], { ...options, lastEventId: stream.lastEventId });
    expect((await back.ready()).channels).toMatchObject([{ recovered: true, replayed: 1 }]);
    expect((await back.next('message')).data.data).toBe(2);
  });

  it('a large burst arrives whole and in order', async () => {
    const channel = newChannel();
    const stream = await openSse(nginx.url, [channel], { token: server.token('ana') });
    await stream.ready();
    const payload = 'x'.repeat(5000);
    for (let n = 1; n <= 80; n++) await server.realtime.publish(channel, 'tick', { n, payload });
    for (let n = 1; n <= 80; n++) expect((await stream.next('message')).data.offset).toBe(n);
  });

  it('a cache in between keeps nothing of a stream and holds nothing back', async () => {
    const channel = newChannel();
    for (const n of [1, 2]) {
      const stream = await openSse(nginx.cachedUrl, [channel], { token: server.token('cached') });
      expect((await stream.ready()).channels[0]?.offset).toBe(n - 1);
      await server.realtime.publish(channel, 'tick', n);
      expect((await stream.next('message', undefined, AT_ONCE_MS)).data.data).toBe(n);
      stream.destroy();
      await until(() => server.realtime.sessions('cached').length === 0, 'the stream to be freed');
    }
  });

  it('an end by the server is an end, not a cut', async () => {
    const stream = await openSse(nginx.url, [newChannel()], { token: server.token('gone') });
    await stream.ready();
    await server.realtime.disconnect('gone');
    expect((await stream.next('close')).data.code).toBe(4003);
    expect(await stream.closed).toEqual({ clean: true });
  });
});

describe('over HTTP/2', () => {
  it('forty streams of one connection hear each event at once, and one that is closed is freed', async () => {
    const session = connect(nginx.secureUrl, { ca: nginx.ca });
    const channel = newChannel();
    const streams = Array.from({ length: 40 }, () => new H2Stream(session, channel, server.token('h2')));
    await until(() => streams.every(({ events }) => events[0]?.event === 'ready'), 'all to be ready');
    expect(streams[0]?.status).toBe(200);
    expect(streams[0]?.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    let latest = 0;
    for (let n = 1; n <= 5; n++) {
      const sent = performance.now();
      await server.realtime.publish(channel, 'tick', n);
      await until(() => streams.every((stream) => stream.messages().length === n), 'the event', AT_ONCE_MS);
      latest = Math.max(latest, performance.now() - sent);
    }
    report(`an event through nginx to 40 streams over HTTP/2: at most ${latest.toFixed(1)} ms`);
    streams[0]?.close();
    await until(() => server.realtime.sessions('h2').length === 39, 'the closed one to be freed');
    session.destroy();
    await until(() => server.realtime.sessions('h2').length === 0, 'the rest to be freed');
  });

  it('a refusal keeps its status and its problem', async () => {
    const { status, problem } = await sseRefused(nginx.secureUrl, ['nowhere:a'], {
      token: server.token('ana'),
      ca: nginx.ca,
    });
    expect([status, problem['code']]).toEqual([404, 'unknown_channel']);
  });
});

describe('polls', () => {
  it('behind a cache are never given to somebody else, nor given twice', async () => {
    const channel = newChannel();
    const options = { token: server.token('ana') };
    const { body } = await poll(nginx.cachedUrl, [channel], options);
    await server.realtime.publish(channel, 'tick', 1);
    const first = await poll(nginx.cachedUrl, [channel], { ...options, cursor: body.cursor, wait: 0 });
    expect(first.body.messages).toHaveLength(1);
    const stranger = await poll(nginx.cachedUrl, [channel], { cursor: body.cursor, wait: 0 });
    expect(stranger.status).toBe(401);
    await server.realtime.publish(channel, 'tick', 2);
    const again = await poll(nginx.cachedUrl, [channel], { ...options, cursor: body.cursor, wait: 0 });
    expect(again.body.messages).toHaveLength(2);
  });

  it('behind a cache wait, and are answered at once', async () => {
    const channel = newChannel();
    const token = server.token('waiter');
    const { cursor } = (await poll(nginx.cachedUrl, [channel], { token })).body;
    const waiting = poll(nginx.cachedUrl, [channel], { token, cursor, wait: 20 });
    await until(() => server.realtime.sessions('waiter').length > 0, 'the poll to wait');
    const sent = performance.now();
    await server.realtime.publish(channel, 'tick', 'now');
    expect((await waiting).body.messages.map(({ data }) => data)).toEqual(['now']);
    expect(performance.now() - sent).toBeLessThan(AT_ONCE_MS);
  });

  it('that break off are freed behind it', async () => {
    const channel = newChannel();
    const token = server.token('breaker');
    const { cursor } = (await poll(nginx.url, [channel], { token })).body;
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = poll(nginx.url, [channel], { token, cursor, wait: 20, signal }).catch(() => undefined);
    await until(() => server.realtime.sessions('breaker').length > 0, 'the poll to wait');
    controller.abort();
    expect(await waiting).toBeUndefined();
    await until(() => server.realtime.sessions('breaker').length === 0, 'it to be freed');
  });
});
