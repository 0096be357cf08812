// An idle HTTP connection waits for the next request longer than a proxy in front keeps it, and is not mistaken for a slow request.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../support/server.js';

const ASK = 'GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n';

let server: TestServer;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

async function open(): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1').setEncoding('utf8');
  // A reset is an end like another.
  socket.on('error', () => {});
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

/** The head and body of the answer, which are one packet. */
async function ask(socket: Socket): Promise<string> {
  socket.write(ASK);
  const [answer] = (await once(socket, 'data')) as [string];
  return answer;
}

describe('an idle connection', () => {
  it('is promised 75 s, and the bounds of a request stay 9 s', async () => {
    server = await startServer();
    const answer = await ask(await open());
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toMatch(/\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n/);
    const { keepAliveTimeout, headersTimeout, requestTimeout } = server.app.getHttpServer();
    expect([keepAliveTimeout, headersTimeout, requestTimeout]).toEqual([75_000, 9000, 9000]);
  });

  it('is closed when TRUNKLINE_KEEP_ALIVE_MS have passed since its last answer', async () => {
    server = await startServer({ TRUNKLINE_KEEP_ALIVE_MS: '1000' });
    const socket = await open();
    expect(await ask(socket)).toContain('\r\nKeep-Alive: timeout=1\r\n');
    const start = performance.now();
    const ended = once(socket, 'close');
    socket.resume();
    await ended;
    expect(performance.now() - start).toBeGreaterThan(900);
  });

  it('outlives a half request that began after it', { timeout: 30_000 }, async () => {
    server = await startServer();
    const [idle, slow] = [await open(), await open()];
    expect(await ask(idle)).toMatch(/^HTTP\/1\.1 200 /);
    slow.resume().write('GET /health/live HTTP/1.1\r\nHo');
    await once(slow, 'close');
    expect(await ask(idle)).toMatch(/^HTTP\/1\.1 200 /);
  });
});
