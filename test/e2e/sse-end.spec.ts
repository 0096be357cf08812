// How a stream ends: by the backend, by its token, by its longest life, by a client that goes at any moment; and one that waits for its turn.

import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { poll } from '../support/poll-client.js';
import { disposeStreams, openSse, sseUrl, type SseClient, type SseOptions } from '../support/sse-client.js';
import { startStreams, type StreamServer } from '../support/stream-server.js';
import { until } from '../support/wait.js';

let server: StreamServer;
let count = 0;
beforeAll(async () => {
  server = await startStreams();
});
afterEach(disposeStreams);
afterAll(() => server.close());

const newChannel = (): string => `room:${++count}`;
const open = (channels: readonly string[], options: SseOptions = {}): Promise<SseClient> =>
  openSse(server.url, channels, { token: server.token('ana'), ...options });
const publish = async (channel: string, ...payloads: readonly unknown[]): Promise<void> => {
  for (const data of payloads) await server.realtime.publish(channel, 'tick', data);
};

describe('the end', () => {
  it('by the backend is told with its code, in an event whose id keeps a native EventSource away', async () => {
    const stream = await open([newChannel()], { token: server.token('gone') });
    await stream.ready();
    await server.realtime.disconnect('gone');
    const { id, data } = await stream.next('close');
    expect([id, data.code, data['reason']]).toEqual(['end', 4003, 'revoked']);
    expect(await stream.closed).toEqual({ clean: true });
    expect(stream.events.at(-1)?.event).toBe('close');
  });

  it('of a token is told 4200, and the id stays where it was', async () => {
    const channel = newChannel();
    const exp = Math.floor(Date.now() / 1000) + 2;
    const stream = await open([channel], { token: server.token('ana', { exp }) });
    await stream.ready();
    await publish(channel, 1);
    const { id } = await stream.next('message');
    const close = await stream.next('close');
    expect([close.id, close.data.code]).toEqual([undefined, 4200]);
    expect(stream.lastEventId).toBe(id);
    expect(await stream.closed).toEqual({ clean: true });
  });

  it('of its longest life is a `reconnect` and an ordinary end, from which it goes on', async () => {
    const other = await startStreams({ sse: { maxStreamMs: 1000 } });
    const stream = await openSse(other.url, ['room:life'], { token: other.token('ana') });
    await stream.ready();
    await other.realtime.publish('room:life', 'tick', 1);
    expect((await stream.next('reconnect')).data['afterMs']).toEqual(expect.any(Number));
    expect(await stream.closed).toEqual({ clean: true });
    await other.realtime.publish('room:life', 'tick', 2);
    const back = await openSse(other.url, ['room:life'], {
      token: other.token('ana'),
      lastEventId: stream.lastEventId,
    });
    expect((await back.next('message')).data.data).toBe(2);
    await other.close();
  });

  it('by the client frees its session at once', async () => {
    const stream = await open([newChannel()], { token: server.token('leaver') });
    await stream.ready();
    expect(server.realtime.sessions('leaver')).toHaveLength(1);
    stream.destroy();
    await until(() => server.realtime.sessions('leaver').length === 0, 'the session to end');
  });
});

describe('a client that goes before it was answered', () => {
  it('leaves no session behind, whenever it goes', async () => {
    const url = sseUrl(server.url, [newChannel(), newChannel()]);
    const token = server.token('hasty');
    for (let n = 0; n < 200; n++) {
      const asked = request(url, { agent: false, headers: { authorization: `Bearer ${token}` } });
      asked.on('error', () => {});
      asked.on('response', (response) => response.on('error', () => {}));
      asked.end();
      await new Promise((resolve) => asked.once('socket', (socket) => socket.once('connect', resolve)));
      for (let turn = 0; turn < n % 8; turn++) await new Promise((resolve) => setImmediate(resolve));
      asked.destroy();
    }
    await until(() => server.realtime.sessions('hasty').length === 0, 'all sessions to end', 3000);
  });
});

describe('a stream behind another request on one connection', () => {
  it('begins when its turn comes, and misses nothing', async () => {
    const [channel, quiet] = [newChannel(), newChannel()] as const;
    const token = server.token('piper');
    const cursorOf = async (name: string): Promise<string> =>
      encodeURIComponent((await poll(server.url, [name], { token })).body.cursor);
    const head = (path: string): string =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    const [before, still] = [await cursorOf(channel), await cursorOf(quiet)];
    const socket = connect({ port: server.port, host: '127.0.0.1' });
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', () => {});
    // The answer of the poll must go first, so the stream has no socket of its own until then.
    socket.write(head(`/poll?channel=${quiet}&cursor=${still}&wait=1`));
    socket.write(head(`/sse?channel=${channel}&cursor=${before}`));
    await until(() => server.realtime.sessions('piper').length > 0, 'the poll to wait');
    const numbers = [1, 2, 3, 4, 5];
    for (const n of numbers) await publish(channel, `during-${n}`);
    await until(() => text.includes('event: ready'), 'the stream');
    await publish(channel, 'after');
    await until(() => text.includes('"after"'), 'the live message').finally(() => socket.destroy());
    expect(numbers.map((n) => text.split(`"during-${n}"`).length - 1)).toEqual(numbers.map(() => 1));
  });
});
