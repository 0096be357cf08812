// The snippets of the guide on transports do what it says, in a real Chromium: native EventSource comes back, also where it would stop,
// and plain fetch polls.

import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.js';
import { block } from '../support/guide.js';
import { startServer, type TestServer } from '../support/server.js';

const GUIDE = 'docs/guides/choose-a-transport.md';
const CHANNEL = 'prices:ACME';
const LIMIT_MS = 60_000;

let browser: Browser;
let server: TestServer;
let page: Page;

beforeAll(async () => {
  browser = await launchBrowser();
});

beforeEach(async () => {
  server = await startServer();
  ({ page } = await openPage(browser, `${server.url}/docs`));
});

afterEach(async () => {
  await page.context().close();
  await server.close();
});

afterAll(() => browser.close());

async function tick(price: number): Promise<void> {
  await server.realtime.publish(CHANNEL, 'tick', { price }, { key: 'ACME' });
}

/** Resolves when the page has logged this line, from now on. */
async function logs(line: string | RegExp): Promise<string> {
  const message = await page.waitForEvent('console', {
    predicate: (one) => (typeof line === 'string' ? one.text() === line : line.test(one.text())),
    timeout: LIMIT_MS / 2,
  });
  return message.text();
}

/** Does something and waits for the line it leads to. */
async function causes(line: string | RegExp, act: () => Promise<unknown>): Promise<string> {
  const [text] = await Promise.all([logs(line), act()]);
  return text;
}

/** Ends every stream of a channel. */
function endStreams(code: number, reason: string, channel = CHANNEL): void {
  for (const session of [...server.core.hub.all()])
    if (session.subscriptions.has(channel)) session.close({ code, reason });
}

const WITNESS = `new EventSource('/sse?channel=prices:GLOBEX').addEventListener('ready', () => console.log('witness'))`;

describe('the EventSource of the guide', { timeout: LIMIT_MS }, () => {
  const listen = (): Promise<unknown> => page.evaluate(block(GUIDE, 'js eventsource'));

  it('comes back after the end of a stream and goes on from its cursor', async () => {
    await tick(1);
    await causes('price 1', listen);
    await causes('price 2', () => tick(2));
    await causes('ended 4202', async () => endStreams(4202, 'moved'));
    await causes('price 3', () => tick(3));
    await causes('price 4', () => tick(4));
  });

  it('begins anew where EventSource stops for good, and misses nothing that is kept', async () => {
    await tick(1);
    await causes('price 1', listen);
    server.core.draining = true;
    const refused = page.waitForResponse((response) => response.status() === 503);
    await causes('ended 1001', async () => endStreams(1001, 'going away'));
    await refused;
    await tick(2);
    await causes('price 2', async () => {
      server.core.draining = false;
    });
  });

  it('says when something is missing', async () => {
    await tick(1);
    await causes('price 1', listen);
    server.core.draining = true;
    endStreams(1001, 'going away');
    await tick(2);
    await tick(3);
    await causes('something is missing: expired', async () => {
      server.core.draining = false;
    });
  });

  it('stays away when it shall', async () => {
    await tick(1);
    await causes('price 1', listen);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await causes('witness', () => page.evaluate(WITNESS));
    await causes('ended 4003', async () => endStreams(4003, 'revoked'));
    // A stream that comes back twice takes two seconds at least, the longest that another would wait to come back.
    for (let times = 0; times < 2; times++)
      await causes('witness', async () => endStreams(4202, 'moved', 'prices:GLOBEX'));
    expect(asked.filter((url) => url.includes('GLOBEX'))).toHaveLength(3);
    expect(asked.filter((url) => url.includes('ACME'))).toEqual([]);
  });
});

describe('the poll of the guide', { timeout: LIMIT_MS }, () => {
  it('gets the last value, then what is new, and hears what it skipped', async () => {
    await tick(1);
    await causes('price 1', () => page.evaluate(block(GUIDE, 'js poll')));
    // A poll may come between two of them.
    const skipped = logs(/^skipped [12] conflated$/);
    await causes('price 4', async () => {
      for (const price of [2, 3, 4]) await tick(price);
    });
    await skipped;
  });
});
