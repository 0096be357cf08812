// The HTTP stage of `/ws`: which requests become a WebSocket, and how the others are refused. Knows nothing of frames.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  acceptOf,
  RawSocket,
  SAMPLE_KEY,
  startSuiteServer,
  text,
  upgradeRequest,
  type HttpReply,
  type RequestOptions,
  type SuiteServer,
} from '../support/raw-socket.js';

let server: SuiteServer;
beforeAll(async () => {
  server = await startSuiteServer();
});
afterEach(async () => server.settle());
afterAll(async () => server.finish());

/** S24: a refusal is a problem document that tells nothing of the inside, and the connection ends. */
function expectProblem(reply: HttpReply): void {
  expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(JSON.parse(reply.body)).toMatchObject({
    status: reply.status,
    code: expect.stringMatching(/^[a-z_]+$/) as unknown,
  });
  expectNoLeakOfInside(reply);
}

function expectNoLeakOfInside(reply: HttpReply): void {
  expect(reply.body).not.toMatch(/\bat .+:\d+:\d+|node_modules|node:internal|\.(ts|js):\d+|"stack"/);
}

async function refusal(options: RequestOptions): Promise<HttpReply> {
  const raw = await RawSocket.open(server.port);
  const reply = await raw.upgrade(options);
  await raw.waitForClose();
  return reply;
}

describe('a good upgrade', () => {
  interface Good extends RequestOptions {
    readonly name: string;
  }
  it.each<Good>([
    { name: 'as RFC 6455 shows it' },
    { name: 'with a query', path: '/ws?a=1&b=%00' },
    { name: 'with Connection: keep-alive, Upgrade', headers: { Connection: 'keep-alive, Upgrade' } },
    { name: 'with Upgrade in another case', headers: { Upgrade: 'WebSocket', Connection: 'UPGRADE' } },
    { name: 'with header names in another case', headers: { Connection: undefined, CONNECTION: 'Upgrade' } },
    {
      name: 'with names of Object.prototype as headers',
      headers: { constructor: 'x', ['__proto__']: 'y', toString: 'z' },
    },
    { name: 'with blanks around the key', headers: { 'Sec-WebSocket-Key': `  ${SAMPLE_KEY}  ` } },
    {
      name: 'that offers compression, which stays off',
      headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' },
    },
    { name: 'that offers an unknown extension', headers: { 'Sec-WebSocket-Extensions': 'x-unknown; a=b' } },
    { name: 'with a Cookie header that holds no token', headers: { Cookie: 'a=b; c="d', Origin: undefined } },
  ])('$name opens and is welcomed', async ({ name: _name, ...options }) => {
    const raw = await RawSocket.open(server.port);
    const reply = await raw.upgrade(options);
    expect(reply.status).toBe(101);
    expect(reply.headers.get('upgrade')?.toLowerCase()).toBe('websocket');
    expect(reply.headers.get('connection')?.toLowerCase()).toBe('upgrade');
    expect(reply.headers.has('sec-websocket-extensions')).toBe(false);
    const welcome = await raw.next();
    expect(welcome).toMatchObject({
      event: 'welcome',
      data: { heartbeatMs: expect.any(Number) as unknown, version: 1 },
    });
    expect(welcome.data['session']).toMatch(/^[A-Za-z0-9_-]{22,}$/);
  });

  it('answers the sample key of RFC 6455 with the accept value printed there', async () => {
    const reply = await (await RawSocket.open(server.port)).upgrade();
    expect(reply.headers.get('sec-websocket-accept')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });

  it('answers another key with its own accept value', async () => {
    const key = Buffer.alloc(16, 0xfb).toString('base64');
    const reply = await (
      await RawSocket.open(server.port)
    ).upgrade({ headers: { 'Sec-WebSocket-Key': key } });
    expect(reply.headers.get('sec-websocket-accept')).toBe(acceptOf(key));
  });

  it('takes a frame that came in the segment of the request, and answers it after the welcome', async () => {
    const raw = await RawSocket.open(server.port);
    raw.write(upgradeRequest(server.port), text('{"event":"ping","id":"early"}'));
    expect((await raw.httpReply()).status).toBe(101);
    expect((await raw.next()).event).toBe('welcome');
    expect(await raw.next()).toMatchObject({ event: 'ok', id: 'early' });
  });

  it('takes a request that arrives byte by byte', async () => {
    const raw = await RawSocket.open(server.port);
    await raw.trickle(Buffer.from(upgradeRequest(server.port)));
    expect((await raw.httpReply()).status).toBe(101);
    expect((await raw.next()).event).toBe('welcome');
  });

  it('gives every session its own name', async () => {
    const names = new Set<unknown>();
    for (let i = 0; i < 5; i++) {
      const raw = await RawSocket.open(server.port);
      await raw.upgrade();
      names.add((await raw.next()).data['session']);
    }
    expect(names.size).toBe(5);
  });
});

describe('a refused upgrade', () => {
  interface Refused extends RequestOptions {
    readonly name: string;
    /** Where the RFC leaves a choice, all it allows. */
    readonly status: readonly number[];
  }
  it.each<Refused>([
    { name: 'POST', method: 'POST', status: [400, 405] },
    { name: 'PUT', method: 'PUT', status: [400, 405] },
    { name: 'HEAD', method: 'HEAD', status: [400, 405] },
    { name: 'OPTIONS', method: 'OPTIONS', status: [400, 405] },
    { name: 'HTTP/1.0', version: 'HTTP/1.0', status: [400, 426, 505] },
    { name: 'Upgrade: h2c', headers: { Upgrade: 'h2c' }, status: [400, 426] },
    { name: 'Upgrade: websockets', headers: { Upgrade: 'websockets' }, status: [400, 426] },
    { name: 'no key', headers: { 'Sec-WebSocket-Key': undefined }, status: [400] },
    { name: 'an empty key', headers: { 'Sec-WebSocket-Key': '' }, status: [400] },
    {
      name: 'a key of 15 bytes',
      headers: { 'Sec-WebSocket-Key': Buffer.alloc(15).toString('base64') },
      status: [400],
    },
    {
      name: 'a key of 17 bytes',
      headers: { 'Sec-WebSocket-Key': Buffer.alloc(17).toString('base64') },
      status: [400],
    },
    {
      name: 'a key that is not base64',
      headers: { 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' },
      status: [400],
    },
    { name: 'two keys', headers: { 'Sec-WebSocket-Key': [SAMPLE_KEY, SAMPLE_KEY] }, status: [400] },
    { name: 'no version', headers: { 'Sec-WebSocket-Version': undefined }, status: [426] },
    { name: 'version 8', headers: { 'Sec-WebSocket-Version': '8' }, status: [426] },
    { name: 'version 99', headers: { 'Sec-WebSocket-Version': '99' }, status: [426] },
    { name: 'version 13.0', headers: { 'Sec-WebSocket-Version': '13.0' }, status: [400, 426] },
    { name: 'version 0xd', headers: { 'Sec-WebSocket-Version': '0xd' }, status: [400, 426] },
    { name: 'two versions', headers: { 'Sec-WebSocket-Version': ['8', '13'] }, status: [400, 426] },
    { name: 'an unknown path', path: '/nowhere', status: [404] },
    { name: 'the root path', path: '/', status: [404] },
    { name: 'a path in another case', path: '/WS', status: [404] },
    { name: 'a path below /ws', path: '/ws/x', status: [404] },
    { name: 'a path with dot segments', path: '/x/../ws', status: [404] },
    { name: 'a path with a doubled slash', path: '//ws', status: [404] },
    { name: 'the path /__proto__', path: '/__proto__', status: [404] },
    { name: 'the path /constructor', path: '/constructor', status: [404] },
    {
      name: 'a subprotocol list that is no list',
      headers: { 'Sec-WebSocket-Protocol': 'trunkline.v1,,' },
      status: [400],
    },
    { name: 'a subprotocol offered twice', headers: { 'Sec-WebSocket-Protocol': 'a, a' }, status: [400] },
    { name: 'a subprotocol with a space', headers: { 'Sec-WebSocket-Protocol': 'a b' }, status: [400] },
  ])('$name gets $status', async ({ name: _name, status, ...options }) => {
    const reply = await refusal(options);
    expect(status).toContain(reply.status);
    if (options.method !== 'HEAD') expectProblem(reply);
    if (reply.status === 426) expect(reply.headers.get('sec-websocket-version')).toBe('13');
    expect(reply.headers.has('sec-websocket-accept')).toBe(false);
  });

  // Without both headers Node hands the request to the HTTP side, which may keep the connection.
  it.each<RequestOptions & { readonly name: string }>([
    { name: 'no Upgrade header', headers: { Upgrade: undefined } },
    { name: 'an empty Upgrade header', headers: { Upgrade: '' } },
    { name: 'no Connection header', headers: { Connection: undefined } },
    { name: 'Connection: keep-alive', headers: { Connection: 'keep-alive' } },
    { name: 'Connection: close', headers: { Connection: 'close' } },
  ])('$name is answered as plain HTTP, not upgraded', async ({ name: _name, ...options }) => {
    const reply = await (await RawSocket.open(server.port)).upgrade(options);
    expect([400, 404, 426]).toContain(reply.status);
    expectProblem(reply);
  });
});

describe('the subprotocol', () => {
  interface Offer {
    readonly offered: string;
    readonly chosen: string | undefined;
  }
  it.each<Offer>([
    { offered: 'trunkline.v1', chosen: 'trunkline.v1' },
    { offered: 'other.v9, trunkline.v1', chosen: 'trunkline.v1' },
    { offered: 'trunkline.v1, other.v9', chosen: 'trunkline.v1' },
    { offered: 'trunkline.v1, bearer.TOKEN', chosen: 'trunkline.v1' },
    { offered: 'bearer.TOKEN, trunkline.v1', chosen: 'trunkline.v1' },
  ])('of "$offered" is "$chosen"', async ({ offered, chosen }) => {
    const raw = await RawSocket.open(server.port);
    const headers = { 'Sec-WebSocket-Protocol': offered.replace('TOKEN', server.token('ana')) };
    const reply = await raw.upgrade({ headers });
    expect(reply.status).toBe(101);
    expect(reply.headers.get('sec-websocket-protocol')).toBe(chosen);
    expect((await raw.next()).data['user']).toBe(offered.includes('TOKEN') ? 'ana' : undefined);
  });

  it.each([
    'other.v9',
    'other.v9, more.v1',
    'TRUNKLINE.V1',
    'trunkline.v10',
    '__proto__',
    'bearer.TOKEN',
    'bearer.TOKEN, other',
  ])('is never one we do not speak: "%s" opens without one or gets 400', async (offered) => {
    const raw = await RawSocket.open(server.port);
    const headers = { 'Sec-WebSocket-Protocol': offered.replace('TOKEN', server.token('ana')) };
    const reply = await raw.upgrade({ headers });
    expect([101, 400]).toContain(reply.status);
    expect(reply.headers.has('sec-websocket-protocol')).toBe(false);
    expect([...reply.headers.values(), reply.body].join('\n')).not.toContain('bearer');
  });
});

describe('HTTP that is broken', () => {
  const head = (port: number, extra: string): string =>
    upgradeRequest(port).replace(/\r\n$/, `${extra}\r\n\r\n`);
  interface Broken {
    readonly name: string;
    readonly bytes: (port: number) => string;
    readonly status: readonly number[];
  }
  it.each<Broken>([
    { name: 'a TLS hello', bytes: () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', status: [400] },
    { name: 'the HTTP/2 preface', bytes: () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: [400, 505] },
    { name: 'HTTP/0.9', bytes: () => 'GET /ws\r\n\r\n', status: [400, 404, 426, 505] },
    {
      name: 'an unknown method',
      bytes: (port) => upgradeRequest(port, { method: 'FROB' }),
      status: [400, 405],
    },
    {
      name: 'an unknown HTTP version',
      bytes: (port) => upgradeRequest(port, { version: 'HTTP/9.9' }),
      status: [400, 505],
    },
    { name: 'bare LF line ends', bytes: (port) => upgradeRequest(port, { eol: '\n' }), status: [400] },
    { name: 'a NUL in a header', bytes: (port) => head(port, 'X-A: a\0b'), status: [400] },
    { name: 'a blank before the colon', bytes: (port) => head(port, 'X-A : a'), status: [400] },
    { name: 'a folded header line', bytes: (port) => head(port, 'X-A: a\r\n b'), status: [400] },
    {
      name: 'no Host',
      bytes: (port) => upgradeRequest(port, { headers: { Host: undefined } }),
      status: [400],
    },
    {
      name: 'two Hosts',
      bytes: (port) => upgradeRequest(port, { headers: { Host: ['a', 'b'] } }),
      status: [400],
    },
    {
      name: 'both Transfer-Encoding and Content-Length',
      bytes: (port) => `${head(port, 'Transfer-Encoding: chunked\r\nContent-Length: 5')}0\r\n\r\n`,
      status: [400],
    },
    {
      name: 'a chunked body',
      bytes: (port) => `${head(port, 'Transfer-Encoding: chunked')}0\r\n\r\n`,
      status: [400],
    },
    {
      name: 'a body of 5 bytes',
      bytes: (port) => `${head(port, 'Content-Length: 5')}hello`,
      status: [400, 413],
    },
    {
      name: 'two Content-Lengths',
      bytes: (port) => `${head(port, 'Content-Length: 1\r\nContent-Length: 2')}h`,
      status: [400],
    },
    {
      name: 'a URL of 20,000 characters',
      bytes: (port) => upgradeRequest(port, { path: `/ws?${'a'.repeat(20_000)}` }),
      status: [414, 431],
    },
    {
      name: 'a header of 20,000 characters',
      bytes: (port) => head(port, `X-A: ${'a'.repeat(20_000)}`),
      status: [431],
    },
    {
      name: 'a cookie of 20,000 characters',
      bytes: (port) => head(port, `Cookie: a=${'a'.repeat(20_000)}`),
      status: [431],
    },
    {
      name: '3,000 headers',
      bytes: (port) => head(port, 'X-A: aaaaaaaa\r\n'.repeat(3000).trimEnd()),
      status: [400, 431],
    },
  ])('$name gets $status and the connection ends', async ({ bytes, status }) => {
    const raw = await RawSocket.open(server.port);
    const reply = await raw.ask(bytes(server.port));
    expect(status).toContain(reply.status);
    expectNoLeakOfInside(reply);
    await raw.waitForClose();
  });

  it('a refused request does not let a second one through behind it', async () => {
    const raw = await RawSocket.open(server.port);
    raw.write(upgradeRequest(server.port, { path: '/nowhere' }), upgradeRequest(server.port));
    expect((await raw.httpReply()).status).toBe(404);
    await raw.waitForClose();
    await expect(raw.httpReply(1)).rejects.toThrow('The connection ended');
  });

  it.each(['', 'GE', 'GET /ws HTTP/1.1\r\n', 'GET /ws HTTP/1.1\r\nHost: a\r\nUpgr'])(
    'half a request (%j) and then FIN leaves no connection',
    async (bytes) => {
      const raw = await RawSocket.open(server.port);
      raw.write(bytes);
      raw.tcp.end();
      await raw.waitForClose();
    },
  );
});
