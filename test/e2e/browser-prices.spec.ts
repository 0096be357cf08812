// The price board in a real Chromium: ticks of the backend reach table and chart, over each transport, without a login.

import { mkdirSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { until } from '../support/wait.js';

const PATHS = { sse: /\/sse\?/, polling: /\/poll\?/ } as const;
const SHOTS = 'test-results/screenshots';

let server: E2eServer;
let browser: Browser;
let board: { page: Page; errors: string[] };

beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  server = await startE2e();
  browser = await launchBrowser();
  board = await openPage(browser, `${server.url}/prices`, { width: 1100, height: 900 });
});

afterAll(async () => {
  await browser.close();
  await server.close();
});

async function publish(symbol: string, price: number): Promise<void> {
  const answer = await server.api('POST', `/channels/prices:${symbol}/messages`, {
    event: 'tick',
    key: symbol,
    data: { price },
  });
  expect(answer.status).toBe(201);
}

const row = (page: Page, symbol: string) => page.locator(`[data-symbol="${symbol}"]`);

async function waitForPrice(page: Page, symbol: string, price: string): Promise<void> {
  await row(page, symbol).getByTestId('price').filter({ hasText: price }).waitFor();
}

async function waitForTransport(page: Page, title: string): Promise<void> {
  await page
    .getByTestId('state')
    .filter({ hasText: new RegExp(`^Connected\\s*${title}`) })
    .waitFor({ timeout: 20_000 });
}

/** Pixels of the chart that have the colour of its line. */
function inkOnChart(page: Page): Promise<number> {
  return page.getByTestId('chart').evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    const accent = getComputedStyle(canvas).getPropertyValue('--accent').trim();
    const wanted = [1, 3, 5].map((at) => Number.parseInt(accent.slice(at, at + 2), 16));
    const { data } = (canvas.getContext('2d') as CanvasRenderingContext2D).getImageData(
      0,
      0,
      canvas.width,
      canvas.height,
    );
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3] === 255 && wanted.every((value, channel) => data[i + channel] === value)) count++;
    }
    return count;
  });
}

describe('the price board', { timeout: 60_000 }, () => {
  it('says how to publish a price while none comes', async () => {
    const { page } = board;
    await waitForTransport(page, 'WebSocket');
    await page.getByTestId('empty').waitFor();
    const command = await page.getByTestId('paste').locator('code').textContent();
    expect(command).toContain(`${server.url}/api/channels/prices:ACME/messages`);
    expect(await inkOnChart(page)).toBe(0);
  });

  it('shows a tick in its row and draws it', async () => {
    const { page } = board;
    await publish('ACME', 120);
    await waitForPrice(page, 'ACME', '120.00');
    await page.getByTestId('empty').waitFor({ state: 'hidden' });
    await page.waitForFunction(() =>
      document.querySelector('canvas')?.getAttribute('aria-label')?.startsWith('ACME, last two minutes'),
    );
    await expect.poll(() => inkOnChart(page)).toBeGreaterThan(0);
  });

  it('tells up from down by more than the colour', async () => {
    const { page } = board;
    const change = row(page, 'ACME').getByTestId('change');
    await publish('ACME', 121.5);
    await waitForPrice(page, 'ACME', '121.50');
    expect(await change.textContent()).toMatch(/▲.*up.*1\.50.*1\.25%/);
    await publish('ACME', 119);
    await waitForPrice(page, 'ACME', '119.00');
    expect(await change.textContent()).toMatch(/▼.*down.*1\.00.*0\.83%/);
    await page.screenshot({ path: `${SHOTS}/prices.png` });
  });

  it('shows the chart of the symbol that is chosen, by keyboard too', async () => {
    const { page } = board;
    const globex = row(page, 'GLOBEX').getByRole('button', { name: 'GLOBEX' });
    await globex.focus();
    await page.keyboard.press('Enter');
    expect(await globex.getAttribute('aria-pressed')).toBe('true');
    expect(await page.getByTestId('chart').getAttribute('aria-label')).toMatch(/^GLOBEX/);
    await expect.poll(() => inkOnChart(page)).toBe(0);
  });

  it('has the last value of each symbol on loading, and fits a phone', async () => {
    await publish('UMBRELLA', 75.25);
    const phone = await openPage(browser, `${server.url}/prices`, { width: 360, height: 740 });
    await waitForPrice(phone.page, 'ACME', '119.00');
    await waitForPrice(phone.page, 'UMBRELLA', '75.25');
    expect(await phone.page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await phone.page.screenshot({ path: `${SHOTS}/prices-phone.png` });
    expect(phone.errors).toEqual([]);
    await phone.page.context().close();
  });

  it.each([
    ['sse', 'SSE', 122.25],
    ['polling', 'Long polling', 123.75],
    ['websocket', 'WebSocket', 124.5],
  ] as const)('goes on over %s when it is chosen', async (name, title, price) => {
    const { page } = board;
    const opened = name === 'websocket' ? page.waitForEvent('websocket') : page.waitForRequest(PATHS[name]);
    await page.getByTestId(`transport-${name}`).check({ force: true });
    await opened;
    await waitForTransport(page, title);
    await publish('ACME', price);
    await waitForPrice(page, 'ACME', price.toFixed(2));
    await publish('ACME', price + 0.01);
    await waitForPrice(page, 'ACME', (price + 0.01).toFixed(2));
  });

  it('had nothing to complain of', () => {
    expect(board.errors).toEqual([]);
  });

  it('says that ticks were left out, and shows the newest', async () => {
    const { page } = board;
    await page.getByTestId('transport-polling').check({ force: true });
    await waitForTransport(page, 'Long polling');
    // The poll that waits now is answered; the one after it is held back, as a slow network would.
    await until(
      () => server.realtime.sessions().some(({ transport }) => transport === 'polling'),
      'a poll to wait',
    );
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route(PATHS.polling, async (route) => {
      await held;
      await route.continue();
    });
    await publish('ACME', 130);
    await waitForPrice(page, 'ACME', '130.00');
    for (let price = 131; price <= 150; price++) await publish('ACME', price);
    release();
    await waitForPrice(page, 'ACME', '150.00');
    await row(page, 'ACME').getByTestId('gap-tag').filter({ hasText: 'conflated · 19 skipped' }).waitFor();
    await page.getByTestId('skipped').filter({ hasText: '19 conflated' }).waitFor();
    await page.unroute(PATHS.polling);
  });

  it('goes on after a restart of the server, with the break to be seen', async () => {
    const { page } = board;
    const { port } = server;
    await server.close();
    await page.getByTestId('state').filter({ hasText: 'Reconnecting' }).waitFor({ timeout: 20_000 });
    server = await startE2e({ env: { PORT: String(port) } });
    await publish('ACME', 99);
    await waitForPrice(page, 'ACME', '99.00');
    await row(page, 'ACME').getByTestId('gap-tag').filter({ hasText: 'started afresh' }).waitFor();
    await page.screenshot({ path: `${SHOTS}/prices-after-restart.png` });
  });
});
