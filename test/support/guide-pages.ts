// Pages of the guides in a real browser: opened as a reader would, looked at by what they show. Knows no server.

import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';
import { openPage } from './browser.js';

/** Longest wait for one thing on a page, in ms. */
const STEP_MS = 15_000;

export class Visitors {
  private readonly open: Page[] = [];

  constructor(private readonly browser: Browser) {}

  /** Somebody of their own: no storage is shared. */
  async visit(url: string): Promise<Page> {
    const { page } = await openPage(this.browser, url);
    page.setDefaultTimeout(STEP_MS);
    this.open.push(page);
    return page;
  }

  /** A second tab of the same person, at the same address. */
  async another(first: Page): Promise<Page> {
    const page = await first.context().newPage();
    page.setDefaultTimeout(STEP_MS);
    await page.goto(first.url());
    return page;
  }

  async leave(): Promise<void> {
    for (const page of this.open.splice(0)) await page.context().close();
  }
}

/** Waits until an element of that selector has this text, and no other. */
export async function sees(page: Page, selector: string, text: string | RegExp): Promise<void> {
  const exact = typeof text === 'string' ? new RegExp(`^\\s*${escape(text)}\\s*$`) : text;
  await page.locator(selector).filter({ hasText: exact }).first().waitFor();
}

export async function say(page: Page, text: string): Promise<void> {
  await page.fill('#say input', text);
  await page.click('#say button');
}

/** How many lines show this text. */
export function lines(page: Page, text: string): Promise<number> {
  return page
    .locator('#messages li')
    .filter({ hasText: new RegExp(`^\\s*${escape(text)}\\s*$`) })
    .count();
}

/** Both see what both say, once. */
export async function talk(ana: Page, ben: Page): Promise<void> {
  await say(ana, 'hello from ana');
  await sees(ben, '#messages li', 'ana: hello from ana');
  await say(ben, 'hello from ben');
  for (const page of [ana, ben]) {
    await sees(page, '#messages li', 'ben: hello from ben');
    expect(await lines(page, 'ana: hello from ana')).toBe(1);
    expect(await lines(page, 'ben: hello from ben')).toBe(1);
  }
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
