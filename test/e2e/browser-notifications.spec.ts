// The notification bell in a real Chromium: what the backend publishes rings, stays over a reload, and leads to no unsafe place.

import { mkdirSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';

const SHOTS = 'test-results/screenshots';

let browser: Browser;

beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  browser = await launchBrowser();
});

afterAll(() => browser.close());

async function notify(server: E2eServer, user: string, data: object): Promise<void> {
  const answer = await server.api('POST', `/channels/notifications:${user}/messages`, {
    event: 'notification',
    data,
  });
  expect(answer.status).toBe(201);
}

/** Waits for the connection, and returns the user of the page. */
async function userOf(page: Page): Promise<string> {
  await page
    .getByTestId('state')
    .filter({ hasText: /^Connected/ })
    .waitFor();
  return (await page.getByTestId('user-id').textContent()) ?? '';
}

/** On the page itself; the panel of the bell has a second copy. */
const notes = (page: Page) => page.locator('main').getByTestId('note');
const badge = (page: Page, text: string) => page.getByTestId('badge').filter({ hasText: text });

describe('the bell', { timeout: 60_000 }, () => {
  let server: E2eServer;
  let ana: { page: Page; errors: string[] };
  let user: string;

  beforeAll(async () => {
    server = await startE2e();
    ana = await openPage(browser, `${server.url}/notifications`);
    user = await userOf(ana.page);
  });

  afterAll(() => server.close());

  it('shows what the backend publishes, and says so', async () => {
    const { page } = ana;
    await page.locator('main').getByTestId('notes-empty').waitFor();
    await notify(server, user, { title: 'Build is <b>green</b>', body: 'All tests passed.', url: '/prices' });
    await notes(page).filter({ hasText: 'Build is <b>green</b>' }).waitFor();
    await badge(page, '1').waitFor();
    await page
      .getByTestId('bell-announcement')
      .filter({ hasText: 'New notification: Build is <b>green</b>' })
      .waitFor({ state: 'attached' });
    expect(await notes(page).locator('b').count()).toBe(0);
    expect(await page.title()).toBe('(1) Notifications · Trunkline');
    await page.screenshot({ path: `${SHOTS}/notifications.png` });
  });

  it('listens by server-sent events', async () => {
    const { page } = ana;
    const stream = page.waitForRequest((request) => new URL(request.url()).pathname === '/sse');
    await page.reload();
    expect(new URL((await stream).url()).searchParams.getAll('channel')).toEqual([`notifications:${user}`]);
    await page
      .getByTestId('state')
      .filter({ hasText: /^Connected\s*SSE/ })
      .waitFor();
  });

  it('opens and closes by keyboard, and gives the focus back', async () => {
    const { page } = ana;
    const bell = page.getByTestId('bell');
    expect(await bell.getAttribute('aria-label')).toBe('Notifications, 1 unread');
    await bell.focus();
    await page.keyboard.press('Enter');
    const panel = page.getByRole('region', { name: 'Latest notifications' });
    await panel.getByTestId('note').waitFor();
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'hidden' });
    expect(await bell.evaluate((element) => element === document.activeElement)).toBe(true);
  });

  it('keeps notes and read marks over a reload', async () => {
    const { page } = ana;
    await notify(server, user, { title: 'Second' });
    await badge(page, '2').waitFor();
    await notes(page).filter({ hasText: 'green' }).getByTestId('mark-read').click();
    await badge(page, '1').waitFor();
    await page.reload();
    await badge(page, '1').waitFor();
    await expect.poll(() => notes(page).count()).toBe(2);
    expect(await notes(page).first().getAttribute('data-read')).toBe('false');
    expect(await notes(page).last().getAttribute('data-read')).toBe('true');
    await page.locator('main').getByTestId('mark-all').click();
    await page.getByTestId('badge').waitFor({ state: 'hidden' });
  });

  it('tells on return what came while the page was away', async () => {
    const { page } = ana;
    await page.goto('about:blank');
    await notify(server, user, { title: 'While you were away' });
    await notify(server, user, { title: 'And another' });
    await page.goto(`${server.url}/notifications`);
    await badge(page, '2').waitFor();
    await page
      .getByTestId('bell-announcement')
      .filter({ hasText: '2 new notifications' })
      .waitFor({ state: 'attached' });
    await expect.poll(() => notes(page).count()).toBe(4);
    expect(await notes(page).first().textContent()).toContain('And another');
  });

  it('rings on the other pages for the same person', async () => {
    const { page } = ana;
    await page.getByTestId('nav-prices').click();
    await badge(page, '2').waitFor();
    await page.getByTestId('nav-chat').click();
    await page.getByTestId('join-button').click();
    await page.getByTestId('composer').waitFor();
    await badge(page, '2').waitFor();
    // The bell's way is its own: the chat keeps to the best one.
    await page
      .getByTestId('state')
      .filter({ hasText: /^Connected\s*WebSocket/ })
      .waitFor();
    await notify(server, user, { title: 'Heard in the chat' });
    await badge(page, '3').waitFor();
    await page.getByTestId('bell').click();
    await page.getByTestId('note').filter({ hasText: 'Heard in the chat' }).waitFor();
  });

  it('keeps one person’s notes from another', async () => {
    const ben = await openPage(browser, `${server.url}/notifications#name=Ben`, { width: 360, height: 740 });
    const other = await userOf(ben.page);
    expect(other).not.toBe(user);
    await notify(server, other, { title: 'For Ben' });
    await notes(ben.page).filter({ hasText: 'For Ben' }).waitFor();
    expect(await notes(ben.page).count()).toBe(1);
    expect(await ben.page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await ben.page.screenshot({ path: `${SHOTS}/notifications-phone.png` });
    expect(ben.errors).toEqual([]);
    await ben.page.context().close();
  });

  it('takes a token where the server hands out none', async () => {
    const page = await (await browser.newContext()).newPage();
    await page.route('**/api/dev/tokens', (route) => route.fulfill({ status: 404, body: '' }));
    await page.goto(`${server.url}/notifications`);
    await page.getByTestId('token-input').fill('no token at all');
    await page.getByTestId('token-button').click();
    await page.getByTestId('problem').filter({ hasText: 'JSON Web Token' }).waitFor();
    await page.getByTestId('token-input').fill(server.token('zoe', { name: 'Zoe' }));
    await page.getByTestId('token-button').click();
    expect(await userOf(page)).toBe('zoe');
    await notify(server, 'zoe', { title: 'For Zoe' });
    await notes(page).filter({ hasText: 'For Zoe' }).waitFor();
    await page.context().close();
  });

  it('had nothing to complain of', () => {
    expect(ana.errors).toEqual([]);
  });
});

describe('links of notifications', { timeout: 60_000 }, () => {
  // Rules instead of the domain, which would refuse such addresses: the page must be safe by itself.
  const RULES = [
    {
      channel: 'notifications:{user}',
      subscribe: 'authenticated',
      publish: 'backend',
      history: { size: 100, ttl: '1h' },
    },
  ];
  let server: E2eServer;
  let page: Page;
  let user: string;

  beforeAll(async () => {
    server = await startE2e({ rules: RULES, env: { TRUNKLINE_DOMAINS: 'none' } });
    ({ page } = await openPage(browser, `${server.url}/notifications`));
    user = await userOf(page);
  });

  afterAll(() => server.close());

  it.each([
    'javascript:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,hello',
    '//evil.example/path',
    '/\\evil.example/path',
    '/\t/evil.example/path',
    'ftp://files.example/',
    'prices',
    42,
  ])('lead nowhere for %j', async (url) => {
    const title = `Unsafe ${JSON.stringify(url)}`;
    await notify(server, user, { title, url });
    const note = notes(page).filter({ hasText: title });
    await note.waitFor();
    expect(await note.locator('a').count()).toBe(0);
  });

  it.each([
    ['https://shop.example/orders/17', 'https://shop.example/orders/17', 'shop.example'],
    ['HTTP://shop.example', 'http://shop.example/', 'shop.example'],
    ['https://shop.example@evil.example/', 'https://shop.example@evil.example/', 'evil.example'],
  ])('lead to another site in a window of its own, with the host to be seen: %s', async (url, href, host) => {
    const title = `Away ${url}`;
    await notify(server, user, { title, url });
    const link = notes(page).filter({ hasText: title }).getByTestId('note-link');
    await link.waitFor();
    expect(await link.getAttribute('href')).toBe(href);
    expect(await link.getAttribute('target')).toBe('_blank');
    expect(await link.getAttribute('rel')).toBe('noopener noreferrer');
    expect(await notes(page).filter({ hasText: title }).locator('.note-host').textContent()).toBe(host);
  });

  it('lead to a page of this site in the same window', async () => {
    await notify(server, user, { title: 'Look at the prices', url: '/prices?from=bell' });
    await page.locator('main').getByTestId('note-link').filter({ hasText: 'Look at the prices' }).click();
    await page.waitForURL(`${server.url}/prices?from=bell`);
    await page.getByTestId('board').waitFor();
  });
});
