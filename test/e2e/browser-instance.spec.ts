// The chat page shows the instance it talks to, also in a narrow window, and also when its event stream has silently moved to another.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { launchBrowser } from '../support/browser.js';
import { startServer, type TestServer } from '../support/server.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let servers: readonly [TestServer, TestServer];
let browser: Browser;

beforeAll(async () => {
  const start = (name: string) => startServer({ TRUNKLINE_INSTANCE: name });
  servers = [await start('rt-1'), await start('rt-2')];
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await Promise.all(servers.map((server) => server.close()));
});

it('follows a stream that opened anew on another instance, without a change of state', async () => {
  const context = await browser.newContext({ viewport: { width: 680, height: 600 } });
  const page = await context.newPage();
  // No proxy lets a socket through here.
  await page.addInitScript(
    'globalThis.WebSocket = class { constructor() { throw new Error("no sockets"); } }',
  );
  const ports = servers.map(({ port }) => String(port)) as [string, string];
  let moved = false;
  // A balancer that deals the next stream to the other instance.
  await page.route('**/sse?*', (route) => {
    const url = route.request().url();
    return route.continue({ url: moved ? url.replace(`:${ports[0]}/`, `:${ports[1]}/`) : url });
  });
  await page.goto(`${servers[0].url}/#name=Ana&room=lobby`);
  await page.getByTestId('instance').filter({ hasText: 'rt-1' }).waitFor({ state: 'visible' });
  await page.evaluate(`globalThis.states = [];
    new MutationObserver(() => states.push(document.querySelector('[data-testid=state]').dataset.state))
      .observe(document.querySelector('[data-testid=state]'), { attributes: true, attributeFilter: ['data-state'] })`);
  moved = true;
  await page.evaluate(`location.hash = '#room=other'`);
  await page.getByTestId('instance').filter({ hasText: 'rt-2' }).waitFor({ state: 'visible' });
  expect(await page.evaluate('states')).toEqual([]);
  await context.close();
});
