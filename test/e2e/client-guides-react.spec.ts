// The guide of the client for React works when pasted: built by Vite in a folder of its own, served, and seen in a real Chromium.

import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.js';
import { block, packClient, Program, put, ReaderFolder } from '../support/guide.js';
import { lines, say, sees, talk, Visitors } from '../support/guide-pages.js';
import { startServer, type TestServer } from '../support/server.js';

const run = promisify(execFile);
const GUIDE = 'docs/guides/client-react.md';
const PREPARE_MS = 120_000;
const LIMIT_MS = 60_000;

let folder: ReaderFolder;
let preview: Program;
let site: string;
let server: TestServer;
let browser: Browser;
let visitors: Visitors;

/** The preview wants to know its port, and the server its origin, before either runs. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

beforeAll(async () => {
  folder = ReaderFolder.make();
  await folder.install(block(GUIDE, 'sh', 'mkdir live-react'), await packClient(folder.path));
  const port = await freePort();
  site = `http://127.0.0.1:${port}`;
  const origins = /ORIGINS=(\S+)/.exec(block(GUIDE, 'sh', 'ORIGINS='))?.[1] ?? '';
  server = await startServer({ TRUNKLINE_ALLOWED_ORIGINS: put(origins, 'http://localhost:4173', site) });
  folder.write('index.html', block(GUIDE, 'html index.html'));
  folder.write('main.jsx', put(block(GUIDE, 'jsx main.jsx'), 'http://localhost:3000', server.url));
  expect(block(GUIDE, 'sh', 'npx vite preview')).toBe('npx vite build\nnpx vite preview\n');
  await run('npx', ['vite', 'build'], { cwd: folder.path });
  const at = ['--host', '127.0.0.1', '--port', String(port), '--strictPort'];
  preview = new Program([process.execPath, 'node_modules/.bin/vite', 'preview', ...at], folder.path);
  await preview.prints(/Local:/);
  browser = await launchBrowser();
  visitors = new Visitors(browser);
}, PREPARE_MS);

afterEach(() => visitors.leave());

afterAll(async () => {
  await browser.close();
  await preview.kill('SIGTERM');
  await server.close();
  folder.remove();
});

const visitAs = (user: string): Promise<Page> => visitors.visit(`${site}/?user=${user}`);

describe(GUIDE, { timeout: LIMIT_MS }, () => {
  it('two windows talk and see one another', async () => {
    const [ana, ben] = await Promise.all([visitAs('ana'), visitAs('ben')]);
    for (const page of [ana, ben]) {
      await sees(page, '#state', 'connected by websocket');
      await sees(page, '#members', /^Here: (ana, ben|ben, ana)$/);
    }
    await talk(ana, ben);
    expect(server.stats().sessions).toBe(2);
  });

  it('leaving takes one out of the list, entering brings one back', async () => {
    const [ana, ben] = await Promise.all([visitAs('ana'), visitAs('ben')]);
    await sees(ben, '#members', /ana/);
    await ana.click('#door');
    await sees(ben, '#members', 'Here: ben');
    await ana.click('#door');
    await sees(ben, '#members', /ana/);
    await say(ben, 'there you are');
    await sees(ana, '#messages li', 'ben: there you are');
    expect(await lines(ana, 'ben: there you are')).toBe(1);
  });

  it('after a stop and a start of the server the page is back, with what was said meanwhile', async () => {
    const ana = await visitAs('ana');
    await sees(ana, '#state', 'connected by websocket');
    await say(ana, 'before the stop');
    await sees(ana, '#messages li', 'ana: before the stop');
    const { port } = server;
    await server.close();
    await sees(ana, '#state', /^waiting: /);
    await say(ana, 'meanwhile');
    server = await startServer({ PORT: String(port), TRUNKLINE_ALLOWED_ORIGINS: site });
    await sees(ana, '#messages li', 'ana: meanwhile');
    await sees(ana, '#missing', 'Some messages are missing.');
    await sees(ana, '#state', /^connected by /);
  });
});
