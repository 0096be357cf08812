// Five thousand event streams on one instance: each hears a publication once, and nothing is left when they go.

import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { report, startE2e, type E2eServer } from '../support/e2e-server.js';
import { until } from '../support/wait.js';

const STREAMS = 5000;
/** Opened at once; more would only fill the listen queue. */
const WIDTH = 200;
const LIMIT_MS = 60_000;

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({
    rules: [{ channel: 'crowd', subscribe: 'anyone', publish: 'backend', history: { size: 10, ttl: '1m' } }],
  });
});
afterAll(() => server.close());

class Stream {
  messages = 0;
  private tail = '';

  private constructor(readonly socket: Socket) {}

  static open(port: number): Promise<Stream> {
    const socket = connect(port, '127.0.0.1');
    const stream = new Stream(socket);
    socket.setEncoding('latin1');
    socket.write(`GET /sse?channel=crowd HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    return new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('data', (text: string) => stream.take(text, () => resolve(stream)));
    });
  }

  private take(text: string, ready: () => void): void {
    const events = (this.tail + text).split('\n\n');
    this.tail = events.pop() ?? '';
    for (const event of events) {
      if (event.includes('event: ready')) ready();
      if (event.includes('event: message')) this.messages++;
    }
  }
}

describe(`${STREAMS} event streams on one instance`, () => {
  it('all hear each publication once, and leave nothing behind', { timeout: LIMIT_MS * 2 }, async () => {
    const streams: Stream[] = [];
    for (let at = 0; at < STREAMS; at += WIDTH)
      streams.push(...(await Promise.all(Array.from({ length: WIDTH }, () => Stream.open(server.port)))));
    expect(server.core.hub.sessionCount).toBe(STREAMS);
    const before = process.memoryUsage().rss;
    for (let n = 1; n <= 3; n++)
      await server.api('POST', '/channels/crowd/messages', { event: 'tick', data: n });
    await until(() => streams.every(({ messages }) => messages >= 3), 'all to hear all', LIMIT_MS);
    expect(new Set(streams.map(({ messages }) => messages))).toEqual(new Set([3]));
    report(`${STREAMS} streams, client and server in one process: RSS ${Math.round(before / 2 ** 20)} MiB`);
    for (const { socket } of streams) socket.destroy();
    await until(() => server.core.hub.sessionCount === 0, 'all to be gone', LIMIT_MS);
    await until(() => server.core.hub.channelCount === 0, 'the channel to be left', LIMIT_MS);
  });
});
