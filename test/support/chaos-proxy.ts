// A TCP proxy that does to connections what bad networks do, by chance from a seed or by hand. Knows bytes and no protocol.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { SeededRandom } from './seeded-random.js';

/**
 * What may become of a connection. `delay` and `throttle` hold from its first byte on; the others strike once, after `strikeMs`
 * or, for `cut-response`, after some bytes of the server. `refuse` and `black-hole` strike before anything is handed on.
 */
export type Fault =
  | 'none'
  | 'delay'
  | 'throttle'
  | 'stall'
  | 'half-close'
  | 'reset'
  | 'end'
  | 'cut-response'
  | 'black-hole'
  | 'refuse';

export const FAULTS: readonly Fault[] = [
  'none',
  'delay',
  'throttle',
  'stall',
  'half-close',
  'reset',
  'end',
  'cut-response',
  'black-hole',
  'refuse',
];

/** First and last value of a range; what is drawn lies between them. */
type Range = readonly [number, number];

export interface ChaosOptions {
  /** Port of the server behind, on 127.0.0.1. */
  readonly target: number;
  readonly seed?: number;
  /** What new connections draw from, evenly: name a fault twice to make it likelier. Nothing but `none` when left out. */
  readonly faults?: readonly Fault[];
  /** Milliseconds after its opening at which a fault strikes a connection. */
  readonly strikeMs?: Range;
  /** Milliseconds that each chunk waits under `delay`. */
  readonly delayMs?: Range;
  /** Bytes a second under `throttle`, each way. */
  readonly rate?: Range;
  /** Milliseconds that nothing passes under `stall`. A half-closed or black-holed connection ends after the longest of them. */
  readonly stallMs?: Range;
  /** Bytes of the server after which `cut-response` strikes. */
  readonly cutAfter?: Range;
  /** Milliseconds until the proxy closes by itself, whatever the test forgot. */
  readonly lifeMs?: number;
  /** Connections at one time; more are reset at once. */
  readonly limit?: number;
}

const DEFAULTS = {
  seed: 1,
  faults: ['none'],
  strikeMs: [100, 1500],
  delayMs: [5, 60],
  rate: [20_000, 200_000],
  stallMs: [200, 1200],
  cutAfter: [1, 4000],
  lifeMs: 120_000,
  limit: 2000,
} as const satisfies Omit<ChaosOptions, 'target'>;

type Settings = Required<ChaosOptions>;

/** Slices of a throttled chunk a second. */
const SLICES = 20;

export class ChaosProxy {
  /** How often each fault was drawn. */
  readonly drawn = new Map<Fault, number>();
  /** Connections taken so far. */
  accepted = 0;
  readonly port: number;
  private readonly links = new Set<ChaosLink>();
  private readonly random: SeededRandom;
  private readonly life: NodeJS.Timeout;
  private dark = false;
  private calm = false;
  private closing: Promise<void> | undefined;
  private target: number;

  private constructor(
    private readonly server: Server,
    private readonly settings: Settings,
  ) {
    this.port = (server.address() as AddressInfo).port;
    this.target = settings.target;
    this.random = new SeededRandom(settings.seed);
    this.life = setTimeout(() => void this.close(), settings.lifeMs);
    server.on('connection', (client) => this.take(client));
  }

  static async start(options: ChaosOptions): Promise<ChaosProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ChaosProxy(server, { ...DEFAULTS, ...options });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.links.size;
  }

  /** New connections go to another server; those that are open stay where they are. */
  aim(target: number): void {
    this.target = target;
  }

  /** From now on nothing passes, in connections that are open and in new ones, and nobody is told. */
  blackHole(): void {
    this.dark = true;
    this.blackHoleOpen();
  }

  /** From now on nothing passes in connections that are open, and nobody is told; new ones work. */
  blackHoleOpen(): void {
    for (const link of this.links) link.freeze();
  }

  /** Ends every black hole and stall, and draws no more faults: what was held is handed on, as a network does that comes back. */
  heal(): void {
    this.dark = false;
    this.calm = true;
    for (const link of this.links) link.heal();
  }

  /** New connections draw faults again. */
  unsettle(): void {
    this.calm = false;
  }

  /** Resets every connection on both sides. */
  killAll(): void {
    for (const link of [...this.links]) link.reset();
  }

  close(): Promise<void> {
    clearTimeout(this.life);
    this.closing ??= new Promise((resolve) => {
      this.server.close(() => resolve());
      this.killAll();
    });
    return this.closing;
  }

  private take(client: Socket): void {
    this.accepted++;
    const fault = this.draw();
    this.drawn.set(fault, (this.drawn.get(fault) ?? 0) + 1);
    if (fault === 'refuse' || this.closing !== undefined || this.links.size >= this.settings.limit) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const onOver = (ended: ChaosLink): void => void this.links.delete(ended);
    const link = new ChaosLink(client, this.plan(fault), { target: this.target, onOver });
    this.links.add(link);
    if (this.dark) link.freeze();
  }

  private draw(): Fault {
    const { faults } = this.settings;
    if (this.calm || this.dark) return 'none';
    return faults[this.random.below(faults.length)] ?? 'none';
  }

  /** All figures of a connection are drawn at once, so that the same seed gives the same plans whatever the timing. */
  private plan(fault: Fault): Plan {
    const between = ([first, last]: Range): number => first + this.random.fraction() * (last - first);
    const { strikeMs, delayMs, rate, stallMs, cutAfter } = this.settings;
    return {
      fault,
      strikeMs: between(strikeMs),
      delayMs: between(delayMs),
      rate: between(rate),
      stallMs: between(stallMs),
      cutAfter: Math.floor(between(cutAfter)),
      coin: this.random.below(2) === 0,
      patienceMs: stallMs[1],
    };
  }
}

interface Plan {
  readonly fault: Fault;
  readonly strikeMs: number;
  readonly delayMs: number;
  readonly rate: number;
  readonly stallMs: number;
  readonly cutAfter: number;
  /** Chooses the side of a half-close, and between reset and end of a cut. */
  readonly coin: boolean;
  /** Milliseconds that a half-closed or black-holed connection lasts. */
  readonly patienceMs: number;
}

/** One client and its connection to the server behind. */
class ChaosLink {
  private readonly upstream: Socket;
  /** What has yet to strike. A heal calls it off. */
  private readonly strikes = new Set<NodeJS.Timeout>();
  /** The end of a connection that was struck so that it cannot live on. */
  private limit: NodeJS.Timeout | undefined;
  private readonly sleepers = new Set<() => void>();
  private frozen: Promise<void> | undefined;
  private thaw: () => void = () => {};
  private answered = 0;
  private healed = false;
  private over = false;

  constructor(
    private readonly client: Socket,
    private readonly plan: Plan,
    private readonly parts: { readonly target: number; readonly onOver: (link: ChaosLink) => void },
  ) {
    this.upstream = connect({ port: parts.target, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [client, this.upstream]) {
      socket.setNoDelay(true);
      // An error is followed by `close`; an error without a listener would end the process.
      socket.on('error', () => {});
      // In a black hole the other side does not learn of it either.
      socket.once('close', (failed) => void this.passage().then(() => this.finish(failed)));
    }
    this.arm();
    void this.pump(client, this.upstream);
    void this.pump(this.upstream, client);
  }

  freeze(): void {
    if (this.frozen !== undefined || this.over) return;
    this.frozen = new Promise((resolve) => {
      this.thaw = () => {
        this.frozen = undefined;
        resolve();
      };
    });
  }

  heal(): void {
    this.healed = true;
    this.calm();
  }

  reset(): void {
    this.finish(true);
  }

  private finish(failed: boolean): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.limit);
    this.calm();
    for (const socket of [this.client, this.upstream]) {
      if (failed && !socket.destroyed) socket.resetAndDestroy();
      else socket.destroy();
    }
    this.parts.onOver(this);
  }

  private calm(): void {
    for (const timer of this.strikes) clearTimeout(timer);
    this.strikes.clear();
    this.thaw();
    for (const wake of this.sleepers) wake();
  }

  private arm(): void {
    const { fault, strikeMs, stallMs, patienceMs } = this.plan;
    if (fault === 'black-hole') {
      this.freeze();
      this.later(patienceMs, () => this.reset());
    } else if (fault === 'stall') {
      this.later(strikeMs, () => {
        this.freeze();
        this.later(stallMs, () => this.thaw());
      });
    } else if (fault === 'reset') this.later(strikeMs, () => this.reset());
    else if (fault === 'end') this.later(strikeMs, () => this.end());
    else if (fault === 'half-close') {
      this.later(strikeMs, () => {
        (this.plan.coin ? this.client : this.upstream).end();
        this.expire();
      });
    }
  }

  private later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.strikes.delete(timer);
      act();
    }, ms);
    this.strikes.add(timer);
  }

  private expire(): void {
    this.limit ??= setTimeout(() => this.reset(), this.plan.patienceMs);
  }

  /** Ends both sides with FIN, whatever was on its way. */
  private end(): void {
    this.client.end();
    this.upstream.end();
    this.expire();
  }

  private passage(): Promise<void> {
    return this.frozen ?? Promise.resolve();
  }

  /** Hands on chunk by chunk and waits for the taker, so a reader that stops is felt at the other end. */
  private async pump(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false })) {
        await this.hand(chunk as Buffer, to);
        if (this.over) return;
      }
      await this.passage();
      if (to.writable) to.end();
    } catch {
      // The socket ended in the midst of it; its `close` does the rest.
    }
  }

  private async hand(chunk: Buffer, to: Socket): Promise<void> {
    const { fault, delayMs, rate, cutAfter } = this.plan;
    if (fault === 'delay') await this.pass(delayMs);
    if (fault === 'cut-response' && to === this.client && !this.healed) {
      const left = cutAfter - this.answered;
      this.answered += chunk.length;
      if (left <= chunk.length) {
        await this.write(chunk.subarray(0, left), to);
        if (this.plan.coin) this.reset();
        else this.end();
        return;
      }
    }
    if (fault !== 'throttle') return this.write(chunk, to);
    const slice = Math.max(1, Math.ceil(rate / SLICES));
    for (let at = 0; at < chunk.length; at += slice) {
      await this.pass(1000 / SLICES);
      await this.write(chunk.subarray(at, at + slice), to);
    }
  }

  private async write(bytes: Buffer, to: Socket): Promise<void> {
    await this.passage();
    if (!to.writable || bytes.length === 0 || to.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        to.off('drain', done);
        to.off('close', done);
        resolve();
      };
      to.on('drain', done);
      to.on('close', done);
    });
  }

  private pass(ms: number): Promise<void> {
    if (this.over || this.healed) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.sleepers.add(wake);
    });
  }
}
