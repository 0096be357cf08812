// From one transport to another and back: what is blocked is left, what is better is found again, and nothing is lost on the way.
// And what the platform tells: online, offline, visible.

import { WebSocket } from 'ws';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  PLATFORM_ENVIRONMENT,
  type Environment,
  type EnvironmentEvents,
} from '../../client/src/environment.js';
import type { Channel, TransportEvents, TransportFactory, TrunklineOptions } from '../../client/src/index.js';
import { clientFor, happens, inState, type ClientUnderTest } from '../../client/testing/kit.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { FakeHttpServer } from '../support/fake-http-server.js';
import { FakeWsServer } from '../support/fake-ws-server.js';
import { until } from '../support/wait.js';

interface Events {
  say: { n: number };
}

const RULES = [
  {
    channel: 'room:{name}',
    subscribe: 'authenticated',
    publish: 'authenticated',
    history: { size: 5000, ttl: '1h' },
  },
];

let server: E2eServer;
let client: ClientUnderTest;
let room: Channel<Events>;
let heard: (number | string)[];
let count = 0;
/** What the way to the server lets through. */
let blocked: Set<string>;

/** A WebSocket on a way that may not let it through: then it is refused at once. */
class GuardedSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(blocked.has('websocket') ? 'ws://127.0.0.1:1' : url, protocols);
  }
}

const guardedFetch: typeof fetch = (input, init) => {
  const path = new URL(input as string).pathname.slice(1);
  return blocked.has(path) ? Promise.reject(new TypeError('blocked')) : fetch(input, init);
};

class Memory {
  readonly held = new Map<string, string>();
  getItem(key: string): string | null {
    return this.held.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.held.set(key, value);
  }
}

beforeAll(async () => {
  server = await startE2e({ rules: RULES });
});

afterAll(async () => {
  await server.close();
});

beforeEach(() => {
  blocked = new Set();
});

afterEach(async () => {
  client.trunkline.close();
  expect(client.clock.pending, 'timers left behind').toBe(0);
  await until(() => server.stats().sessions === 0, 'no session to be left');
});

function use(options: TrunklineOptions = {}, url = server.url): void {
  client = clientFor(url, {
    transports: ['websocket', 'sse', 'polling'],
    webSocket: GuardedSocket,
    fetch: guardedFetch,
    token: () => server.token('ana'),
    ...options,
  });
  room = client.trunkline.channel<Events>(`room:ladder${++count}`);
  heard = [];
  room.on('message', ({ data }) => heard.push(data.n));
  room.on('gap', ({ reason }) => heard.push(reason));
}

/** Moves the clock on until the client is connected; tells the milliseconds. */
async function connected(): Promise<number> {
  const from = client.clock.now();
  await until(() => {
    client.clock.advance(client.trunkline.state === 'waiting' ? 250 : 10);
    return client.trunkline.state === 'connected';
  });
  return client.clock.now() - from;
}

const publish = (n: number): Promise<unknown> =>
  server.api('POST', `/channels/${room.name}/messages`, { event: 'say', data: { n } });

describe('the way down', () => {
  it.each([
    [[], 'websocket'],
    [['websocket'], 'sse'],
    [['websocket', 'sse'], 'polling'],
  ] as const)('with %j blocked ends at %s', async (ways, name) => {
    blocked = new Set(ways);
    use();
    const call = room.subscribe();
    await connected();
    await until(() => {
      client.clock.advance(10);
      return room.subscribed;
    });
    await call;
    expect(client.trunkline.transport).toBe(name);
    expect(client.states.at(-1)).toMatchObject({ state: 'connected', transport: name });
    await publish(1);
    await until(() => {
      client.clock.advance(10);
      return heard.length === 1;
    });
  });

  it('leaves out a WebSocket that the platform does not have', async () => {
    const had = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
    Object.defineProperty(globalThis, 'WebSocket', { value: undefined, configurable: true });
    try {
      use({ webSocket: undefined as never });
      await room.subscribe();
      expect(client.trunkline.transport).toBe('sse');
      expect(client.states.map(({ state }) => state)).toEqual(['connecting', 'connected']);
    } finally {
      if (had === undefined) delete (globalThis as { WebSocket?: unknown }).WebSocket;
      else Object.defineProperty(globalThis, 'WebSocket', had);
    }
  });

  it('stays when the server itself says to come later', async () => {
    const http = await FakeHttpServer.start();
    use({ transports: ['sse', 'polling'] }, http.url);
    void room.subscribe().catch(() => {});
    (await http.next('/sse')).problem(503, 'unavailable', { retry: true });
    await inState(client, 'waiting');
    client.clock.advance(1000);
    await http.next('/sse');
    client.trunkline.close();
    await http.stop();
  });

  it('waits four seconds for what hangs, and as long as allowed for the last one', async () => {
    const http = await FakeHttpServer.start();
    use({ transports: ['sse', 'polling'] }, http.url);
    void room.subscribe().catch(() => {});
    await http.next('/sse');
    client.clock.advance(3999);
    expect(client.trunkline.state).toBe('connecting');
    client.clock.advance(1);
    expect(client.states.at(-1)).toMatchObject({
      state: 'waiting',
      reason: 'no welcome in time',
      retryInMs: 750,
    });
    client.clock.advance(750);
    await http.next('/poll');
    client.clock.advance(9999);
    expect(client.trunkline.state).toBe('connecting');
    client.clock.advance(1);
    expect(client.trunkline.state).toBe('waiting');
    client.trunkline.close();
    await http.stop();
  });

  it('does not blame the transport for a token that cannot be had', async () => {
    let fails = 3;
    use({ token: () => (fails-- > 0 ? Promise.reject(new Error('no network')) : server.token('ana')) });
    client.trunkline.connect();
    await connected();
    expect(client.trunkline.transport).toBe('websocket');
  });

  it('goes back to the top with a new token when a lower rung says that it was refused', async () => {
    blocked.add('websocket');
    let asked = 0;
    use({ token: () => (asked++ < 2 ? 'bad' : server.token('ana')) });
    const refusedAt = (): boolean => client.states.some(({ code }) => code === 4200);
    void room.subscribe().catch(() => {});
    await until(() => {
      if (client.trunkline.state === 'waiting') client.clock.advance(250);
      if (asked === 2) blocked.delete('websocket');
      return refusedAt();
    });
    await connected();
    expect(client.trunkline.transport).toBe('websocket');
  });

  it('takes a transport of the application', async () => {
    const own: TransportFactory = {
      name: 'own',
      open: (_token, events) => {
        queueMicrotask(() =>
          events.frame({ event: 'welcome', data: { session: 'x', heartbeatMs: 0, version: 1 } }),
        );
        return { send: () => {}, close: () => {} };
      },
    };
    use({ transports: [own] });
    client.trunkline.connect();
    await inState(client, 'connected');
    expect(client.trunkline.transport).toBe('own');
  });
});

describe('what worked', () => {
  it('is tried first after the page is loaded again, and a better one is found from there', async () => {
    const storage = new Memory();
    blocked.add('websocket');
    use({ storage });
    await Promise.all([room.subscribe(), connected()]);
    client.trunkline.close();
    use({ storage });
    await room.subscribe();
    expect(client.trunkline.transport).toBe('sse');
    expect(client.states.map(({ state }) => state)).toEqual(['connecting', 'connected']);
  });

  it('gets three tries before another', async () => {
    const tried: string[] = [];
    const end: (() => void)[] = [];
    const rung = (name: string, works: () => boolean): TransportFactory => ({
      name,
      open: (_token, events) => {
        tried.push(name);
        end.push(() => events.end(1006, 'lost'));
        queueMicrotask(() => {
          if (works()) events.frame({ event: 'welcome', data: { session: '', heartbeatMs: 0, version: 1 } });
          else events.end(1006, 'blocked');
        });
        return { send: () => {}, close: () => {} };
      },
    });
    let works = true;
    use({ transports: [rung('high', () => false), rung('mid', () => works), rung('low', () => false)] });
    client.trunkline.connect();
    await connected();
    works = false;
    end.at(-1)?.();
    await until(() => {
      if (client.trunkline.state === 'waiting') client.clock.advance(20_000);
      return tried.length >= 7;
    });
    expect(tried.slice(0, 7)).toEqual(['high', 'mid', 'mid', 'mid', 'mid', 'low', 'high']);
  });
});

describe('the way up', () => {
  it('is tried beside the session, later each time, and taken without loss or repeat', async () => {
    blocked = new Set(['websocket', 'sse']);
    // Idempotency keys are made of it, too.
    use({ random: Math.random });
    const call = room.subscribe();
    await connected();
    await until(() => {
      client.clock.advance(10);
      return room.subscribed;
    });
    await call;
    const offsets: (number | undefined)[] = [];
    room.on('message', ({ offset }) => offsets.push(offset));
    let sent = 0;
    const stop = { now: false };
    const mine: Promise<unknown>[] = [];
    const busy = (async (): Promise<void> => {
      while (!stop.now) {
        await publish(++sent);
        // Own ones, too: what is on its way at the move must be there once.
        if (sent % 5 === 0) mine.push(room.publish('say', { n: ++sent }));
      }
    })();
    const names = (): (string | undefined)[] =>
      client.states.filter(({ state }) => state === 'connected').map(({ transport }) => transport);
    blocked = new Set(['websocket']);
    const tick = (name: string) => (): boolean => {
      client.clock.advance(50);
      return client.trunkline.transport === name;
    };
    await until(tick('sse'), 'server-sent events', 15_000);
    const before = sent;
    await until(() => sent > before + 20);
    blocked = new Set();
    await until(tick('websocket'), 'WebSocket', 15_000);
    const after = sent;
    await until(() => sent > after + 20);
    stop.now = true;
    await busy;
    await Promise.all(mine);
    await until(() => heard.length >= sent);
    expect([...heard].sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: sent }, (_, at) => at + 1),
    );
    expect(offsets).toEqual(Array.from({ length: sent }, (_, at) => at + 1));
    expect(names()).toEqual(['polling', 'sse', 'websocket']);
    expect(client.states.every(({ state }) => state !== 'closed')).toBe(true);
    await until(() => server.stats().sessions === 1, 'the old sessions to be gone');
  }, 40_000);

  it('is asked for 10 s, 30 s, 70 s after, and at once when the network comes back', async () => {
    let opened = 0;
    const rung = (name: string, tell: (events: TransportEvents) => void): TransportFactory => ({
      name,
      open: (_token, events) => {
        if (name === 'up') opened++;
        queueMicrotask(() => tell(events));
        return { send: () => {}, close: () => {} };
      },
    });
    const environment = new FakeEnvironment();
    const up = rung('up', (events) => events.end(1006, 'blocked'));
    const low = rung('low', (events) =>
      events.frame({ event: 'welcome', data: { session: '', heartbeatMs: 0, version: 1 } }),
    );
    use({ transports: [up, low], environment, token: 'a' });
    client.trunkline.connect();
    await connected();
    const first = opened;
    for (const [waitMs, tries] of [
      [9_980, 0],
      [20, 1],
      [19_980, 1],
      [20, 2],
      [39_980, 2],
      [20, 3],
    ] as const) {
      client.clock.advance(waitMs);
      await new Promise((resolve) => setImmediate(resolve));
      expect(opened - first).toBe(tries);
    }
    environment.events?.online();
    client.clock.advance(1000);
    await until(() => opened - first === 4);
    expect(client.trunkline.transport).toBe('low');
    expect(client.states.filter(({ state }) => state === 'connected')).toHaveLength(1);
  });
});

class FakeEnvironment implements Environment {
  events: EnvironmentEvents | undefined;
  watching = 0;
  watch(events: EnvironmentEvents): () => void {
    this.events = events;
    this.watching++;
    return () => void this.watching--;
  }
}

describe('the platform', () => {
  let fake: FakeWsServer;
  let environment: FakeEnvironment;

  beforeEach(async () => {
    fake = await FakeWsServer.start();
    environment = new FakeEnvironment();
    use({ transports: ['websocket'], webSocket: WebSocket, environment, token: 'a' }, fake.url);
  });

  afterEach(async () => {
    client.trunkline.close();
    expect(environment.watching, 'listeners left behind').toBe(0);
    await fake.stop();
  });

  it('without a network lets no try start, and with it again one at once', async () => {
    fake.refuse(503);
    client.trunkline.connect();
    await inState(client, 'waiting');
    environment.events?.offline();
    expect(client.states.at(-1)).toEqual({ state: 'waiting', reason: 'offline', code: 1006 });
    client.clock.advance(3_600_000);
    expect(client.trunkline.state).toBe('waiting');
    environment.events?.online();
    expect(client.trunkline.state).toBe('connecting');
    (await fake.peer()).welcome();
    await inState(client, 'connected');
  });

  it('that goes offline in the middle of a try ends it, and coming and going does not make tries faster', async () => {
    client.trunkline.connect();
    await fake.peer();
    for (let round = 0; round < 10; round++) {
      environment.events?.offline();
      environment.events?.online();
    }
    expect(client.trunkline.state).toBe('waiting');
    client.clock.advance(499);
    expect(client.trunkline.state).toBe('waiting');
    client.clock.advance(1);
    expect(client.trunkline.state).toBe('connecting');
    const peer = await fake.peer();
    peer.welcome();
    await inState(client, 'connected');
    expect(fake.waiting).toBe(0);
  });

  it('that goes offline leaves a connection to prove itself', async () => {
    client.trunkline.connect();
    const peer = await fake.peer();
    peer.welcome();
    await inState(client, 'connected');
    client.clock.advance(1000);
    environment.events?.offline();
    await peer.next('ping');
    expect(client.trunkline.state).toBe('connected');
    client.clock.advance(12_500);
    expect(client.states.at(-1)).toEqual({ state: 'waiting', reason: 'offline', code: 1006 });
    environment.events?.online();
    expect(client.trunkline.state).toBe('connecting');
  });

  it('that shows the page again asks the server at once, and once', async () => {
    client.trunkline.connect();
    const peer = await fake.peer();
    peer.welcome();
    await inState(client, 'connected');
    environment.events?.visible();
    environment.events?.visible();
    const ping = await peer.next('ping');
    client.clock.advance(5000);
    environment.events?.visible();
    peer.ok(ping, { time: 1 });
    const read = client.trunkline.channel('a').presence();
    peer.ok(await peer.next('presence'), { channel: 'a', members: [] });
    await read;
    client.clock.advance(7500);
    expect(client.trunkline.state).toBe('connected');
    environment.events?.visible();
    await peer.next('ping');
    client.clock.advance(12_500);
    expect(client.states.at(-1)).toMatchObject({ state: 'waiting', reason: 'the server is silent' });
  });

  it('that shows the page again ends a wait at once, but not one without a network', async () => {
    fake.refuse(503);
    client.trunkline.connect();
    await inState(client, 'waiting');
    client.clock.advance(500);
    environment.events?.offline();
    environment.events?.visible();
    expect(client.trunkline.state).toBe('waiting');
    fake.refuse(503);
    environment.events?.online();
    expect(client.trunkline.state).toBe('connecting');
    const { retryInMs = 0 } = await inState(client, 'waiting');
    expect(retryInMs).toBeGreaterThan(500);
    environment.events?.visible();
    environment.events?.visible();
    expect(client.trunkline.state, 'soon after a try').toBe('waiting');
    client.clock.advance(500);
    expect(client.trunkline.state).toBe('connecting');
    (await fake.peer()).welcome();
    await inState(client, 'connected');
    expect(fake.waiting).toBe(0);
  });

  it('is not listened to before the first use, nor after the end', () => {
    expect(environment.watching).toBe(0);
    client.trunkline.connect();
    client.trunkline.close();
    client.trunkline.connect();
    expect(environment.watching).toBe(1);
  });
});

describe('a stream of events', () => {
  it('proves by a new one that it lives when the page is seen again', async () => {
    const http = await FakeHttpServer.start();
    const environment = new FakeEnvironment();
    use({ transports: ['sse'], environment }, http.url);
    client.trunkline.connect();
    const stream = (await http.next('/sse')).ready();
    await inState(client, 'connected');
    // The time limit of the request is taken back a moment after its stream was welcomed.
    await new Promise((resolve) => setImmediate(resolve));
    environment.events?.visible();
    client.clock.advance(14_000);
    expect(http.waiting, 'a young stream is proof enough').toBe(0);
    const told = happens('event', (resolve) => client.trunkline.on('event', resolve));
    stream.event('event', { event: 'own' });
    await told;
    client.clock.advance(2000);
    environment.events?.visible();
    const second = await http.next('/sse');
    second.ready();
    await until(() => stream.closed);
    expect(client.trunkline.state).toBe('connected');
    client.clock.advance(16_000);
    client.trunkline.close();
    await http.stop();
  });
});

describe('the platform of a page', () => {
  it('is heard by its events and left without a trace; in Node there is nothing to hear', () => {
    use();
    const told: string[] = [];
    const events: EnvironmentEvents = {
      online: () => told.push('online'),
      offline: () => told.push('offline'),
      visible: () => told.push('visible'),
    };
    PLATFORM_ENVIRONMENT.watch(events)();
    const page = new EventTarget();
    const pane = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    const scope = globalThis as unknown as Record<string, unknown>;
    scope['document'] = pane;
    scope['addEventListener'] = page.addEventListener.bind(page);
    scope['removeEventListener'] = page.removeEventListener.bind(page);
    try {
      const leave = PLATFORM_ENVIRONMENT.watch(events);
      for (const type of ['offline', 'online', 'pageshow', 'pagehide']) page.dispatchEvent(new Event(type));
      pane.dispatchEvent(new Event('visibilitychange'));
      pane.visibilityState = 'hidden';
      pane.dispatchEvent(new Event('visibilitychange'));
      leave();
      for (const type of ['offline', 'online', 'pageshow']) page.dispatchEvent(new Event(type));
      expect(told).toEqual(['offline', 'online', 'visible', 'visible']);
    } finally {
      for (const name of ['document', 'addEventListener', 'removeEventListener']) delete scope[name];
    }
  });
});
