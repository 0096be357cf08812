// A real Chromium for tests of pages: one browser a test file, pages that report their errors.

import { chromium, type Browser, type Page } from 'playwright-core';
import { chromiumPath } from './system.js';

/** Without these Chromium looks for its makers' servers at every start, which a closed network answers slowly. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: QUIET, headless: true });
}

/** A page of its own person: storage and cookies are not shared. `errors` collects what the page complained of. */
export async function openPage(
  browser: Browser,
  url: string,
  size = { width: 900, height: 700 },
): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext({ viewport: size });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors };
}
