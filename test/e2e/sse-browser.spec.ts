// Chromium's own EventSource, and polling by plain fetch, in a page of the server and in a page of another origin.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.js';
import { ChaosProxy } from '../support/chaos-proxy.js';
import { startStreams, type StreamServer } from '../support/stream-server.js';
import { until } from '../support/wait.js';

/** What a page under test keeps for the test to read. */
interface PageState {
  readonly messages: { readonly offset: number; readonly data: unknown }[];
  readonly sessions: string[];
  readonly ids: string[];
  error?: string;
  source?: EventSource;
}

declare global {
  interface Window {
    state: PageState;
  }
}

let server: StreamServer;
let proxy: ChaosProxy;
let browser: Browser;
/** Servers of other origins with one empty page each; only the first is allowed. Cookies know no ports, so both send them. */
const elsewhere: Server[] = [];
let otherOrigin = '';
let foreignOrigin = '';

beforeAll(async () => {
  [otherOrigin, foreignOrigin] = await Promise.all([emptySite(), emptySite()]);
  server = await startStreams({
    rules: [{ channel: 'room:{name}', history: { size: 500, ttl: '1m' } }],
    sse: { retryMs: 100 },
    env: { TRUNKLINE_ALLOWED_ORIGINS: otherOrigin },
  });
  proxy = await ChaosProxy.start({ target: server.port });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await proxy.close();
  await server.close();
  for (const site of elsewhere) site.close();
});

async function emptySite(): Promise<string> {
  const site = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>elsewhere</title>');
  });
  elsewhere.push(site);
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
}

/** A page with the token in its cookie, as a site sets it after login. */
async function pageOf(origin: string, user: string): Promise<Page> {
  const { page } = await openPage(browser, `${origin}/health/live`);
  const url = new URL(proxy.url).origin;
  await page.context().addCookies([{ name: 'trunkline_token', value: server.token(user), url }]);
  return page;
}

/** Opens an EventSource in the page and keeps what it hears. */
function listen(page: Page, url: string): Promise<void> {
  return page.evaluate((address) => {
    const state: PageState = (window.state = { messages: [], sessions: [], ids: [] });
    const source = (state.source = new EventSource(address, { withCredentials: true }));
    source.addEventListener('ready', (event) => {
      state.sessions.push((JSON.parse(String(event.data)) as { session: string }).session);
    });
    source.addEventListener('message', (event) => {
      state.messages.push(JSON.parse(String(event.data)) as PageState['messages'][number]);
      state.ids.push(event.lastEventId);
    });
  }, url);
}

const stateOf = (page: Page): Promise<Omit<PageState, 'source'>> =>
  page.evaluate(() => ({ ...window.state, source: undefined }));
const untilState = (
  page: Page,
  what: string,
  holds: (state: Omit<PageState, 'source'>) => boolean,
): Promise<void> => until(async () => holds(await stateOf(page)), what, 10_000);

describe("Chromium's own EventSource", { timeout: 60_000 }, () => {
  it('reads hostile text as it was sent, with an id on each message', async () => {
    const page = await pageOf(proxy.url, 'reader');
    await listen(page, '/sse?channel=room:hostile');
    await untilState(page, 'the stream', ({ sessions }) => sessions.length === 1);
    const texts = ['a\nb\r\nc\rd', '\n\ndata: x\n\n', 'nul \0', '\u2028\u2029', '😀é', '</script>'];
    for (const text of texts) await server.realtime.publish('room:hostile', 'tick', text);
    await untilState(page, 'all', ({ messages }) => messages.length === texts.length);
    const { messages, ids } = await stateOf(page);
    expect(messages.map(({ data }) => data)).toEqual(texts);
    expect(new Set(ids).size).toBe(texts.length);
    await page.context().close();
  });

  it('comes back by itself after a cut with exactly what it missed', async () => {
    const page = await pageOf(proxy.url, 'returner');
    await listen(page, '/sse?channel=room:cut');
    await untilState(page, 'the stream', ({ sessions }) => sessions.length === 1);
    for (let round = 0; round < 3; round++) {
      await server.realtime.publish('room:cut', 'tick', `live ${round}`);
      await untilState(page, 'the live one', ({ messages }) => messages.length === round * 3 + 1);
      proxy.killAll();
      await server.realtime.publish('room:cut', 'tick', `missed ${round}`);
      await server.realtime.publish('room:cut', 'tick', `also missed ${round}`);
      await untilState(page, 'the missed', ({ messages }) => messages.length === round * 3 + 3);
    }
    const { messages, sessions } = await stateOf(page);
    expect(messages.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(new Set(sessions).size).toBe(4);
    await page.context().close();
  });

  it('stays away after a terminal end', async () => {
    const page = await pageOf(proxy.url, 'banned');
    await listen(page, '/sse?channel=room:ban');
    await untilState(page, 'the stream', ({ sessions }) => sessions.length === 1);
    await server.realtime.disconnect('banned');
    const CLOSED = 2;
    await until(
      async () => (await page.evaluate(() => window.state.source?.readyState)) === CLOSED,
      'it to give up',
    );
    expect(server.realtime.sessions('banned')).toEqual([]);
    await page.context().close();
  });

  it('in a page of another origin is let in when the origin is allowed', async () => {
    const page = await pageOf(otherOrigin, 'visitor');
    await listen(page, `${proxy.url}/sse?channel=room:visit`);
    await untilState(page, 'the stream', ({ sessions }) => sessions.length === 1);
    await server.realtime.publish('room:visit', 'tick', 'hello');
    await untilState(page, 'the message', ({ messages }) => messages.length === 1);
    await page.context().close();
  });

  it('in a page of an origin that is not allowed hears nothing', async () => {
    const page = await pageOf(foreignOrigin, 'intruder');
    await listen(page, `${proxy.url}/sse?channel=room:foreign`);
    const CLOSED = 2;
    await until(
      async () => (await page.evaluate(() => window.state.source?.readyState)) === CLOSED,
      'the refusal',
    );
    expect((await stateOf(page)).sessions).toEqual([]);
    await page.context().close();
  });
});

describe('polling by plain fetch in a page', { timeout: 60_000 }, () => {
  /** Polls on and on, and starts again from its cursor when a connection fails. */
  function pollOn(page: Page, base: string, channel: string): Promise<void> {
    return page.evaluate(
      ([origin, name]) => {
        const state: PageState = (window.state = { messages: [], sessions: [], ids: [] });
        let cursor = '';
        const once = async (): Promise<void> => {
          const url = new URL(`${origin}/poll`);
          url.searchParams.set('channel', name);
          url.searchParams.set('wait', '5');
          if (cursor !== '') url.searchParams.set('cursor', cursor);
          const response = await fetch(url, { credentials: 'include' });
          if (response.status !== 200) throw new Error(String(response.status));
          const body = (await response.json()) as { cursor: string; messages: PageState['messages'] };
          cursor = body.cursor;
          state.messages.push(...body.messages);
          state.ids.push(response.headers.get('etag') ?? '');
        };
        const run = async (): Promise<void> => {
          for (;;) await once().catch(() => new Promise((resolve) => setTimeout(resolve, 50)));
        };
        void run();
      },
      [base, channel] as const,
    );
  }

  it('reads every message once, also when connections are cut', async () => {
    const page = await pageOf(proxy.url, 'poller');
    await pollOn(page, proxy.url, 'room:poll');
    await untilState(page, 'the first answer', ({ ids }) => ids.length > 0);
    for (let n = 1; n <= 30; n++) {
      await server.realtime.publish('room:poll', 'tick', n);
      if (n % 10 === 0) proxy.killAll();
    }
    await untilState(page, 'all', ({ messages }) => messages.length >= 30);
    const { messages } = await stateOf(page);
    expect(messages.map(({ data }) => data)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    await page.context().close();
  });

  it('of another origin may read the answer and its ETag', async () => {
    const page = await pageOf(otherOrigin, 'far-poller');
    await pollOn(page, proxy.url, 'room:far');
    await untilState(page, 'the first answer', ({ ids }) => ids.length > 0);
    await server.realtime.publish('room:far', 'tick', 'hello');
    await untilState(page, 'the message', ({ messages }) => messages.length === 1);
    expect((await stateOf(page)).ids.at(-1)).toMatch(/^"1~/);
    await page.context().close();
  });
});
