// The guide of the client for browsers works when pasted: the packed client in an empty folder, its files served, its claims seen in a
// real Chromium.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.js';
import { block, packClient, put, ReaderFolder, serveFolder, type Program } from '../support/guide.js';
import { lines, say, sees, talk, Visitors } from '../support/guide-pages.js';
import { oneOrigin } from '../support/one-origin.js';
import { startServer, type TestServer } from '../support/server.js';

const run = promisify(execFile);
const GUIDE = 'docs/guides/client-browser.md';
const EXAMPLE_SERVER = 'http://localhost:3000';
const MAKING_THE_CLIENT = 'const trunkline = new Trunkline(SERVER, { token: fetchToken });';
/** Packing and installing ask no network, but npm takes its time. */
const PREPARE_MS = 120_000;
const LIMIT_MS = 90_000;

let folder: ReaderFolder;
let packed: string;
let site: { url: string; program: Program };
let server: TestServer;
let main: string;
let browser: Browser;
let visitors: Visitors;

beforeAll(async () => {
  folder = ReaderFolder.make();
  packed = await packClient(folder.path);
  await folder.install(block(GUIDE, 'sh', 'mkdir live-page'), packed);
  expect(block(GUIDE, 'sh', 'http.server')).toBe('python3 -m http.server 8000\n');
  site = await serveFolder(folder.path);
  const origins = /ORIGINS=(\S+)/.exec(block(GUIDE, 'sh', 'ORIGINS='))?.[1] ?? '';
  server = await startServer({ TRUNKLINE_ALLOWED_ORIGINS: put(origins, 'http://localhost:8000', site.url) });
  main = put(block(GUIDE, 'js main.js'), EXAMPLE_SERVER, server.url);
  folder.write('index.html', block(GUIDE, 'html index.html'));
  folder.write('main.js', main);
  browser = await launchBrowser();
  visitors = new Visitors(browser);
}, PREPARE_MS);

afterEach(() => visitors.leave());

afterAll(async () => {
  await browser.close();
  await server.close();
  await site.program.kill('SIGTERM');
  folder.remove();
});

const visitAs = (user: string, path = '/'): Promise<Page> =>
  visitors.visit(`${site.url}${path}?user=${user}`);

/** A page of its own in the same folder, with another script. */
function variant(name: string, script: string): string {
  folder.write(`${name}.html`, put(block(GUIDE, 'html index.html'), './main.js', `./${name}.js`));
  folder.write(`${name}.js`, script);
  return `/${name}.html`;
}

describe(GUIDE, { timeout: LIMIT_MS }, () => {
  it('two windows talk, and a reload shows the last messages to one and nothing to the other', async () => {
    const [ana, ben] = await Promise.all([visitAs('ana'), visitAs('ben')]);
    for (const page of [ana, ben]) {
      await sees(page, '#state', 'connected by websocket');
      await sees(page, '#members', /^(ana, ben|ben, ana)$/);
    }
    await talk(ana, ben);
    await ben.evaluate(`{
      window.lists = [];
      const list = document.getElementById('members');
      new MutationObserver(() => window.lists.push(list.textContent)).observe(list, { childList: true });
    }`);
    await ana.reload();
    await sees(ana, '#messages li', 'ben: hello from ben');
    await sees(ana, '#members', /ben/);
    await say(ana, 'back again');
    await sees(ben, '#messages li', 'ana: back again');
    expect(await lines(ana, 'ana: hello from ana')).toBe(1);
    const lists = (await ben.evaluate('window.lists')) as string[];
    expect(lists.filter((names) => !names.includes('ana'))).toEqual([]);
  });

  it('after a stop and a start of the server both come back, with what was said meanwhile', async () => {
    const [ana, ben] = await Promise.all([visitAs('ana'), visitAs('ben')]);
    for (const page of [ana, ben]) await sees(page, '#state', 'connected by websocket');
    await say(ana, 'before the stop');
    await sees(ben, '#messages li', 'ana: before the stop');
    const { port } = server;
    await server.close();
    for (const page of [ana, ben]) await sees(page, '#state', /^waiting: /);
    await say(ana, 'said to nobody');
    server = await startServer({ PORT: String(port), TRUNKLINE_ALLOWED_ORIGINS: site.url });
    for (const page of [ana, ben]) {
      await sees(page, '#messages li', 'ana: said to nobody');
      expect(await lines(page, 'ana: said to nobody')).toBe(1);
      await sees(page, '#messages li', /messages are missing here \(epoch_changed\)/);
      await sees(page, '#state', /^connected by /);
    }
  });

  it.each(['sse', 'polling'])('the same page lives without WebSocket, by %s', async (transport) => {
    const line = put(block(GUIDE, 'js transports').trim(), "['sse', 'polling']", `['${transport}']`);
    const path = variant(transport, put(main, MAKING_THE_CLIENT, line));
    const [ana, ben] = await Promise.all([visitAs('ana', path), visitAs('ben', path)]);
    for (const page of [ana, ben]) await sees(page, '#state', `connected by ${transport}`);
    await sees(ana, '#members', /^(ana, ben|ben, ana)$/);
    await say(ana, `over ${transport}`);
    await sees(ben, '#messages li', `ana: over ${transport}`);
    await say(ben, `back over ${transport}`);
    await sees(ana, '#messages li', `ben: back over ${transport}`);
    expect(await lines(ana, `ana: over ${transport}`)).toBe(1);
  });

  it('a call with a signal and a loop over messages do what they show', async () => {
    const script = [
      main,
      block(GUIDE, 'js abort'),
      "setTimeout(() => room.publish('message', { text: 'bye' }));",
      block(GUIDE, 'js loop'),
      "show('the loop has ended');",
    ].join('\n');
    const ana = await visitAs('ana', variant('loop', script));
    await sees(ana, '#messages li', 'ana: now or never');
    await sees(ana, '#messages li', 'the loop has ended');
  });

  it('on the same origin no list is needed', async () => {
    const own = await startServer();
    const proxy = await oneOrigin(folder.path, own.port);
    try {
      const line = block(GUIDE, 'js same-origin').trim();
      const path = variant('same', put(put(main, MAKING_THE_CLIENT, line), server.url, proxy.url));
      const ana = await visitors.visit(`${proxy.url}${path}?user=ana`);
      await sees(ana, '#state', 'connected by websocket');
      await say(ana, 'same origin');
      await sees(ana, '#messages li', 'ana: same origin');
    } finally {
      await visitors.leave();
      await proxy.close();
      await own.close();
    }
  });

  it('two tabs of one person share a connection, and the other goes on when one closes', async () => {
    const made = block(GUIDE, 'js shared').trim();
    const [first = '', second = ''] = made.split('\n\n');
    const path = variant('shared', `${first}\n${put(main, MAKING_THE_CLIENT, second)}`);
    const entry = block(GUIDE, 'json shared').trim().slice(1, -1).trim();
    const page = block(GUIDE, 'html index.html').replace('{ "imports": { ', (map) => `${map}${entry}, `);
    folder.write('shared.html', put(page, './main.js', './shared.js'));
    const one = await visitAs('cleo', path);
    const two = await visitors.another(one);
    for (const tab of [one, two]) await sees(tab, '#state', 'connected by shared');
    expect(server.realtime.sessions('cleo')).toHaveLength(1);
    await say(one, 'from the first tab');
    await sees(two, '#messages li', 'cleo: from the first tab');
    await one.close();
    await say(two, 'from the second tab');
    await sees(two, '#messages li', 'cleo: from the second tab');
    expect(await lines(two, 'cleo: from the second tab')).toBe(1);
  });

  it('a bundler finds the client without the import map', async () => {
    folder.write('dist/empty', '');
    const built = await serveFolder(join(folder.path, 'dist'));
    const own = await startServer({ TRUNKLINE_ALLOWED_ORIGINS: built.url });
    const page = block(GUIDE, 'html index.html');
    try {
      await folder.install(block(GUIDE, 'sh', 'npx vite build'), packed);
      folder.write('index.html', page.replace(/ *<script type="importmap">.*?<\/script>\n/s, ''));
      folder.write('main.js', put(main, server.url, own.url));
      await run('npx', ['vite', 'build'], { cwd: folder.path });
      const ana = await visitors.visit(`${built.url}/?user=ana`);
      await sees(ana, '#state', 'connected by websocket');
      await say(ana, 'out of a bundle');
      await sees(ana, '#messages li', 'ana: out of a bundle');
    } finally {
      folder.write('index.html', page);
      folder.write('main.js', main);
      await own.close();
      await built.program.kill('SIGTERM');
    }
  });
});
