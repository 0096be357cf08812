// The React hooks in a real Chromium, in StrictMode, against the real server: two pages chat, components share a subscription, states show.

import { createElement as h, type ReactElement } from 'react';
import { renderToString } from 'react-dom/server';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { Trunkline, type Member } from '../../client/src/index.js';
import {
  TrunklineProvider,
  useChannel,
  useConnection,
  usePresence,
  type ChannelHook,
} from '../../client/src/react/index.js';
import { servePage, type PageServer } from '../fixtures/react-page/page-server.js';
import { launchBrowser } from '../support/browser.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { until } from '../support/wait.js';

const RULES = [
  {
    channel: 'room:{name}',
    subscribe: 'authenticated',
    publish: 'authenticated',
    presence: true,
    history: { size: 100, ttl: '1h' },
  },
  { channel: 'secret:{name}', subscribe: 'nobody', publish: 'nobody' },
];

/** Longest wait for one thing on a page, in ms; longer than a member who left is kept for. */
const STEP_LIMIT_MS = 10_000;

let pages: PageServer;
let browser: Browser;
let server: E2eServer;
let open: BrowserContext[];

interface Person {
  readonly page: Page;
  /** Frames of the client, as `event channel`. */
  readonly sent: string[];
  readonly errors: string[];
}

beforeAll(async () => {
  pages = await servePage('test/fixtures/react-page');
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser.close();
  await pages.close();
});

beforeEach(async () => {
  open = [];
  server = await start();
});

afterEach(async () => {
  await Promise.all(open.map((context) => context.close()));
  await server.close();
});

function start(env: Record<string, string> = {}): Promise<E2eServer> {
  return startE2e({ rules: RULES, env: { TRUNKLINE_ALLOWED_ORIGINS: pages.origin, ...env } });
}

/** The page of one person. */
async function visit(user: string): Promise<Person> {
  const context = await browser.newContext();
  open.push(context);
  context.setDefaultTimeout(STEP_LIMIT_MS);
  const page = await context.newPage();
  const sent: string[] = [];
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('websocket', (socket) =>
    socket.on('framesent', ({ payload }) => {
      const { event, data } = JSON.parse(String(payload)) as { event: string; data: { channel?: string } };
      sent.push(`${event} ${data.channel ?? ''}`.trim());
    }),
  );
  await page.goto(`${pages.origin}/?server=${server.url}&token=${server.token(user)}`);
  await pane(page, 'a').getByTestId('status').filter({ hasText: 'subscribed' }).waitFor();
  return { page, sent, errors };
}

const pane = (page: Page, id: string) => page.getByTestId(`pane-${id}`);
const shown = (page: Page, id: string, testId = 'messages') =>
  pane(page, id).getByTestId(testId).locator('li').allTextContents();
const members = (page: Page) => page.getByTestId('members').locator('li').allTextContents();

async function say(page: Page, text: string): Promise<void> {
  await pane(page, 'a').getByTestId('text').fill(text);
  await pane(page, 'a').getByTestId('send').click();
}

function told(page: Page, id: string, text: string): Promise<void> {
  return pane(page, id).getByTestId('messages').locator('li').filter({ hasText: text }).waitFor();
}

/** A publish by the backend, so a page that is heard of last has heard all before. */
async function tell(text: string, channel = 'room:one'): Promise<void> {
  const path = `/channels/${channel}/messages`;
  const response = await server.api('POST', path, { event: 'message', data: { text } });
  expect(response.status).toBe(201);
}

const seen = (page: Page) => page.evaluate(() => window.seen);
const subscribing = (person: Person) => person.sent.filter((frame) => /^(un)?subscribe /.test(frame));

describe('two pages', { timeout: 60_000 }, () => {
  it('talk, and see each other come and go', async () => {
    const [ana, ben] = [await visit('ana'), await visit('ben')];
    await say(ana.page, 'hello Ben');
    await told(ben.page, 'a', 'hello Ben');
    await say(ben.page, 'hello Ana');
    await told(ana.page, 'a', 'hello Ana');
    expect(await shown(ana.page, 'a')).toEqual(['hello Ben', 'hello Ana']);
    await until(async () => (await members(ana.page)).join() === 'ana,ben', 'both as members');
    await ben.page.getByTestId('toggle-a').click();
    await ben.page.getByTestId('toggle-members').click();
    await until(async () => (await members(ana.page)).join() === 'ana', 'Ben to leave', 15_000);
    expect(ben.sent.at(-1)).toBe('unsubscribe room:one');
    expect([ana.errors, ben.errors]).toEqual([[], []]);
  });
});

describe('components on one channel', { timeout: 60_000 }, () => {
  it('subscribe once in StrictMode, with presence, and hear each message once', async () => {
    const ana = await visit('ana');
    await tell('one');
    await told(ana.page, 'a', 'one');
    expect(subscribing(ana)).toEqual(['subscribe room:one']);
    expect((await seen(ana.page)).heard).toEqual(['a:one']);
    expect(await members(ana.page)).toEqual(['ana']);
  });

  it('share the subscription: the last one to leave unsubscribes', async () => {
    const ana = await visit('ana');
    await tell('one');
    await told(ana.page, 'a', 'one');
    await ana.page.getByTestId('toggle-b').click();
    await told(ana.page, 'b', 'one');
    await ana.page.getByTestId('toggle-a').click();
    await ana.page.getByTestId('toggle-members').click();
    await tell('two');
    await told(ana.page, 'b', 'two');
    expect(subscribing(ana)).toEqual(['subscribe room:one']);
    await ana.page.getByTestId('toggle-b').click();
    await until(() => subscribing(ana).length === 2, 'the unsubscribe');
    expect(subscribing(ana)).toEqual(['subscribe room:one', 'unsubscribe room:one']);
    await ana.page.getByTestId('toggle-a').click();
    await pane(ana.page, 'a')
      .getByTestId('status')
      .filter({ hasText: /^subscribed/ })
      .waitFor();
    expect(await shown(ana.page, 'a')).toEqual([]);
  });

  it('move to another channel, and none of the former is shown', async () => {
    const ana = await visit('ana');
    await tell('one');
    await told(ana.page, 'a', 'one');
    await ana.page.getByTestId('go-room:two').click();
    await until(() => subscribing(ana).includes('subscribe room:two'), 'the other room');
    await pane(ana.page, 'a')
      .getByTestId('status')
      .filter({ hasText: /^subscribed/ })
      .waitFor();
    await tell('former');
    await tell('new', 'room:two');
    await told(ana.page, 'a', 'new');
    expect(await shown(ana.page, 'a')).toEqual(['new']);
    expect(subscribing(ana).toSorted()).toEqual([
      'subscribe room:one',
      'subscribe room:two',
      'unsubscribe room:one',
    ]);
  });

  it('keep the last messages up to their limit, while `onMessage` hears all', async () => {
    const ana = await visit('ana');
    const texts = Array.from({ length: 20 }, (_, at) => `m${at}`);
    for (const text of texts) await tell(text);
    await told(ana.page, 'a', 'm19');
    expect(await shown(ana.page, 'a')).toEqual(['m17', 'm18', 'm19']);
    expect((await seen(ana.page)).heard).toEqual(texts.map((text) => `a:${text}`));
  });

  it('are given the same list of members until something changes', async () => {
    const ana = await visit('ana');
    await until(async () => (await members(ana.page)).length === 1, 'Ana herself');
    const before = (await seen(ana.page)).memberLists;
    for (const turn of [1, 2, 3]) {
      await ana.page.getByTestId('again').click();
      await ana.page
        .getByTestId('again')
        .filter({ hasText: `again ${turn}` })
        .waitFor();
    }
    expect((await seen(ana.page)).memberLists).toBe(before);
  });

  it('are told why they were refused', async () => {
    const ana = await visit('ana');
    await ana.page.getByTestId('go-secret:one').click();
    await pane(ana.page, 'a').getByTestId('status').filter({ hasText: 'refused forbidden' }).waitFor();
  });
});

describe('the state of the connection', { timeout: 60_000 }, () => {
  it('is shown through a restart of the server, and messages flow again', async () => {
    const ana = await visit('ana');
    await ana.page.getByTestId('connection').filter({ hasText: 'connected ana open' }).waitFor();
    const { port } = server;
    await server.close();
    await ana.page
      .getByTestId('connection')
      .filter({ hasText: /waiting|connecting/ })
      .waitFor();
    await pane(ana.page, 'a').getByTestId('status').filter({ hasText: 'subscribing' }).waitFor();
    server = await start({ PORT: String(port) });
    await ana.page.getByTestId('connection').filter({ hasText: 'connected ana open' }).waitFor();
    await pane(ana.page, 'a')
      .getByTestId('status')
      .filter({ hasText: /^subscribed/ })
      .waitFor();
    await tell('back');
    await told(ana.page, 'a', 'back');
    const { states } = await seen(ana.page);
    expect(states.slice(0, 2)).toEqual(['connecting', 'connected']);
    expect(states).toContain('waiting');
    expect(states.at(-1)).toBe('connected');
  });
});

describe('rendered on a server', () => {
  it('the hooks give their first values and open nothing', () => {
    const client = new Trunkline('http://localhost:1');
    function View(): ReactElement {
      const { messages, status } = useChannel('room:one');
      const { state } = useConnection();
      return h('p', null, `${state} ${status} ${messages.length} ${usePresence('room:one').length}`);
    }
    const html = renderToString(h(TrunklineProvider, { client }, h(View)));
    expect(html).toBe('<p>idle subscribing 0 0</p>');
    expect(client.state).toBe('idle');
  });

  it('a hook without a provider says so', () => {
    const Lost = (): ReactElement => h('p', null, useConnection().state);
    expect(() => renderToString(h(Lost))).toThrow('There is no TrunklineProvider above this component.');
  });
});

it('types messages and publishes by the events of the channel', () => {
  interface Events {
    tick: { price: number };
  }
  type Hook = ChannelHook<Events>;
  expectTypeOf<Hook['messages'][number]['data']>().toEqualTypeOf<{ price: number }>();
  expectTypeOf<Parameters<Hook['publish']>[1]>().toEqualTypeOf<{ price: number }>();
  expectTypeOf(usePresence).returns.toEqualTypeOf<readonly Member[]>();
});
