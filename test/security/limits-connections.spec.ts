// The limit of TCP connections of one address: whatever a connection does it counts until it has ended, more are closed unread, and nobody
// else is touched.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LimitCount } from '../../src/core/ports/limits.js';
import { Connections } from '../../src/limits/connections.js';
import { CapturedLog } from '../support/captured-log.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { makeCertificate } from '../support/nginx.js';
import { close, upgradeRequest } from '../support/raw-socket.js';
import { until } from '../support/wait.js';

const RULES = [{ channel: 'room:{name}', subscribe: 'anyone', publish: 'anyone' }];
const HERE = '127.0.0.1';
const ELSEWHERE = '127.0.0.2';
const ASK = 'GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = 'GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const STREAM = 'GET /sse?channel=room:a HTTP/1.1\r\nHost: a\r\n\r\n';
const HALF = 'GET /poll HTTP/1.1\r\nHo';
/** The record and handshake heads of a ClientHello whose rest is owed. */
const HALF_HELLO = Buffer.from('16030102000100', 'hex');

const folder = mkdtempSync(join(tmpdir(), 'trunkline-connections-'));
const TLS = {
  TRUNKLINE_TLS_CERT_FILE: join(folder, 'cert.pem'),
  TRUNKLINE_TLS_KEY_FILE: join(folder, 'key.pem'),
};
beforeAll(() => makeCertificate(folder));
afterAll(() => rmSync(folder, { recursive: true }));

const sockets: Socket[] = [];
let server: E2eServer;
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await until(() => held() === 0, 'the table to be empty');
  await server.close();
});

const most = (count: number): Record<string, string> => ({
  TRUNKLINE_MAX_CONNECTIONS_PER_ADDRESS: String(count),
});
const start = async (env: Record<string, string>): Promise<void> => {
  server = await startE2e({ rules: RULES, env });
};
/** Addresses that the server counts connections of. */
const held = (): number => server.app.get(Connections).size;

/** How often the limit was over and refused. */
function refusals(): number {
  return countOf()?.refused ?? 0;
}

function countOf(): LimitCount | undefined {
  return [...server.core.stats.limits.rows()].find(({ limit }) => limit === 'connections');
}

function open(from = HERE): Socket {
  const socket = connect({ port: server.port, host: HERE, localAddress: from });
  sockets.push(socket);
  // A reset is an end like another.
  return socket.on('error', () => {});
}

async function silent(from = HERE): Promise<Socket> {
  const socket = open(from);
  await once(socket, 'connect');
  return socket;
}

/** The socket when the first bytes of an answer have come. */
async function sends(bytes: string): Promise<Socket> {
  const socket = await silent();
  socket.write(bytes);
  expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 (101|200) /);
  return socket;
}

/** What the server does with one more connection: it answers, or closes it without a byte. */
async function oneMore(from = HERE): Promise<'served' | 'closed unread'> {
  const socket = open(from);
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
    socket.destroy();
  });
  socket.once('connect', () => socket.write(LAST));
  await once(socket, 'close');
  if (text !== '') expect(text).toMatch(/^HTTP\/1\.1 200 /);
  return text === '' ? 'closed unread' : 'served';
}

async function half(bytes: string | Buffer): Promise<Socket> {
  const socket = await silent();
  socket.write(bytes);
  return socket;
}

/** A client of the TLS port, its handshake done, that sends what is given. */
async function secure(bytes: string): Promise<Socket> {
  const raw = await silent();
  const socket = connectTls({ socket: raw, rejectUnauthorized: false });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  if (bytes === '') return raw;
  socket.write(bytes);
  expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 (101|200) /);
  return raw;
}

const KINDS: Readonly<Record<string, () => Promise<Socket>>> = {
  'that say nothing': () => silent(),
  'with half a head': () => half(HALF),
  'that wait for their next request': () => sends(ASK),
  'that are WebSockets': () => sends(upgradeRequest(server.port)),
  'that are event streams': () => sends(STREAM),
};
const SECURE_KINDS: Readonly<Record<string, () => Promise<Socket>>> = {
  'that never begin their handshake': () => silent(),
  'in their handshake': () => half(HALF_HELLO),
  'that say nothing after it': () => secure(''),
  'that wait for their next request': () => secure(ASK),
  'that are WebSockets': () => secure(upgradeRequest(server.port)),
  'that are event streams': () => secure(STREAM),
};

describe('connections of one address over the most', () => {
  it.each(Object.entries(KINDS))(
    '%s: one more is closed unread, and there is room when one ends',
    async (_, kind) => {
      await start(most(2));
      const first = await kind();
      await kind();
      expect(await oneMore()).toBe('closed unread');
      expect(await oneMore(ELSEWHERE)).toBe('served');
      first.destroy();
      await until(async () => (await oneMore()) === 'served', 'room');
    },
  );

  it.each(Object.entries(SECURE_KINDS))('%s, over TLS: the same', async (_, kind) => {
    await start({ ...most(2), ...TLS });
    const first = await kind();
    await kind();
    const refused = await silent();
    const bytes: unknown[] = [];
    refused.on('data', (chunk) => bytes.push(chunk));
    await once(refused, 'close');
    expect(bytes).toEqual([]);
    first.destroy();
    await until(() => secure(ASK).then(Boolean, () => false), 'room');
  });

  it('are counted together, whatever each does', async () => {
    await start(most(Object.keys(KINDS).length));
    for (const kind of Object.values(KINDS)) await kind();
    expect(await oneMore()).toBe('closed unread');
  });

  it('leave those that are open as they are', async () => {
    await start(most(2));
    const client = await server.join('ana');
    const idle = await sends(ASK);
    for (let i = 0; i < 20; i++) expect(await oneMore()).toBe('closed unread');
    await client.ok('ping');
    idle.write(ASK);
    expect(String((await once(idle, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
    client.cut();
  });

  it('are refused to the last one when all come at once', async () => {
    await start(most(10));
    const all = Array.from({ length: 200 }, () => open().resume());
    await until(() => all.filter(({ closed }) => closed).length === 190, 'the refused to hear their end');
    expect(refusals()).toBe(190);
    expect(all.filter(({ readyState }) => readyState === 'open')).toHaveLength(10);
  });

  it('do not take the room of others, however many one address tries', async () => {
    await start({ ...most(50), TRUNKLINE_MAX_CONNECTIONS: '100' });
    await Promise.all(
      Array.from({ length: 300 }, async () => once(open().resume(), 'connect').catch(() => {})),
    );
    for (let i = 0; i < 20; i++) expect(await oneMore(ELSEWHERE)).toBe('served');
    expect(await oneMore()).toBe('closed unread');
  });
});

describe('a connection makes room', () => {
  const WAYS: Readonly<Record<string, () => Promise<unknown>>> = {
    'when its client says goodbye': async () => (await silent()).end(),
    'when its client resets it': async () => (await silent()).resetAndDestroy(),
    'when half a head is reset': async () => (await half(HALF)).resetAndDestroy(),
    'when its last answer is given': () => sends(LAST),
    'when it speaks no HTTP': () => half('\x16\x03\x01nonsense\r\n\r\n'),
    'when its upgrade is refused': () => half(upgradeRequest(server.port, { path: '/none' })),
    'when its WebSocket is closed by the client': async () =>
      (await sends(upgradeRequest(server.port))).write(close(1000)),
    'when its WebSocket is closed by the server': async () =>
      (await sends(upgradeRequest(server.port))).write(Buffer.from([0xff, 0xff])),
    'when its WebSocket is reset': async () => (await sends(upgradeRequest(server.port))).resetAndDestroy(),
    'when its stream is reset': async () => (await sends(STREAM)).resetAndDestroy(),
  };

  it.each(Object.keys(WAYS))('%s', async (name) => {
    await start(most(1));
    await WAYS[name]?.();
    // Half-open peers: who hears the end says it too.
    for (const socket of sockets) socket.resume();
    await until(async () => (await oneMore()) === 'served', 'room');
  });

  const SECURE_WAYS: Readonly<Record<string, () => Promise<unknown>>> = {
    'when its client resets it before the handshake': async () => (await silent()).resetAndDestroy(),
    'when its client resets it in the handshake': async () => (await half(HALF_HELLO)).resetAndDestroy(),
    'when it speaks no TLS': () => half(ASK),
    'when it is reset after the handshake': async () => (await secure('')).resetAndDestroy(),
    'when its last answer is given': () => secure(LAST),
    'when its WebSocket is reset': async () => (await secure(upgradeRequest(server.port))).resetAndDestroy(),
  };

  it.each(Object.keys(SECURE_WAYS))('over TLS %s', async (name) => {
    await start({ ...most(1), ...TLS });
    await SECURE_WAYS[name]?.();
    await until(() => secure(ASK).then(Boolean, () => false), 'room');
  });
});

describe('connections', () => {
  const PROXY = { TRUNKLINE_TRUSTED_PROXIES: HERE };

  it('of a proxy that is named are not counted; those of others are', async () => {
    await start({ ...most(1), ...PROXY });
    for (let i = 0; i < 5; i++) await silent();
    expect(await oneMore()).toBe('served');
    await silent(ELSEWHERE);
    expect(await oneMore(ELSEWHERE)).toBe('closed unread');
  });

  it('are not limited by default', async () => {
    await start({});
    for (let i = 0; i < 100; i++) await silent();
    expect(await oneMore()).toBe('served');
    expect(held()).toBe(0);
  });

  it('over the most are counted, and told in one line', async () => {
    const log = new CapturedLog();
    server = await startE2e({ env: most(1), boot: { logger: log.logger } });
    const first = await silent();
    for (let i = 0; i < 3; i++) expect(await oneMore()).toBe('closed unread');
    first.destroy();
    await until(() => held() === 0, 'room');
    const metrics = await (await fetch(`${server.url}/metrics`, { headers: { connection: 'close' } })).text();
    expect(metrics).toContain('trunkline_limit_hits_total{limit="connections",outcome="refused"} 3\n');
    expect(log.of('A limit refuses.')).toEqual([
      expect.objectContaining({ limit: 'connections', who: HERE, times: 1, dryRun: false }),
    ]);
  });

  it('over the most pass in a dry run, and are counted', async () => {
    await start({ ...most(1), TRUNKLINE_LIMITS_DRY_RUN: 'connections' });
    await silent();
    expect([await oneMore(), await oneMore()]).toEqual(['served', 'served']);
    expect(countOf()).toMatchObject({ refused: 0, spared: 2 });
  });
});
