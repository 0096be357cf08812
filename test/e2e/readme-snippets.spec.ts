// The snippets of the README work when pasted: each is cut out of the file and run against a real server, with its port put in.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.js';
import { startServer, type TestServer } from '../support/server.js';
import { pythonPath } from '../support/system.js';

const run = promisify(execFile);
const README = readFileSync('README.md', 'utf8');
const LIMIT_MS = 30_000;

let server: TestServer;

beforeAll(async () => {
  // As `npm start` runs it: with development tokens, and with made-up prices.
  server = await startServer({ NODE_ENV: 'development' });
});
afterAll(() => server.close());

/** The one block in `language` that contains `mark`. */
function snippet(language: string, mark: string): string {
  const blocks = [...README.matchAll(/```(\w+)\n([\s\S]*?)```/g)].filter(
    ([, name, text]) => name === language && text?.includes(mark),
  );
  expect(blocks, `one ${language} block with ${mark}`).toHaveLength(1);
  return (blocks[0]?.[2] ?? '').replaceAll('localhost:3000', `127.0.0.1:${server.port}`);
}

describe('README snippets', { timeout: 2 * LIMIT_MS }, () => {
  it('curl publishes and reads the history', async () => {
    const { stdout } = await run('bash', ['-ec', snippet('sh', 'hello from curl')], { timeout: LIMIT_MS });
    expect(stdout).toContain('"duplicate":false');
    expect(stdout).toContain('"messages":[{"channel":"chat:lobby","offset":1');
    expect(stdout).toContain('hello from curl');
  });

  it('curl reads an event stream and polls', async () => {
    const { stdout } = await run('bash', ['-ec', snippet('sh', '/sse?')], { timeout: LIMIT_MS });
    expect(stdout).toMatch(/^retry: \d+\n\nid: 1~chat%3Alobby!\S+\nevent: ready\ndata: \{"session":/);
    expect(stdout).toMatch(/"members":\[.*"user":"reader"/);
    expect(stdout).toContain('{"messages":[],"cursor":"1~chat%3Alobby!');
  });

  it('wscat subscribes', async () => {
    const { stdout } = await run('bash', ['-ec', snippet('sh', 'wscat -c')], { timeout: LIMIT_MS });
    expect(stdout).toContain('"event":"welcome"');
    expect(stdout).toMatch(/"members":\[.*"user":"wscat"/);
  });

  it('Python joins and publishes', async () => {
    const { stdout } = await run(pythonPath(), ['-c', snippet('python', 'import asyncio')], {
      timeout: LIMIT_MS,
    });
    expect(stdout).toContain('"event":"welcome"');
    expect(stdout).toContain('"event":"ok"');
    expect(stdout).toContain('hello from Python');
  });

  it('a browser console subscribes, and reads an event stream', async () => {
    const browser = await launchBrowser();
    try {
      const { page } = await openPage(browser, server.url);
      const seen: string[] = [];
      const subscribed = new Promise<void>((resolve) => {
        page.on('console', (message) => {
          seen.push(message.text());
          if (message.text().includes('"recoverable":true')) resolve();
        });
      });
      await page.evaluate(`(async () => { ${snippet('js', 'new WebSocket(')} })()`);
      await subscribed;
      expect(seen[0]).toContain('"user":"console"');
      const tick = page.waitForEvent('console', (message) => message.text().includes('"event":"tick"'));
      await page.evaluate(snippet('js', 'new EventSource('));
      expect((await tick).text()).toMatch(/"price":[\d.]+.* 1~prices%3AACME!/);
    } finally {
      await browser.close();
    }
  });
});
