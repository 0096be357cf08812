// The guide on credentials does what it says: native EventSource with tickets from a page of another origin in a real Chromium, and its file of keys.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseApiKeys } from '../../src/auth/api-keys.file.js';
import { launchBrowser, openPage } from '../support/browser.js';
import { block, put } from '../support/guide.js';
import { startServer, TEST_API_KEY, type TestServer } from '../support/server.js';

const GUIDE = 'docs/guides/credentials.md';
const LIMIT_MS = 60_000;

let browser: Browser;
let server: TestServer;
let site: Server;
let origin: string;
let page: Page;
/** Tickets that the page was given. */
let given: string[] = [];

/** The page's own backend: an empty page, and tickets for whom it knows. */
function startSite(): Promise<Server> {
  const backend = createServer((request, response) => {
    if (request.method !== 'POST')
      return void response.setHeader('content-type', 'text/html').end('<title>x</title>');
    void fetch(`${server.url}/api/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_API_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ user: 'ana' }),
    })
      .then((answer) => answer.text())
      .then((text) => {
        given.push((JSON.parse(text) as { ticket: string }).ticket);
        response.setHeader('content-type', 'application/json').end(text);
      });
  });
  return new Promise((resolve) => backend.listen(0, '127.0.0.1', () => resolve(backend)));
}

beforeAll(async () => {
  browser = await launchBrowser();
  site = await startSite();
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  server = await startServer({ TRUNKLINE_ALLOWED_ORIGINS: origin });
});
afterEach(() => page.context().close());
afterAll(async () => {
  await browser.close();
  await server.close();
  await new Promise((resolve) => site.close(resolve));
});

async function logs(line: string): Promise<void> {
  await page.waitForEvent('console', { predicate: (one) => one.text() === line, timeout: LIMIT_MS / 2 });
}
async function causes(line: string, act: () => Promise<unknown>): Promise<void> {
  await Promise.all([logs(line), act()]);
}
const say = (text: string): Promise<unknown> => server.realtime.publish('chat:lobby', 'message', { text });
const sessions = () => server.realtime.sessions('ana');
function end(code: number, reason: string): void {
  for (const { id } of sessions()) server.core.hub.session(id)?.close({ code, reason });
}

describe('the EventSource with tickets', { timeout: LIMIT_MS }, () => {
  const listen = (): Promise<unknown> =>
    page.evaluate(put(block(GUIDE, 'js ticket'), 'http://localhost:3000', server.url));

  it('listens from another origin, and comes back with a new ticket and its cursor', async () => {
    given = [];
    ({ page } = await openPage(browser, origin));
    await causes('ready', listen);
    await causes('said one', () => say('one'));
    expect(sessions()).toHaveLength(1);
    const back = logs('said two');
    await causes('ready', async () => {
      end(4202, 'moved');
      await say('two');
    });
    await back;
    await causes('said three', () => say('three'));
    expect(given.length).toBeGreaterThanOrEqual(2);
    expect(new Set(given).size).toBe(given.length);
  });

  it('stays away when it shall', async () => {
    ({ page } = await openPage(browser, origin));
    await causes('ready', listen);
    const { length } = given;
    const closed = page.waitForEvent('requestfinished', (request) => request.url().includes('/sse'));
    end(4003, 'revoked');
    await closed;
    // Whatever it would ask for, it asks its own backend first; a turn through the page comes after that.
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 0))');
    await page.evaluate(`fetch('/').then((answer) => answer.text())`);
    expect([given.length, sessions()]).toEqual([length, []]);
  });
});

it('the file of keys in the guide is a good one', () => {
  const keys = parseApiKeys(block(GUIDE, 'json', '"name": "billing"'));
  expect(keys.map(({ name, scopes, channels }) => [name, scopes, channels])).toEqual([
    ['billing', ['publish'], ['orders:*']],
    ['support', ['disconnect', 'revoke', 'stats'], undefined],
  ]);
});
