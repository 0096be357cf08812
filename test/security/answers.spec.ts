// What stands in every answer, whoever asks for what: headers that bind a browser, nothing of the inside, no way elsewhere, and no connection
// left open that should end. Knows no route beyond its path.

import { mkdtempSync, rmSync } from 'node:fs';
import { request as ask, type IncomingHttpHeaders } from 'node:http';
import { request as askTls } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { makeCertificate, startNginx } from '../support/nginx.js';
import { TEST_API_KEY } from '../support/server.js';
import { until } from '../support/wait.js';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const folder = mkdtempSync(join(tmpdir(), 'trunkline-answers-'));
const RULES = [{ channel: 'room:{name}', subscribe: 'anyone', history: { size: 10, ttl: '1m' } }];
let plain: E2eServer;
let secure: E2eServer;
beforeAll(async () => {
  makeCertificate(folder);
  const [TRUNKLINE_TLS_CERT_FILE, TRUNKLINE_TLS_KEY_FILE] = ['cert.pem', 'key.pem'].map((name) =>
    join(folder, name),
  ) as [string, string];
  plain = await startE2e({ rules: RULES, env: { TRUNKLINE_FAILED_LOGIN_RATE: '0' } });
  secure = await startE2e({
    rules: RULES,
    env: { TRUNKLINE_FAILED_LOGIN_RATE: '0', TRUNKLINE_TLS_CERT_FILE, TRUNKLINE_TLS_KEY_FILE },
  });
});
afterAll(async () => {
  await Promise.all([plain.close(), secure.close()]);
  rmSync(folder, { recursive: true });
});

/** Of a stream only what comes at once. */
function answerOf(server: E2eServer, { method = 'GET', path, headers = {}, body }: Asked): Promise<Answer> {
  const options = {
    port: server.port,
    host: '127.0.0.1',
    method,
    path,
    headers,
    agent: false,
    rejectUnauthorized: false,
  };
  return new Promise((resolve, reject) => {
    const sent = (server === secure ? askTls : ask)(options, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
      const done = (): void =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text });
      answer.once('end', done);
      answer.once('error', done);
      if (answer.headers['content-type']?.startsWith('text/event-stream') === true)
        answer.once('data', () => (sent.destroy(), done()));
    });
    sent.once('error', reject);
    sent.once('upgrade', (answer, socket) => {
      socket.destroy();
      resolve({ status: 101, headers: answer.headers, body: '' });
    });
    sent.end(body);
  });
}

const KEY = { authorization: `Bearer ${TEST_API_KEY}` };
const JSON_TYPE = { 'content-type': 'application/json' };
const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
const MESSAGES = '/api/channels/room:a/messages';

/** Everything that answers, and each kind of refusal. */
const EVERYTHING: readonly (readonly [name: string, asked: Asked, status: number])[] = [
  ['the chat page', { path: '/' }, 200],
  ['a page by its name', { path: '/prices' }, 200],
  ['the pages of the API', { path: '/docs' }, 200],
  ['the OpenAPI document', { path: '/docs/json' }, 200],
  ['liveness', { path: '/health/live' }, 200],
  ['readiness', { path: '/health/ready' }, 200],
  ['metrics', { path: '/metrics' }, 200],
  [
    'a publish',
    { method: 'POST', path: MESSAGES, headers: { ...KEY, ...JSON_TYPE }, body: '{"event":"e","data":1}' },
    201,
  ],
  ['a history', { path: MESSAGES, headers: KEY }, 200],
  ['a stream', { path: '/sse?channel=room:a' }, 200],
  ['the end of a stream', { path: '/sse', headers: { 'last-event-id': 'end' } }, 204],
  ['a poll', { path: '/poll?channel=room:a&wait=0' }, 200],
  ['HEAD of a page', { method: 'HEAD', path: '/' }, 200],
  ['HEAD of a stream', { method: 'HEAD', path: '/sse?channel=room:a' }, 405],
  ['HEAD of a poll', { method: 'HEAD', path: '/poll?channel=room:a' }, 405],
  ['a poll without a channel', { path: '/poll' }, 400],
  [
    'a body that is no JSON',
    { method: 'POST', path: MESSAGES, headers: { ...KEY, ...JSON_TYPE }, body: '{' },
    400,
  ],
  ['a malformed path', { path: '/api/channels/%ff/messages', headers: KEY }, 400],
  ['no credential', { path: '/api/stats' }, 401],
  ['a bad credential', { path: '/api/stats', headers: { authorization: 'Bearer none' } }, 401],
  ['a page of elsewhere', { path: '/api/stats', headers: { ...KEY, origin: 'https://evil.example' } }, 403],
  ['an unknown channel', { path: '/poll?channel=none:a', headers: KEY }, 404],
  ['nothing', { path: '/nothing' }, 404],
  ['nothing for a browser', { path: '/nothing', headers: { accept: 'text/html' } }, 404],
  ['nothing below /api', { path: '/api/nothing', headers: KEY }, 404],
  ['a method that is not there', { method: 'DELETE', path: MESSAGES, headers: KEY }, 404],
  ['TRACE, which would show what came', { method: 'TRACE', path: '/api/stats', headers: KEY }, 404],
  [
    'a body that is too large',
    { method: 'POST', path: MESSAGES, headers: { ...KEY, ...JSON_TYPE }, body: 'x'.repeat(1_100_000) },
    413,
  ],
  [
    'a body of another type',
    { method: 'POST', path: MESSAGES, headers: { ...KEY, 'content-type': 'text/plain' }, body: '{}' },
    415,
  ],
  ['an upgrade to nothing', { path: '/nothing', headers: UPGRADE }, 404],
  [
    'an upgrade of another version',
    { path: '/ws', headers: { ...UPGRADE, 'sec-websocket-version': '8' } },
    426,
  ],
  [
    'an upgrade with a bad credential',
    { path: '/ws', headers: { ...UPGRADE, authorization: 'Bearer none' } },
    401,
  ],
  [
    'an upgrade of a page of elsewhere',
    { path: '/ws', headers: { ...UPGRADE, origin: 'https://evil.example' } },
    403,
  ],
];

describe('every answer', () => {
  it.each(EVERYTHING)(
    'to %s keeps browsers from guessing, framing and telling where they came from',
    async (_name, asked, status) => {
      const answer = await answerOf(plain, asked);
      expect(answer.status).toBe(status);
      const { headers } = answer;
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['referrer-policy']).toBe('no-referrer');
      expect(headers['x-frame-options']).toBe('DENY');
      for (const rule of ["frame-ancestors 'none'", "base-uri 'none'"])
        expect(headers['content-security-policy']).toContain(rule);
      expect(headers['content-security-policy']).toMatch(/(?:object|default)-src 'none'/);
      expect([headers['x-powered-by'], headers['server'], headers['strict-transport-security']]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    },
  );

  it.each(EVERYTHING)('to %s over TLS asks for TLS from now on', async (_name, asked) => {
    expect((await answerOf(secure, asked)).headers['strict-transport-security']).toBe('max-age=31536000');
  });

  it.each(EVERYTHING)('to %s leads nowhere', async (_name, asked) => {
    const { status, headers } = await answerOf(plain, asked);
    expect([headers.location, headers['refresh'], headers['content-location']]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(status < 300 || status >= 400).toBe(true);
  });

  it.each(EVERYTHING.filter(([, , status]) => status >= 400))(
    'to %s tells nothing of the inside',
    async (_name, asked) => {
      const { headers, body } = await answerOf(plain, asked);
      expect(body).not.toMatch(
        /node_modules|node:internal|\bat .+:\d+|\.(?:ts|js|mjs)\b|"stack"|127\.0\.0\.1|\/home\/|\/usr\//,
      );
      expect(body).not.toContain(process.cwd());
      if (asked.method !== 'HEAD') expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    },
  );

  it('with data in it runs nothing when it is opened as a page, and is no picture of another site', async () => {
    const paths = ['/api/stats', '/sse?channel=room:a', '/poll?channel=room:a&wait=0', '/metrics'];
    for (const path of [...paths, '/API/stats', '/Poll?channel=room:a&wait=0']) {
      const { headers } = await answerOf(plain, { path });
      expect(headers['content-security-policy'], path).toBe(
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox",
      );
      expect(headers['cross-origin-resource-policy'], path).toBe('same-origin');
    }
  });

  it('of pages lets them run only what this server gave them', async () => {
    for (const path of ['/', '/prices', '/notifications']) {
      const policy = (await answerOf(plain, { path, headers: { accept: '*/*' } })).headers[
        'content-security-policy'
      ];
      expect(policy, path).toContain("default-src 'self'");
      expect(policy, path).not.toMatch(/unsafe|\*|https?:|wss?:/);
    }
  });
});

describe('a way elsewhere', () => {
  it.each([
    '//evil.example',
    '//evil.example/',
    '//evil.example/%2e%2e',
    '/\\evil.example',
    '/%5cevil.example',
    '/docs//evil.example',
    '/docs/..//evil.example',
    '/prices/',
    '/assets',
    '/assets/',
    '/?url=https://evil.example&next=//evil.example',
    '/api/stats/?redirect=https://evil.example',
    '/sse/?channel=room:a',
    '/poll/?channel=room:a&wait=0',
    '/ws',
    '/ws/?x=https://evil.example',
    '/%0d%0aLocation:%20https://evil.example',
  ])('is not given by %s', async (path) => {
    const { status, headers } = await answerOf(plain, {
      path,
      headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' },
    });
    expect(headers.location).toBeUndefined();
    expect(status < 300 || status >= 400, String(status)).toBe(true);
    expect(JSON.stringify(headers)).not.toContain('evil.example');
  });
});

describe('data', () => {
  const PRIVATE = [
    MESSAGES,
    '/api/stats',
    '/api/sessions',
    '/api/channels',
    '/poll?channel=room:a&wait=0',
    '/sse?channel=room:a',
  ];

  it.each([...PRIVATE, '/api/nothing', '/poll', '/sse'])(
    'of %s is kept by nobody, and told apart by who asks',
    async (path) => {
      const { headers } = await answerOf(plain, { path, headers: KEY });
      expect(headers['cache-control']).toContain('no-store');
      for (const name of ['Origin', 'Cookie', 'Authorization'])
        expect(headers.vary).toMatch(new RegExp(name, 'i'));
      expect(headers.expires).toBeUndefined();
    },
  );

  it.each(['/api/stats', MESSAGES, '/docs/json'])(
    'of %s has no ETag that would tell of a change',
    async (path) => {
      expect((await answerOf(plain, { path, headers: KEY })).headers.etag).toBeUndefined();
    },
  );

  it.each(['callback', 'jsonp', 'cb', '_callback'])('is never wrapped for a script: ?%s=', async (name) => {
    for (const path of ['/api/stats?', '/poll?channel=room:a&wait=0&']) {
      const { headers, body } = await answerOf(plain, { path: `${path}${name}=steal`, headers: KEY });
      expect(headers['content-type']).toMatch(/^application\/(?:problem\+)?json/);
      expect(body).not.toContain('steal');
    }
  });

  it('is not deceived into a cache that keeps what ends like a file', async () => {
    const nginx = await startNginx(plain.port);
    try {
      for (const path of [
        '/api/stats',
        '/api/stats/x.css',
        '/api/stats;x.css',
        '/api/stats%2fx.css',
        '/api/channels/chat:a/messages?x.css',
      ]) {
        const own = await fetch(nginx.cachedUrl + path, { headers: KEY });
        await own.text();
        const others = await fetch(nginx.cachedUrl + path);
        // A stranger is told that he is one, and gets nothing that was made for another.
        expect([401, 403, 404, 400], path).toContain(others.status);
      }
    } finally {
      await nginx.stop();
    }
  }, 30_000);
});

describe('a refusal', () => {
  const REFUSALS = EVERYTHING.filter(([, , status]) => status >= 400);

  it.each(REFUSALS)(
    'of %s leaves no connection behind that the peer wants ended, and no session',
    async (_name, { method = 'GET', path, headers = {}, body = '' }) => {
      const lines = Object.entries({
        Host: 'a',
        ...headers,
        ...(headers === UPGRADE || 'upgrade' in headers ? {} : { Connection: 'close' }),
        ...(body === '' ? {} : { 'Content-Length': String(body.length) }),
      });
      const socket = connect(plain.port, '127.0.0.1');
      // A body that nobody reads may end in a reset.
      socket.on('error', () => {});
      socket.write(
        `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
      );
      socket.resume();
      await new Promise((resolve) => socket.once('close', resolve));
      expect(plain.stats().sessions).toBe(0);
      await until(async () => (await plain.connections()) === 0, 'the server to let go');
    },
  );

  it('while the body is still on its way ends the connection, or the rest is read and the next request served', async () => {
    const socket = connect(plain.port, '127.0.0.1').setEncoding('utf8');
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.on('error', () => {});
    socket.write(
      `POST ${MESSAGES} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n12345`,
    );
    await until(() => text.includes('HTTP/1.1 '), 'the refusal');
    socket.write('67890GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
    expect([[401], [401, 200], [415], [415, 200]]).toContainEqual(statuses);
    await until(async () => (await plain.connections()) === 0);
  });
});

describe('the pages in a browser', { timeout: 60_000 }, () => {
  it('work under their own policy, without a complaint, and cannot be framed', async () => {
    const browser = await launchBrowser();
    try {
      for (const path of ['/', '/prices', '/notifications']) {
        const { page, errors } = await openPage(browser, plain.url + path);
        await page.waitForSelector('#app *');
        expect(errors, path).toEqual([]);
        const refused = await page.evaluate(async () => {
          const run = document.createElement('script');
          run.textContent = 'window.stolen = true';
          document.head.append(run);
          const reach = await fetch('http://localhost:1/', { mode: 'no-cors' }).then(
            () => 'reached',
            () => 'refused',
          );
          return [reach, (window as { stolen?: boolean }).stolen];
        });
        expect(refused, path).toEqual(['refused', undefined]);
        await page.context().close();
      }
      const { page } = await openPage(browser, `${plain.url}/docs`);
      await page.route('**/framer', (route) =>
        route.fulfill({ contentType: 'text/html', body: `<iframe src="${plain.url}/"></iframe>` }),
      );
      await page.goto('http://framer.localhost/framer');
      const frame = page.frames()[1];
      await until(
        () => frame?.url().startsWith('chrome-error:') === true || frame?.url() === '',
        'the frame to be refused',
      );
      expect(await frame?.locator('#app').count()).toBe(0);
    } finally {
      await browser.close();
    }
  });
});
