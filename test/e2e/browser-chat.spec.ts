// The chat page in a real Chromium: two people see each other join, talk, type and leave, and survive a restart of the server.

import { mkdirSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.js';
import { startServer, type TestServer } from '../support/server.js';

const SHOTS = 'test-results/screenshots';

let server: TestServer;
let browser: Browser;
let ana: { page: Page; errors: string[] };
let ben: { page: Page; errors: string[] };

beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  server = await startServer({ TRUNKLINE_INSTANCE: 'rt-1' });
  browser = await launchBrowser();
  ana = await openPage(browser, server.url);
  ben = await openPage(browser, server.url);
});

afterAll(async () => {
  await browser.close();
  await server.close();
});

async function join(page: Page, name: string): Promise<void> {
  await page.getByTestId('name-input').fill(name);
  await page.getByTestId('room-input').fill('lobby');
  await page.getByTestId('join-button').click();
  await page.getByTestId('composer').waitFor();
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByTestId('composer').fill(text);
  await page.getByTestId('send').click();
}

const seen = (page: Page, text: string) => page.getByTestId('message-text').filter({ hasText: text });

describe('two pages side by side', { timeout: 60_000 }, () => {
  it('show each other as members, the joiner as a line in the room', async () => {
    await join(ana.page, 'Ana');
    await join(ben.page, 'Ben');
    await ana.page.getByTestId('member').filter({ hasText: 'Ben' }).waitFor();
    await ben.page.getByTestId('member').filter({ hasText: 'Ana' }).waitFor();
    await ana.page.getByTestId('system').filter({ hasText: 'Ben' }).first().waitFor();
  });

  it('say which instance they talk to', async () => {
    await ana.page.getByTestId('instance').filter({ hasText: 'rt-1' }).waitFor();
    await ana.page.screenshot({ path: `${SHOTS}/chat-instance.png` });
  });

  it('show what the other writes, as text and never as markup', async () => {
    await say(ana.page, 'hello <b>Ben</b> <img src=x onerror=alert(1)>');
    await seen(ben.page, 'hello <b>Ben</b>').waitFor();
    expect(
      await ben.page.locator('[data-testid=message-text] b, [data-testid=message-text] img').count(),
    ).toBe(0);
    await say(ben.page, 'hello Ana');
    await seen(ana.page, 'hello Ana').waitFor();
    expect(await seen(ana.page, 'hello Ana').count()).toBe(1);
  });

  it('show that the other is typing', async () => {
    await ben.page.getByTestId('composer').pressSequentially('I am wri');
    await ana.page.getByTestId('typing').filter({ hasText: 'Ben' }).waitFor();
    await ana.page.screenshot({ path: `${SHOTS}/chat-typing.png` });
    await ben.page.getByTestId('composer').fill('');
  });

  it('survive a restart of the server and go on', async () => {
    const { port } = server;
    await server.close();
    await ana.page
      .getByTestId('state')
      .filter({ hasNotText: /^\s*connected/i })
      .waitFor();
    server = await startServer({ PORT: String(port) });
    await ana.page
      .getByTestId('state')
      .filter({ hasText: /connected/i })
      .waitFor({ timeout: 30_000 });
    await ben.page
      .getByTestId('state')
      .filter({ hasText: /connected/i })
      .waitFor({ timeout: 30_000 });
    await say(ana.page, 'still here?');
    await seen(ben.page, 'still here?').waitFor();
    await say(ben.page, 'always');
    await seen(ana.page, 'always').waitFor();
    await ben.page.screenshot({ path: `${SHOTS}/chat-after-restart.png` });
  });

  it('show history to a newcomer', async () => {
    const cleo = await openPage(browser, server.url, { width: 390, height: 780 });
    await join(cleo.page, 'Cleo');
    await seen(cleo.page, 'still here?').waitFor();
    await cleo.page.screenshot({ path: `${SHOTS}/chat-phone.png` });
    expect(cleo.errors).toEqual([]);
    await cleo.page.context().close();
  });

  it('show that the other has left', async () => {
    await ben.page.context().close();
    await ana.page
      .getByTestId('system')
      .filter({ hasText: /Ben.*left/ })
      .first()
      .waitFor();
    await ana.page.getByTestId('member').filter({ hasText: 'Ben' }).waitFor({ state: 'detached' });
  });

  it('had nothing to complain of but the restart', () => {
    const unexpected = ana.errors.filter(
      (text) => !/WebSocket connection|ERR_CONNECTION_REFUSED|net::ERR/.test(text),
    );
    expect(unexpected).toEqual([]);
  });
});
