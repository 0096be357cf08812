// A feed read by users of the client through a network that drops, stalls, half-closes and delays at random, on each
// transport and while switching. The history says whether each saw every message once, in order. Bounded; ends by itself.

import { WebSocket } from 'ws';
import { Trunkline, type Channel, type Gap, type Position } from '../../client/src/index.js';
import { ChaosProxy, type Fault } from './chaos-proxy.js';
import { startE2e, type E2eServer } from './e2e-server.js';
import { checkHistory, type Delivered, type Published } from './history-checker.js';
import { SeededRandom } from './seeded-random.js';
import { until } from './wait.js';

export type TransportName = 'websocket' | 'sse' | 'polling';
export const TRANSPORTS: readonly TransportName[] = ['websocket', 'sse', 'polling'];

export interface BadNetworkPlan {
  readonly seconds: number;
  readonly seed: number;
  /** Publications a second of the feed. */
  readonly rate: number;
}

export interface BadNetworkReport {
  readonly published: number;
  readonly readers: readonly { readonly name: string; readonly connections: number }[];
  readonly faults: Readonly<Record<string, number>>;
}

const FEED = 'feed';
const FAULTS: readonly Fault[] = [
  'delay',
  'stall',
  'half-close',
  'reset',
  'end',
  'cut-response',
  'black-hole',
  'refuse',
];
/** A reader that is away for longer would have to be told of a gap: 40 s at 500 a second. */
const KEPT = 20_000;
const RULES = [
  { channel: FEED, subscribe: 'authenticated', publish: 'backend', history: { size: KEPT, ttl: '1h' } },
];
const ENV = { TRUNKLINE_HEARTBEAT_MS: '1000', TRUNKLINE_SSE_HEARTBEAT_MS: '500' };
/** Waits short enough for a test; the shapes are those of production. */
export const HASTE = { minDelayMs: 50, maxDelayMs: 800, stableAfterMs: 2000, requestTimeoutMs: 2500 };
/** A connection that came off with a delay would else last for the whole run. */
const CUT_MS = 3000;
/** For everybody to be there after the network is well again. */
export const CATCH_UP_MS = 30_000;
export const CALM = { warn: () => {} };

/** One user: what it has seen, whatever client it uses at the moment. */
class Reader {
  readonly seen: Delivered[] = [];
  readonly gaps: Gap[] = [];
  connections = 0;
  position: Position | undefined;
  private client: Trunkline | undefined;

  constructor(
    readonly name: string,
    private readonly parts: { readonly server: E2eServer; readonly url: string; readonly seed: number },
  ) {}

  /** A new client, from where the last one stood. Resolves when it is subscribed. */
  async use(transports: readonly TransportName[]): Promise<void> {
    this.leave();
    const { server, url, seed } = this.parts;
    const random = new SeededRandom(seed + this.connections);
    const client = new Trunkline(url, {
      ...HASTE,
      transports,
      webSocket: WebSocket,
      token: () => server.token(this.name),
      random: () => random.fraction(),
      logger: CALM,
    });
    this.client = client;
    client.on('state', ({ state }) => {
      if (state === 'connected') this.connections++;
    });
    const channel: Channel = client.channel(FEED);
    channel.on('gap', (gap) => void this.gaps.push(gap));
    channel.on('message', ({ id, offset = 0, data }) => {
      const { position } = channel;
      this.seen.push({ mark: String(data), epoch: position?.epoch ?? '', offset, id, at: performance.now() });
      this.position = position;
    });
    await channel.subscribe(this.position === undefined ? {} : { since: this.position });
    this.position ??= channel.position;
  }

  leave(): void {
    this.client?.close();
    this.client = undefined;
  }
}

/** Publishes numbers at an even rate until told to stop. */
class Publisher {
  readonly published: Published[] = [];
  private stopped = false;

  constructor(
    private readonly server: E2eServer,
    private readonly rate: number,
  ) {}

  async run(seconds: number): Promise<void> {
    const begin = performance.now();
    while (!this.stopped) {
      const elapsed = performance.now() - begin;
      if (elapsed >= seconds * 1000) return;
      const due = Math.floor((elapsed / 1000) * this.rate);
      while (this.published.length < due) await this.publish(`n${this.published.length + 1}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  stop(): void {
    this.stopped = true;
  }

  private async publish(mark: string): Promise<void> {
    const invoked = performance.now();
    const { epoch, offset, id } = await this.server.realtime.publish(FEED, 'n', mark);
    this.published.push({ mark, invoked, answered: performance.now(), place: { epoch, offset, id } });
  }
}

/** Throws when a user lost, repeated or reordered anything, or was told of a gap. */
export async function feedThroughBadNetwork({
  seconds,
  seed,
  rate,
}: BadNetworkPlan): Promise<BadNetworkReport> {
  const server = await startE2e({ rules: RULES, env: ENV });
  const lifeMs = (seconds + 60) * 1000 + CATCH_UP_MS;
  const proxy = await ChaosProxy.start({
    target: server.port,
    seed,
    faults: FAULTS,
    strikeMs: [50, 2000],
    lifeMs,
  });
  const make = (name: string, at: number): Reader =>
    new Reader(name, { server, url: proxy.url, seed: seed + at * 1000 });
  const steady = TRANSPORTS.map(make);
  const switching = make('switching', 10);
  const ladder = make('ladder', 11);
  const readers = [...steady, switching, ladder];
  const publisher = new Publisher(server, rate);
  let over = false;
  let cutting: NodeJS.Timeout | undefined;
  try {
    proxy.heal();
    await Promise.all(steady.map((reader, at) => reader.use([TRANSPORTS[at] ?? 'websocket'])));
    await Promise.all([switching.use(['websocket']), ladder.use(TRANSPORTS)]);
    const from = readers.map(({ position }) => ({
      epoch: position?.epoch ?? '',
      offset: position?.offset ?? 0,
    }));
    proxy.unsettle();
    proxy.killAll();
    cutting = setInterval(() => proxy.killAll(), CUT_MS);
    const moving = keepSwitching(switching, seed, () => over);
    await publisher.run(seconds);
    over = true;
    clearInterval(cutting);
    proxy.heal();
    await moving;
    const total = publisher.published.length;
    await until(
      () => readers.every(({ seen }) => (seen.at(-1)?.offset ?? 0) >= total),
      'all to catch up',
      CATCH_UP_MS,
    );
    for (const { name, gaps } of readers)
      if (gaps.length > 0) throw new Error(`${name} was told of a gap: ${JSON.stringify(gaps[0])}.`);
    const runs = readers.map(({ name, seen }, at) => ({
      name,
      from: from[at] ?? { epoch: '', offset: 0 },
      seen,
      toTheEnd: true,
    }));
    checkHistory({ published: publisher.published, runs });
    return {
      published: total,
      readers: readers.map(({ name, connections }) => ({ name, connections })),
      faults: Object.fromEntries(proxy.drawn),
    };
  } finally {
    over = true;
    clearInterval(cutting);
    publisher.stop();
    for (const reader of readers) reader.leave();
    await proxy.close();
    await server.close();
  }
}

/** From one transport to the next, in the midst of everything. */
async function keepSwitching(reader: Reader, seed: number, over: () => boolean): Promise<void> {
  const random = new SeededRandom(seed);
  let at = 0;
  while (!over()) {
    const stay = 300 + random.below(1200);
    const end = performance.now() + stay;
    await until(() => over() || performance.now() > end, 'the time to switch', stay + 5000);
    at++;
    await reader.use([TRANSPORTS[at % TRANSPORTS.length] ?? 'websocket']);
  }
}
