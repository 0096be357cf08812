// Requests that two servers in a row may read in two ways: refused, the connection ended, and nothing hidden behind them served. Directly and
// behind the proxies of deploy/. Knows nothing of WebSocket frames.

import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { startProxy, type Proxy, type ProxyName } from '../support/proxies.js';
import { TEST_API_KEY } from '../support/server.js';

const RULES = [{ channel: 'room:{name}', history: { size: 100, ttl: '1m' } }];
/** Milliseconds a wrong request may keep its connection. On loopback the answer takes about 1 ms. */
const END_MS = 5000;

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({ rules: RULES });
});
afterAll(() => server.close());

/** A whole publish, as it would be hidden in the body of another request. */
const HIDDEN_BODY = '{"event":"hidden","data":1}';
const HIDDEN = [
  'POST /api/channels/room:target/messages HTTP/1.1',
  'Host: a',
  `Authorization: Bearer ${TEST_API_KEY}`,
  'Content-Type: application/json',
  `Content-Length: ${HIDDEN_BODY.length}`,
  '',
  HIDDEN_BODY,
].join('\r\n');

const post = (headers: string, body: string): string =>
  `POST /api/channels/room:first/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${TEST_API_KEY}\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${body}`;
const get = (start: string, headers = 'Host: a'): string => `${start}\r\n${headers}\r\n\r\n`;

/** Each is one request to who is strict. A proxy may mend or refuse it, and never lets through what is hidden. */
const CASES: readonly (readonly [name: string, request: string])[] = [
  [
    'Transfer-Encoding and Content-Length',
    post('Transfer-Encoding: chunked\r\nContent-Length: 5', '0\r\n\r\n'),
  ],
  [
    'Content-Length and Transfer-Encoding',
    post('Content-Length: 5\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
  ],
  ['chunked twice', post('Transfer-Encoding: chunked, chunked', '0\r\n\r\n')],
  ['chunked and then identity', post('Transfer-Encoding: chunked, identity', '0\r\n\r\n')],
  ['two Transfer-Encodings', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: x', '0\r\n\r\n')],
  ['an unknown Transfer-Encoding', post('Transfer-Encoding: xchunked', '0\r\n\r\n')],
  ['a blank before the colon', post('Transfer-Encoding : chunked', '0\r\n\r\n')],
  ['a vertical tab in Transfer-Encoding', post('Transfer-Encoding: \vchunked', '0\r\n\r\n')],
  ['two Content-Lengths', post('Content-Length: 0\r\nContent-Length: 5', '')],
  ['a list of Content-Lengths', post('Content-Length: 0, 5', '')],
  ['a signed Content-Length', post('Content-Length: +0', '')],
  ['a negative Content-Length', post('Content-Length: -1', '')],
  ['a hexadecimal Content-Length', post('Content-Length: 0x0', '')],
  ['a Content-Length past 2^64', post('Content-Length: 18446744073709551616', '')],
  ['bare LF line ends', 'GET /api/stats HTTP/1.1\nHost: a\n\n'],
  ['one bare LF', 'GET /api/stats HTTP/1.1\r\nHost: a\nX: b\r\n\r\n'],
  ['a bare CR in a header', 'GET /api/stats HTTP/1.1\r\nHost: a\rX: b\r\n\r\n'],
  ['a folded line', 'GET /api/stats HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n'],
  ['a folded first line', 'GET /api/stats HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n'],
  ['a NUL in a header', 'GET /api/stats HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n'],
  ['a header without a colon', 'GET /api/stats HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n'],
  ['chunks with bare LF', post('Transfer-Encoding: chunked', '1\nh\n0\n\n')],
  ['a chunk extension with a bare LF', post('Transfer-Encoding: chunked', '1;a\nb\r\nh\r\n0\r\n\r\n')],
  ['a chunk size past 2^64', post('Transfer-Encoding: chunked', 'fffffffffffffffff\r\nh\r\n0\r\n\r\n')],
  ['a chunk longer than it says', post('Transfer-Encoding: chunked', '1\r\nhello\r\n0\r\n\r\n')],
  [
    'a Content-Length in the trailer',
    post('Transfer-Encoding: chunked', '1\r\nh\r\n0\r\nContent-Length: 9\r\n\r\n'),
  ],
  [
    'Transfer-Encoding of HTTP/1.0',
    'POST /api/stats HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['no Host', get('GET /api/stats HTTP/1.1', 'X: a')],
  ['two Hosts', get('GET /api/stats HTTP/1.1', 'Host: a\r\nHost: b')],
  ['the same Host twice', get('GET /api/stats HTTP/1.1', 'Host: a\r\nHost: a')],
  ['an absolute target', get('GET http://a/api/stats HTTP/1.1')],
  ['an absolute target of another host', get('GET http://evil.example/api/stats HTTP/1.1')],
  ['a target without a slash', get('GET api/stats HTTP/1.1')],
  ['a target with a fragment', get('GET /api/stats#x HTTP/1.1')],
  ['a target with a fragment behind its query', get('GET /api/stats?a=b#x HTTP/1.1')],
  ['a target with a backslash', get('GET /health\\live HTTP/1.1')],
  ['the target of CONNECT', get('CONNECT a:80 HTTP/1.1')],
  ['the target of the whole server', get('OPTIONS * HTTP/1.1')],
  ['an unknown version', get('GET /api/stats HTTP/1.2')],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
];

interface Heard {
  readonly statuses: readonly number[];
  readonly closed: boolean;
  readonly text: string;
}

/** Sends all in one segment, and hears until the end, or until nothing comes any more. */
function send(port: number, bytes: string, quietMs = END_MS): Promise<Heard> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const finish = (closed: boolean) => (): void => {
      clearTimeout(timer);
      socket.destroy();
      const statuses = [...text.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, status]) => Number(status));
      resolve({ statuses, closed, text });
    };
    const timer = setTimeout(finish(false), quietMs);
    socket.setEncoding('latin1').on('data', (chunk) => (text += String(chunk)));
    // A reset is an end like another.
    socket.on('error', () => {});
    socket.on('close', finish(true));
    socket.write(Buffer.from(bytes, 'latin1'));
  });
}

const hidden = async (): Promise<number> => (await server.realtime.history('room:target')).messages.length;

describe('directly', () => {
  afterEach(async () => expect(await hidden()).toBe(0));

  it.each(CASES)(
    '%s is refused, the connection ends, and what is hidden behind it is not served',
    async (_name, request) => {
      const { statuses, closed, text } = await send(server.port, request + HIDDEN);
      expect(closed).toBe(true);
      expect(statuses.length, text).toBeLessThanOrEqual(1);
      for (const status of statuses) expect([400, 501, 505]).toContain(status);
      expect(text).not.toMatch(/node_modules|\bat .+:\d+:\d+|X-Powered-By/i);
    },
  );

  it('an upgrade hidden behind a refused request opens nothing, and is not even looked at', async () => {
    const upgrade =
      'GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';
    const strict = await startE2e({ rules: RULES, env: { TRUNKLINE_CONNECT_RATE: '1/1m' } });
    try {
      for (let at = 0; at < 5; at++) {
        const { statuses, closed } = await send(strict.port, get('GET http://a/ HTTP/1.1') + upgrade);
        expect([statuses, closed]).toEqual([[400], true]);
        expect(strict.stats().sessions).toBe(0);
      }
      // Had one been looked at, it would have been counted, and there would be no place for this one.
      await (await strict.join('ana')).ok('ping');
      await (await strict.join('ben')).ok('ping');
    } finally {
      await strict.close();
    }
  });

  it('a body on a GET is read as its body and not as the next request', async () => {
    const ask = `GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`;
    expect((await send(server.port, ask, 300)).statuses).toEqual([200]);
  });
});

/** What both proxies keep for their own network: who gets it through them has reached the server past their rules. */
const KEPT = 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n';
const chunk = `${KEPT.length.toString(16)}\r\n`;

/** By one reading the kept request is inside the body of the first, by another it stands behind it. */
const IN_BODIES: readonly (readonly [name: string, request: string])[] = [
  [
    'by length one body, by chunks two requests',
    post(`Content-Length: ${5 + KEPT.length}\r\nTransfer-Encoding: chunked`, `0\r\n\r\n${KEPT}`),
  ],
  [
    'by chunks one body, by length two requests',
    post(`Transfer-Encoding: chunked\r\nContent-Length: ${chunk.length}`, `${chunk}${KEPT}\r\n0\r\n\r\n`),
  ],
  [
    'with a coding that only one knows',
    post(`Content-Length: ${5 + KEPT.length}\r\nTransfer-Encoding: xchunked`, `0\r\n\r\n${KEPT}`),
  ],
  [
    'with a coding behind a vertical tab',
    post(`Content-Length: ${5 + KEPT.length}\r\nTransfer-Encoding: \vchunked`, `0\r\n\r\n${KEPT}`),
  ],
  [
    'with a coding in a folded line',
    post(`Content-Length: ${5 + KEPT.length}\r\nTransfer-Encoding:\r\n chunked`, `0\r\n\r\n${KEPT}`),
  ],
  ['with two lengths', post(`Content-Length: 0\r\nContent-Length: ${KEPT.length}`, KEPT)],
  ['with a list of lengths', post(`Content-Length: 0, ${KEPT.length}`, KEPT)],
  ['in a chunk extension', post('Transfer-Encoding: chunked', `0;x\n${KEPT}\r\n\r\n`)],
  [
    'behind a chunk that is longer than it says',
    post('Transfer-Encoding: chunked', `1\r\nxx${KEPT}\r\n0\r\n\r\n`),
  ],
  ['in the trailer', post('Transfer-Encoding: chunked', `0\r\nX: y\r\n\r\n${KEPT}`)],
  [
    'in the body of a GET',
    `GET /api/stats HTTP/1.1\r\nHost: a\r\nContent-Length: ${KEPT.length}\r\n\r\n${KEPT}`,
  ],
  [
    'behind an upgrade of a version nobody speaks',
    `GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\n\r\n${KEPT}`,
  ],
  [
    'behind an upgrade to h2c',
    `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n${KEPT}`,
  ],
];

describe.each<ProxyName>(['nginx', 'haproxy'])('behind %s', (name) => {
  let proxy: Proxy;
  let port: number;
  beforeAll(async () => {
    proxy = await startProxy(name, [server.port, server.port, server.port]);
    port = Number(new URL(proxy.url).port);
  }, 60_000);
  afterAll(() => proxy.stop());

  /** The next callers each get what they asked for, over the connections that the proxy keeps to the server. */
  async function othersAreServed(): Promise<void> {
    const answers = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (room) => {
        const answer = await fetch(`${proxy.url}/api/channels/room:${room}/messages`, {
          headers: { authorization: `Bearer ${TEST_API_KEY}` },
        });
        return ((await answer.json()) as { channel?: unknown }).channel;
      }),
    );
    expect(answers).toEqual(['room:a', 'room:b', 'room:c', 'room:d']);
  }

  it('the server itself would give it away', async () => {
    expect((await send(server.port, KEPT, 500)).text).toContain('trunkline_sessions');
  });

  it.each([...CASES.map(([title, request]) => [title, request + KEPT] as const), ...IN_BODIES])(
    '%s does not get past its rules, and the next callers get their own answers',
    async (_title, request) => {
      const { text } = await send(port, request, 300);
      expect(text).not.toContain('trunkline_sessions');
      await othersAreServed();
    },
  );
});
