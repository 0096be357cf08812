// Several tabs on one connection, in a real Chromium against the real server: one session, each message once in each tab, and a leader
// that goes in every way a tab can go.

import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
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
    history: { size: 1000, ttl: '1h' },
  },
  {
    channel: 'short:{name}',
    subscribe: 'authenticated',
    publish: 'authenticated',
    history: { size: 20, ttl: '1h' },
  },
  { channel: 'plain:{name}', subscribe: 'authenticated', publish: 'authenticated' },
];
const ROOM = 'room:one';

let pages: PageServer;
let browser: Browser;
let server: E2eServer;
let open: BrowserContext[];
let person: BrowserContext;

beforeAll(async () => {
  pages = await servePage('test/fixtures/tabs-page');
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser.close();
  await pages.close();
});

beforeEach(async () => {
  server = await start();
  open = [];
  person = await newPerson();
});

afterEach(async () => {
  await Promise.all(open.map((context) => context.close()));
  await server.close();
});

function start(env: Record<string, string> = {}): Promise<E2eServer> {
  return startE2e({ rules: RULES, env: { TRUNKLINE_ALLOWED_ORIGINS: pages.origin, ...env } });
}

async function newPerson(): Promise<BrowserContext> {
  const context = await browser.newContext();
  open.push(context);
  return context;
}

/** Frames that a tab itself sent and got by its own WebSocket. */
const sockets = new WeakMap<Page, string[]>();

interface TabOptions {
  readonly user?: string;
  readonly context?: BrowserContext;
  readonly transport?: string;
}

async function openTab({
  user = 'ana',
  context = person,
  transport = 'websocket',
}: TabOptions = {}): Promise<Page> {
  const page = await context.newPage();
  const sent: string[] = [];
  sockets.set(page, sent);
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))));
  const query = new URLSearchParams({ server: server.url, token: server.token(user), transport });
  await page.goto(`${pages.origin}/?${query}`);
  return page;
}

async function joined(options: TabOptions = {}): Promise<Page> {
  const page = await openTab(options);
  await join(page);
  return page;
}

const join = (page: Page, channel = ROOM, presence = false): Promise<string> =>
  page.evaluate(([name, options]) => window.tab.join(name, options), [channel, { presence }] as const);
const heard = (page: Page, channel = ROOM): Promise<readonly string[]> =>
  page.evaluate((name) => window.tab.heard(name), channel);
const members = (page: Page, channel = ROOM): Promise<readonly string[]> =>
  page.evaluate((name) => window.tab.members(name), channel);
const state = (page: Page): Promise<string> => page.evaluate(() => window.tab.client.state);
const leads = (page: Page): boolean => (sockets.get(page) ?? []).length > 0;

async function tell(text: string, channel = ROOM): Promise<void> {
  const response = await server.api('POST', `/channels/${channel}/messages`, {
    event: 'message',
    data: { text },
  });
  expect(response.status).toBe(201);
}

/** The numbers from one to another, as texts. */
const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, at) => String(from + at));

async function hears(tabs: readonly Page[], texts: readonly string[], channel = ROOM): Promise<void> {
  for (const tab of tabs) {
    await until(async () => (await heard(tab, channel)).length >= texts.length, `${texts.length} messages`);
    expect(await heard(tab, channel)).toEqual(texts);
  }
}

/** Publishes until it is stopped; then all texts it published, in order. */
function traffic(channel = ROOM): { stop(): Promise<string[]> } {
  const texts: string[] = [];
  const end = new AbortController();
  const run = (async () => {
    while (!end.signal.aborted) {
      const text = String(texts.length + 1);
      await tell(text, channel);
      texts.push(text);
    }
  })();
  return {
    stop: async () => {
      end.abort();
      await run;
      return texts;
    },
  };
}

async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const gone = page.waitForEvent('crash');
  session.send('Page.crash').catch(() => {});
  await gone;
}

function freeze(): void {
  document.dispatchEvent(new Event('freeze'));
}

const sessions = (): number => server.stats().sessions;

describe('three tabs of one person', { timeout: 60_000 }, () => {
  it('are one session, and each message comes to each of them once', async () => {
    const tabs = [await joined(), await joined(), await joined()];
    expect(sessions()).toBe(1);
    for (const text of numbers(1, 30)) await tell(text);
    await hears(tabs, numbers(1, 30));
    expect(tabs.filter(leads)).toHaveLength(1);
    expect(await Promise.all(tabs.map((tab) => tab.evaluate(() => window.tab.client.transport)))).toEqual([
      'shared',
      'shared',
      'shared',
    ]);
  });

  it('each publish in their own order and see what the others say', async () => {
    const tabs = [await joined(), await joined(), await joined()];
    await Promise.all(
      tabs.map((tab, at) =>
        tab.evaluate(async (letter) => {
          const room = window.tab.channel('room:one');
          const texts = Array.from({ length: 20 }, (_, n) => `${letter}${n}`);
          await Promise.all(texts.map((text) => room.publish('message', { text })));
        }, 'abc'[at] ?? ''),
      ),
    );
    await until(async () => (await heard(tabs[0] as Page)).length === 60, 'all messages');
    const all = await heard(tabs[0] as Page);
    await hears(tabs, all);
    for (const letter of 'abc') {
      const own = all.filter((text) => text.startsWith(letter));
      expect(own).toEqual(Array.from({ length: 20 }, (_, n) => `${letter}${n}`));
    }
  });

  it('spare the publisher alone its own copy with `echo: false`', async () => {
    const [first, second] = [await joined(), await joined()];
    const publish = (tab: Page, text: string, echo: boolean): Promise<unknown> =>
      tab.evaluate(
        ([words, back]) => window.tab.channel('room:one').publish('message', { text: words }, { echo: back }),
        [text, echo] as const,
      );
    await publish(first, 'quiet', false);
    await publish(second, 'quiet too', false);
    await publish(second, 'loud', true);
    await hears([first], ['quiet too', 'loud']);
    await hears([second], ['quiet', 'loud']);
  });

  it('see the members, whichever of them came when', async () => {
    const [first, second] = [await openTab(), await openTab()];
    const ben = await newPerson();
    await join(first, ROOM, false);
    await join(second, ROOM, true);
    const other = await joined({ user: 'ben', context: ben });
    await until(async () => (await members(second)).join() === 'ana,ben', 'Ben in the second tab');
    expect(await members(first)).toEqual([]);
    const third = await openTab();
    await join(third, ROOM, true);
    expect(await members(third)).toEqual(['ana', 'ben']);
    await other.close();
    for (const tab of [second, third])
      await until(async () => (await members(tab)).join() === 'ana', 'Ben to leave', 15_000);
  });

  it('are in a channel as long as one of them is', async () => {
    const [first, second] = [await joined(), await joined()];
    const leave = (tab: Page): Promise<void> =>
      tab.evaluate(() => window.tab.channel('room:one').unsubscribe());
    await leave(first);
    await tell('one');
    await hears([second], ['one']);
    expect(await heard(first)).toEqual([]);
    await leave(second);
    await until(() => server.core.hub.channels().length === 0, 'the channel to be free');
    await join(first);
    await tell('two');
    await hears([first], ['two']);
  });

  it('are out of a channel when they die without a word', async () => {
    const [first, second] = [await joined(), await joined()];
    await join(second, 'room:two');
    expect(server.core.hub.channels()).toHaveLength(2);
    expect([leads(first), leads(second)]).toEqual([true, false]);
    await crash(second);
    await until(
      () => server.core.hub.channels().every(({ channel }) => channel === ROOM),
      'its channel to be free',
    );
  });

  it('resume each from its own place', async () => {
    const [first, second] = [await joined(), await joined()];
    await tell('1');
    await hears([first, second], ['1']);
    const place = await second.evaluate(async () => {
      const room = window.tab.channel('room:one');
      const { position } = room;
      await room.unsubscribe();
      return position;
    });
    for (const text of numbers(2, 400)) await tell(text);
    await hears([first], numbers(1, 400));
    const reply = await second.evaluate(
      (since) => window.tab.channel('room:one').subscribe(since === undefined ? {} : { since }),
      place,
    );
    expect(reply).toMatchObject({ recovered: true });
    await tell('401');
    await hears([first, second], numbers(1, 401));
  });

  it('are told alone what they have missed: a place too far back is no gap for the others', async () => {
    const [first, second] = [await openTab(), await openTab()];
    await join(first, 'short:one');
    await tell('1', 'short:one');
    await hears([first], ['1'], 'short:one');
    const since = await first.evaluate(() => window.tab.channel('short:one').position);
    for (const text of numbers(2, 300)) await tell(text, 'short:one');
    await hears([first], numbers(1, 300), 'short:one');
    const flow = traffic('short:one');
    const reply = await second.evaluate(
      (place) => window.tab.channel('short:one').subscribe(place === undefined ? {} : { since: place }),
      since,
    );
    expect(reply).toMatchObject({ recovered: false, reason: 'expired' });
    await hears([first], [...numbers(1, 300), ...(await flow.stop())], 'short:one');
  });

  it.each(['sse', 'polling'])('share %s in the same way', async (transport) => {
    const tabs = [await joined({ transport }), await joined({ transport })];
    for (const text of numbers(1, 30)) await tell(text);
    await hears(tabs, numbers(1, 30));
    expect(tabs.filter(leads)).toEqual([]);
    const flow = traffic();
    const [leader, other] = tabs as [Page, Page];
    await leader.close();
    await until(async () => (await heard(other)).length > 60, 'traffic after the change');
    await hears([other], [...numbers(1, 30), ...(await flow.stop())]);
  });

  it('have a channel without history as well', async () => {
    const [first, second] = [await openTab(), await openTab()];
    await join(first, 'plain:one');
    await join(second, 'plain:one');
    for (const text of numbers(1, 10)) await tell(text, 'plain:one');
    await hears([first, second], numbers(1, 10), 'plain:one');
  });

  it('come back together when the server was away', async () => {
    const tabs = [await joined(), await joined(), await joined()];
    const { port } = server;
    await server.close();
    for (const tab of tabs) await until(async () => (await state(tab)) !== 'connected', 'the loss');
    server = await start({ PORT: String(port) });
    for (const tab of tabs) await until(async () => (await state(tab)) === 'connected', 'the return');
    for (const tab of tabs)
      await until(() => tab.evaluate(() => window.tab.channel('room:one').subscribed), 'the room');
    expect(sessions()).toBe(1);
    await tell('back');
    for (const tab of tabs)
      await until(async () => (await heard(tab)).at(-1) === 'back', 'the message after the return');
  });
});

describe('a leader that goes under traffic', { timeout: 90_000 }, () => {
  const WAYS: Record<string, (leader: Page) => Promise<unknown>> = {
    'its tab is closed': (leader) => leader.close(),
    'its page is left': (leader) => leader.goto('about:blank'),
    'its client is closed': (leader) => leader.evaluate(() => window.tab.client.close()),
    'its process dies': crash,
    // What the browser tells before it freezes a page in the background. A headless page is never in the background.
    'its page is about to be frozen': (leader) => leader.evaluate(freeze),
  };

  it.each(Object.entries(WAYS))('because %s: the others miss and repeat nothing', async (_how, go) => {
    const tabs = [await joined(), await joined(), await joined()];
    const leader = tabs.find(leads) as Page;
    const others = tabs.filter((tab) => tab !== leader);
    const flow = traffic();
    await until(async () => (await heard(others[0] as Page)).length > 20, 'traffic');
    await go(leader);
    await until(() => others.filter(leads).length === 1, 'a new leader');
    const since = (await heard(others[0] as Page)).length;
    for (const tab of others)
      await until(async () => (await heard(tab)).length > since + 20, 'traffic after the change');
    await hears(others, await flow.stop());
    expect(others.filter(leads)).toHaveLength(1);
    await until(() => sessions() === 1, 'one session');
  });

  it('one after the other, until one tab is left', async () => {
    const tabs = [await joined(), await joined(), await joined()];
    const flow = traffic();
    for (let left = tabs; left.length > 1;) {
      const leader = left.filter(leads).at(-1) as Page;
      const others = left.filter((tab) => tab !== leader);
      const before = (await heard(others[0] as Page)).length;
      await leader.close();
      for (const tab of others)
        await until(async () => (await heard(tab)).length > before + 20, 'traffic after the change');
      left = others;
    }
    const last = tabs.find((tab) => !tab.isClosed()) as Page;
    await hears([last], await flow.stop());
  });

  it('loses no publish of the others, and makes none twice', async () => {
    const tabs = [await joined(), await joined()];
    const leader = tabs.find(leads) as Page;
    const other = tabs.find((tab) => tab !== leader) as Page;
    const listener = await joined({ user: 'ben', context: await newPerson() });
    const done = other.evaluate(async () => {
      const room = window.tab.channel('room:one');
      for (let n = 1; n <= 200; n++) await room.publish('message', { text: String(n) });
    });
    await until(async () => (await heard(listener)).length > 20, 'some publishes');
    await leader.close();
    await done;
    await hears([listener, other], numbers(1, 200));
  });
});

describe('tabs of several people in one browser', { timeout: 60_000 }, () => {
  it('do not share: each user has a session of his own', async () => {
    const [ana, ben] = [await joined(), await joined({ user: 'ben' })];
    expect(sessions()).toBe(2);
    expect(await ana.evaluate(() => window.tab.client.user)).toBe('ana');
    expect(await ben.evaluate(() => window.tab.client.user)).toBe('ben');
  });
});

it('a leader that was frozen and wakes up is a tab like the others', { timeout: 60_000 }, async () => {
  const [first, second] = [await joined(), await joined()];
  await first.evaluate(freeze);
  await until(() => leads(second), 'the second tab to lead');
  for (const text of numbers(1, 20)) await tell(text);
  await hears([second], numbers(1, 20));
  expect(await heard(first)).toEqual([]);
  await first.evaluate(() => void document.dispatchEvent(new Event('resume')));
  await hears([first], numbers(1, 20));
  expect(sessions()).toBe(1);
});

it(
  'a leader that hangs is replaced, and is a tab like the others afterwards',
  { timeout: 90_000 },
  async () => {
    await server.close();
    server = await start({ TRUNKLINE_HEARTBEAT_MS: '1000' });
    const [first, second] = [await joined(), await joined()];
    // Longer than it takes to be noticed: 1.5 s of silence, and 5 s without a word to who asks.
    const hang = first.evaluate(() => {
      const end = Date.now() + 14_000;
      while (Date.now() < end);
    });
    await until(() => leads(second), 'the second tab to lead', 13_000);
    await until(async () => (await state(second)) === 'connected', 'the second tab to be back');
    for (const text of numbers(1, 20)) await tell(text);
    await hears([second], numbers(1, 20));
    await hang;
    await hears([first], numbers(1, 20));
    await until(() => sessions() === 1, 'one session');
  },
);
