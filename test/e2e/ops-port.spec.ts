// Health and metrics on a port of their own: there and nowhere else, nothing but them, bounded and strict as the public port.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ask, disposeSockets, open, send, startBoth, type Both, type Heard } from '../support/ops-port.js';
import { upgradeRequest } from '../support/raw-socket.js';
import { TEST_API_KEY } from '../support/server.js';
import { until } from '../support/wait.js';
import { disposeClients } from '../support/ws-client.js';

const folder = mkdtempSync(join(tmpdir(), 'trunkline-ops-'));

let both: Both;
beforeAll(async () => {
  both = await startBoth();
});
afterEach(() => {
  disposeClients();
  disposeSockets();
});
afterAll(async () => {
  await both.server.close();
  rmSync(folder, { recursive: true });
});

const bodyOf = ({ text }: Heard): string => text.slice(text.indexOf('\r\n\r\n') + 4);
/** The server takes its paths in any case and with a slash at the end. */
const SPELLINGS = [
  '/metrics',
  '/METRICS',
  '/metrics/',
  '/Metrics?x=1',
  '/health/live',
  '/health/ready',
  '/Health/LIVE/',
];

describe('the port of operators', () => {
  it('tells health, readiness and figures', async () => {
    const [live, ready, metrics] = await Promise.all(
      ['health/live', 'health/ready', 'metrics'].map((path) => fetch(`${both.ops}/${path}`)),
    );
    expect([live?.status, await live?.json()]).toEqual([200, { status: 'up' }]);
    const expected = { status: 'ready', draining: false, backplane: 'up' };
    expect([ready?.status, await ready?.json()]).toEqual([200, expected]);
    expect(metrics?.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await metrics?.text()).toContain('trunkline_sessions{transport="ws"}');
    for (const answer of [live, ready, metrics])
      expect(answer?.headers.get('cache-control')).toBe('no-store');
  });

  it.each(SPELLINGS)('answers %s', async (target) => {
    expect((await ask(both.opsPort, target)).statuses).toEqual([200]);
  });

  it.each([
    '/',
    '/prices',
    '/docs',
    '/docs/json',
    '/api/stats',
    '/api/channels/room:a/messages',
    '/sse?channel=room:a',
    '/poll?channel=room:a&wait=0',
    '/ws',
    '/health',
    '/health/',
    '/healthy',
    '/metricsx',
    '/api/metrics',
    '//metrics',
    '/nothing',
  ])('has nothing at %s, whoever asks', async (path) => {
    const answer = await fetch(both.ops + path, { headers: { authorization: `Bearer ${TEST_API_KEY}` } });
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(await answer.json()).toMatchObject({ status: 404, code: 'not_found', retry: false });
  });

  it('takes no publication', async () => {
    const answer = await fetch(`${both.ops}/api/channels/room:a/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_API_KEY}`, 'content-type': 'application/json' },
      body: '{"event":"e","data":1}',
    });
    expect(answer.status).toBe(404);
    expect((await both.server.realtime.history('room:a')).messages).toEqual([]);
  });

  it.each(['/health/live', '/metrics', '/nothing'])('binds a browser at %s as elsewhere', async (path) => {
    const { headers } = await fetch(both.ops + path);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect([headers.get('x-powered-by'), headers.get('access-control-allow-origin')]).toEqual([null, null]);
  });

  it.each(['/ws', '/metrics', '/health/ready', '/nothing'])('never upgrades %s', async (path) => {
    const token = both.server.token('ana');
    const headers = { Authorization: `Bearer ${token}`, Connection: 'Upgrade, close' };
    const { statuses, text } = await send(both.opsPort, upgradeRequest(both.opsPort, { path, headers }));
    expect(statuses).toEqual([path === '/metrics' || path === '/health/ready' ? 200 : 404]);
    expect(text).not.toMatch(/sec-websocket|^upgrade:/im);
    expect(both.server.stats().sessions).toBe(0);
  });
});

describe('the public port', () => {
  it.each([...SPELLINGS, '/health', '/health/', '/health/anything'])(
    'has nothing at %s, by any method',
    async (target) => {
      const nothing = bodyOf(await ask(both.server.port, '/nothing'));
      expect(nothing).toContain('"code":"not_found"');
      const heard = await ask(both.server.port, target);
      expect([heard.statuses, bodyOf(heard)]).toEqual([[404], nothing]);
      for (const method of ['HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE']) {
        const { statuses, text } = await ask(both.server.port, target, method);
        expect(statuses, method).toEqual([404]);
        expect(text).not.toMatch(/^allow:/im);
      }
    },
  );

  it('is not deceived by headers that speak of the other', async () => {
    const { statuses, text } = await send(
      both.server.port,
      `GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:${both.opsPort}\r\nX-Forwarded-Port: ${both.opsPort}\r\nX-Forwarded-For: 127.0.0.1\r\nX-Original-URL: /metrics\r\nConnection: close\r\n\r\n`,
    );
    expect(statuses).toEqual([404]);
    expect(text).not.toContain('trunkline_sessions');
  });

  it('serves all the rest', async () => {
    for (const path of ['/', '/docs', '/poll?channel=room:a&wait=0'])
      expect((await fetch(both.server.url + path)).status, path).toBe(200);
    await (await both.server.join('ana')).ok('ping');
  });
});

describe('a request to the port of operators that two servers may read in two ways', () => {
  const HIDDEN = 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n';
  const post = (headers: string, body: string): string =>
    `POST /metrics HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`;

  it.each([
    ['with both lengths', post('Transfer-Encoding: chunked\r\nContent-Length: 5', '0\r\n\r\n'), 400],
    ['with two lengths', post('Content-Length: 0\r\nContent-Length: 5', ''), 400],
    ['with a blank before the colon', post('Transfer-Encoding : chunked', '0\r\n\r\n'), 400],
    ['without a Host', 'GET /metrics HTTP/1.1\r\nX: a\r\n\r\n', 400],
    ['with two Hosts', 'GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['with an absolute target', 'GET http://a/metrics HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['with bare line feeds', 'GET /metrics HTTP/1.1\nHost: a\n\n', 400],
    [
      'with a hundred headers',
      `GET /metrics HTTP/1.1\r\nHost: a\r\n${Array.from({ length: 120 }, (_, at) => `X-${at}: 1\r\n`).join('')}\r\n`,
      431,
    ],
    ['with a head of 20 KiB', `GET /metrics HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_480)}\r\n\r\n`, 431],
  ])(
    '%s is refused, the connection ends, and what is behind it is not served',
    async (_how, bytes, status) => {
      const { statuses, closed, text } = await send(both.opsPort, bytes + HIDDEN);
      expect([statuses, closed]).toEqual([[status], true]);
      expect(text).not.toContain('trunkline_sessions');
    },
  );

  it('as a tunnel gets no answer', async () => {
    const { statuses, closed } = await send(
      both.opsPort,
      `CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n${HIDDEN}`,
    );
    expect([statuses, closed]).toEqual([[], true]);
  });
});

describe('connections', () => {
  it('of operators are bounded, and those within the bound are served', async () => {
    const crowd = await startBoth();
    try {
      const held = await Promise.all(Array.from({ length: 64 }, () => open(crowd.opsPort)));
      expect(await ask(crowd.opsPort, '/health/live')).toMatchObject({ statuses: [], closed: true });
      held[0]?.destroy();
      await until(async () => (await ask(crowd.opsPort, '/health/live')).statuses[0] === 200, 'a free place');
    } finally {
      await crowd.server.close();
    }
  });

  it('of the public port may all be taken, and operators still see it', async () => {
    const full = await startBoth({ env: { TRUNKLINE_MAX_CONNECTIONS: '2' } });
    try {
      await Promise.all([open(full.server.port), open(full.server.port)]);
      await until(async () => (await full.server.connections()) === 2, 'the port to be full');
      expect(await ask(full.server.port, '/')).toMatchObject({ statuses: [], closed: true });
      for (const path of ['/health/live', '/health/ready', '/metrics'])
        expect((await fetch(full.ops + path)).status, path).toBe(200);
    } finally {
      await full.server.close();
    }
  });
});

it('with a certificate the public port speaks TLS, and operators plain HTTP without a promise of TLS', async () => {
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  execFileSync('openssl', ['req', '-x509', ...key, '-out', certFile, '-subj', '/CN=localhost'], {
    stdio: 'ignore',
  });
  const { server, ops, opsPort } = await startBoth({
    env: { TRUNKLINE_TLS_CERT_FILE: certFile, TRUNKLINE_TLS_KEY_FILE: keyFile },
  });
  const secure = (port: number, path: string): Promise<{ status: number; promise: unknown }> =>
    new Promise((resolve, reject) => {
      get({ port, host: '127.0.0.1', path, rejectUnauthorized: false, agent: false }, (response) => {
        response.resume();
        const promise = response.headers['strict-transport-security'];
        resolve({ status: response.statusCode ?? 0, promise });
      }).on('error', reject);
    });
  try {
    expect(await secure(server.port, '/metrics')).toEqual({ status: 404, promise: 'max-age=31536000' });
    expect((await secure(server.port, '/')).status).toBe(200);
    const answer = await fetch(`${ops}/metrics`);
    expect([answer.status, answer.headers.get('strict-transport-security')]).toEqual([200, null]);
    await expect(secure(opsPort, '/metrics')).rejects.toThrow();
  } finally {
    await server.close();
  }
});
