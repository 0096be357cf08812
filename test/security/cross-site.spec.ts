// Pages of other sites in a real browser, with the victim's cookie in it: whatever they open, ask or post, they read nothing and change
// nothing. And which origins are ours, for every transport. Knows nothing of frames.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { TEST_API_KEY } from '../support/server.js';
import { RawSocket, upgradeRequest } from '../support/raw-socket.js';
import { until } from '../support/wait.js';

const RULES = [
  {
    channel: 'bank:{name}',
    subscribe: 'authenticated',
    publish: 'authenticated',
    presence: true,
    history: { size: 10, ttl: '1m' },
  },
];
const COOKIE = 'trunkline_token';

/** An empty page on an origin of its own. */
async function startSite(host: string): Promise<Server> {
  const site = createServer((_request, response) =>
    response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>x</title>'),
  );
  await new Promise<void>((resolve) => site.listen(0, host, resolve));
  return site;
}

interface Tried {
  readonly socket: string;
  readonly stream: string;
  readonly poll: string;
  readonly read: string;
  readonly post: string;
  readonly simplePost: string;
  readonly form: string;
  readonly image: string;
  readonly script: string;
}

/** Runs in the page: all ways to a server that a page has, each with the cookies of the browser. */
async function tryAll(base: string): Promise<Tried> {
  const settled = (start: (done: (word: string) => void) => void): Promise<string> =>
    new Promise((resolve) => {
      setTimeout(() => resolve('silence'), 3000);
      start(resolve);
    });
  const fetched = (path: string, init: RequestInit): Promise<string> =>
    fetch(base + path, { credentials: 'include', ...init }).then(
      async (answer) => `${answer.status || 'opaque'} ${await answer.text()}`,
      () => 'refused',
    );
  const body = '{"event":"pay","data":1}';
  const path = '/api/channels/bank:a/messages';
  return {
    socket: await settled((done) => {
      const socket = new WebSocket(`${base.replace('http', 'ws')}/ws`, 'trunkline.v1');
      socket.onmessage = (event) => done(`heard ${event.data}`);
      socket.onerror = () => done('refused');
    }),
    stream: await settled((done) => {
      const stream = new EventSource(`${base}/sse?channel=bank:a`, { withCredentials: true });
      stream.addEventListener('ready', (event) => done(`heard ${(event as MessageEvent<string>).data}`));
      stream.onerror = () => (stream.close(), done('refused'));
    }),
    poll: await fetched('/poll?channel=bank:a&wait=0', {}),
    read: await fetched(path, {}),
    post: await fetched(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
    // Without a preflight: what any form could send.
    simplePost: await fetched(path, {
      method: 'POST',
      mode: 'no-cors',
      headers: { 'content-type': 'text/plain' },
      body,
    }),
    form: await settled((done) => {
      const frame = document.createElement('iframe');
      frame.name = 'target';
      const form = document.createElement('form');
      Object.assign(form, { method: 'post', action: base + path, target: 'target', enctype: 'text/plain' });
      const field = document.createElement('input');
      Object.assign(field, { name: '{"event":"pay","x":"', value: '","data":1}' });
      form.append(field);
      frame.onload = () => done('answered');
      document.body.append(frame, form);
      form.submit();
    }),
    image: await settled((done) => {
      const image = new Image();
      image.onload = () => done('shown');
      image.onerror = () => done('refused');
      image.src = `${base}/sse?channel=bank:a`;
    }),
    script: await settled((done) => {
      const script = document.createElement('script');
      script.onload = () => done('run');
      script.onerror = () => done('refused');
      script.src = `${base}/poll?channel=bank:a&wait=0`;
      document.head.append(script);
    }),
  };
}

describe('a page of another site', { timeout: 60_000 }, () => {
  let server: E2eServer;
  let browser: Browser;
  const sites: Server[] = [];
  const contexts: BrowserContext[] = [];
  beforeAll(async () => {
    server = await startE2e({ rules: RULES });
    await server.api('POST', '/channels/bank:a/messages', { event: 'secret', data: 'balance 4711' });
    browser = await launchBrowser();
  }, 60_000);
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    // A member is kept for a moment after its last session.
    await until(async () => (await server.realtime.members('bank:a')).length === 0, 'the victim to be gone');
  });
  afterAll(async () => {
    await browser.close();
    for (const site of sites) site.close();
    await server.close();
  });

  /** A page of the site in the browser of somebody who is logged in here. */
  async function victimOn(host: string, sameSite: 'Lax' | 'Strict' | undefined): Promise<Page> {
    const site = await startSite(host);
    sites.push(site);
    const context = await browser.newContext();
    contexts.push(context);
    const cookie = {
      name: COOKIE,
      value: server.token('victim'),
      domain: '127.0.0.1',
      path: '/',
      httpOnly: true,
    };
    await context.addCookies([{ ...cookie, ...(sameSite === undefined ? {} : { sameSite }) }]);
    const page = await context.newPage();
    await page.goto(`http://${host}:${(site.address() as AddressInfo).port}/`);
    return page;
  }

  it('on our own origin all of it works: the cookie is a good one', async () => {
    const page = await victimOn('127.0.0.1', 'Lax');
    await page.goto(`${server.url}/health/live`);
    // The policy of data would forbid the page to run this; a page of ours has its own.
    await page.goto(`${server.url}/prices`);
    const tried = await page.evaluate(tryAll, server.url);
    expect(tried.socket).toMatch(/^heard .*"user":"victim"/);
    expect(tried.stream).toMatch(/^heard .*"user":"victim"/);
    expect(tried.poll).toMatch(/^200 /);
    expect(tried.read).toContain('balance 4711');
    expect(tried.post).toMatch(/^201 /);
  });

  // Another port is another origin but the same site: the browser sends the cookie, whatever its SameSite. 127.0.0.2 is another site, where
  // a cookie without SameSite is sent for two minutes with a form.
  it.each([
    ['127.0.0.1', 'Lax'],
    ['127.0.0.1', 'Strict'],
    ['127.0.0.1', undefined],
    ['127.0.0.2', 'Lax'],
    ['127.0.0.2', undefined],
  ] as const)(
    'on %s with a cookie of SameSite %s gets nothing and changes nothing',
    async (host, sameSite) => {
      const page = await victimOn(host, sameSite);
      const before = (await server.realtime.history('bank:a')).messages.length;
      const tried = await page.evaluate(tryAll, server.url);
      expect(tried).toMatchObject({
        socket: 'refused',
        stream: 'refused',
        poll: 'refused',
        read: 'refused',
        post: 'refused',
        image: 'refused',
        script: 'refused',
      });
      // An opaque answer has no status and no text for the page.
      expect(tried.simplePost).toMatch(/^(?:opaque $|refused$)/);
      expect(JSON.stringify(tried)).not.toContain('4711');
      expect((await server.realtime.history('bank:a')).messages).toHaveLength(before);
      expect(server.stats().sessions).toBe(0);
      expect(await server.realtime.members('bank:a')).toEqual([]);
    },
  );
});

const LIST = 'https://example.com,http://localhost:5173,https://xn--bcher-kva.example';
/** Origins as a browser, or somebody who pretends to be one, may write them, and whether they are on the list. */
const ORIGINS: readonly (readonly [origin: string, ours: boolean])[] = [
  ['https://example.com', true],
  ['http://localhost:5173', true],
  ['https://xn--bcher-kva.example', true],
  ['http://example.com', false],
  ['https://example.com:443', false],
  ['https://example.com:444', false],
  ['https://example.com.', false],
  ['https://example.com/', false],
  ['https://EXAMPLE.com', false],
  ['HTTPS://example.com', false],
  ['https://evil.com', false],
  ['https://example.com.evil.com', false],
  ['https://evilexample.com', false],
  ['https://sub.example.com', false],
  ['https://example.com@evil.com', false],
  ['https://evil.com#https://example.com', false],
  ['https://example.com%00.evil.com', false],
  ['https://example.com, https://evil.com', false],
  ['https://evil.com https://example.com', false],
  ['https://bücher.example', false],
  ['http://localhost', false],
  ['http://localhost:51730', false],
  ['http://127.0.0.1:5173', false],
  ['file://', false],
  ['null', false],
  ['*', false],
  ['', false],
  ['__proto__', false],
];
const KEYED = { Authorization: `Bearer ${TEST_API_KEY}` };

describe('an origin, on every transport', () => {
  let server: E2eServer;
  beforeAll(async () => {
    server = await startE2e({ rules: RULES, env: { TRUNKLINE_ALLOWED_ORIGINS: LIST } });
  });
  afterAll(() => server.close());

  /** By hand: a client of HTTP would mend or refuse some of these. */
  async function statusOf(
    path: string,
    headers: Readonly<Record<string, string | readonly string[]>>,
  ): Promise<number> {
    const raw = await RawSocket.open(server.port);
    const upgrade =
      path === '/ws'
        ? {}
        : {
            Upgrade: undefined,
            Connection: 'close',
            'Sec-WebSocket-Key': undefined,
            'Sec-WebSocket-Version': undefined,
          };
    raw.tcp.write(
      Buffer.from(upgradeRequest(server.port, { path, headers: { ...upgrade, ...headers } }), 'utf8'),
    );
    let text = '';
    raw.tcp.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    await new Promise<void>((resolve) => {
      raw.tcp.once('data', () => resolve());
      raw.tcp.once('close', () => resolve());
    });
    raw.dispose();
    return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
  }

  const PATHS = [
    ['/ws', 101],
    ['/sse?channel=bank:a', 200],
    ['/poll?channel=bank:a&wait=0', 200],
    ['/api/channels/bank:a/messages', 200],
  ] as const;

  describe.each(PATHS)('%s', (path, good) => {
    it.each(ORIGINS)('of "%s": ours is %s', async (origin, ours) => {
      expect(await statusOf(path, { ...KEYED, Origin: origin })).toBe(ours ? good : 403);
    });

    it.each([
      ['a good one and an evil one', ['https://example.com', 'https://evil.com']],
      ['an evil one and a good one', ['https://evil.com', 'https://example.com']],
      ['the same good one twice', ['https://example.com', 'https://example.com']],
    ])('%s in two headers is none of ours', async (_name, origins) => {
      expect([400, 403]).toContain(await statusOf(path, { ...KEYED, Origin: origins }));
    });

    it('is missing where a program asks: it passes', async () => {
      expect(await statusOf(path, KEYED)).toBe(good);
    });

    it('is foreign beside a cookie: refused', async () => {
      const Cookie = `${COOKIE}=${server.token('ana')}`;
      expect(await statusOf(path, { Cookie, Origin: 'https://evil.com' })).toBe(403);
      expect(await statusOf(path, { Cookie, Origin: 'https://example.com' })).toBe(good);
    });

    it.each(['cross-site', 'same-site'])(
      'is missing, and the browser says %s of a request with a cookie: refused',
      async (site) => {
        expect(
          await statusOf(path, { Cookie: `${COOKIE}=${server.token('ana')}`, 'Sec-Fetch-Site': site }),
        ).toBe(403);
      },
    );
  });

  it('is missing beside a cookie on what changes something, or stays open for both ways: refused', async () => {
    const Cookie = `${COOKIE}=${server.token('ana')}`;
    expect(await statusOf('/ws', { Cookie })).toBe(403);
    const answer = await fetch(`${server.url}/api/channels/bank:a/messages`, {
      method: 'POST',
      headers: { cookie: Cookie, 'content-type': 'application/json' },
      body: '{"event":"pay","data":1}',
    });
    expect(answer.status).toBe(403);
  });
});
