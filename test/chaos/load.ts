// A stream of publications at an even rate over many channels, by several publishers. What cannot be sent in time is counted, not made up.

import { until } from '../support/wait.js';
import type { SeededRandom } from '../support/seeded-random.js';
import type { Instance } from './cluster.js';
import type { Ledger } from './ledger.js';
import { RestPublisher, WsPublisher, type Publisher } from './publishers.js';

/** Half of them try again. */
const SOCKETS = 24;
/** Publications of one socket in a row, at most: a burst costs one write, and the answers come in few reads. */
const BURST = 8;
/** One publication in so many goes over REST, which costs the driver and the server several times as much. */
const REST_ONE_IN = 20;
const REST_IN_FLIGHT = 20;
/** Attempts one publisher may have in flight; more are held back, as a client with a bounded outbox would. */
const IN_FLIGHT = 60;
const TICK_MS = 5;
/** Longest that what is in flight takes to be answered. */
const SETTLE_MS = 20_000;

export interface LoadOptions {
  readonly ledger: Ledger;
  readonly channels: readonly string[];
  /** Publications a second. */
  readonly rate: number;
  readonly random: SeededRandom;
  readonly pick: (except?: Instance) => Instance;
}

export class Load {
  /** Publications that were due and had no publisher to take them. */
  heldBack = 0;
  sent = 0;
  /** Of the driver, in microseconds: what it used of a core while it sent. */
  private cpu: NodeJS.CpuUsage | undefined;
  private readonly rest: readonly RestPublisher[];
  private readonly sockets: readonly WsPublisher[];
  /** The socket whose turn it is, and how many more it sends in a row. */
  private turn: { readonly publisher: WsPublisher; left: number } | undefined;
  private began = 0;
  private tookMs = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: LoadOptions) {
    const make = { ledger: options.ledger, pick: (except?: Instance) => options.pick(except) };
    this.sockets = Array.from(
      { length: SOCKETS },
      (_, at) => new WsPublisher({ ...make, retries: at % 2 === 0 }),
    );
    this.rest = [
      new RestPublisher({ ...make, retries: false }),
      new RestPublisher({ ...make, retries: true }),
    ];
  }

  /** Publications a second that were sent. */
  get rate(): number {
    return Math.round((this.sent / Math.max(1, this.ms)) * 1000);
  }

  private get ms(): number {
    return this.timer === undefined ? this.tookMs : performance.now() - this.began;
  }

  private get publishers(): readonly Publisher[] {
    return [...this.sockets, ...this.rest];
  }

  /** Share of a core that the driver used while it sent. */
  get driverShare(): number {
    if (this.cpu === undefined) return 0;
    const { user, system } = this.timer === undefined ? this.cpu : process.cpuUsage(this.cpu);
    return Math.round((user + system) / 10 / Math.max(1, this.ms)) / 100;
  }

  async start(): Promise<void> {
    await Promise.all(this.sockets.map((publisher) => publisher.start()));
    this.began = performance.now();
    this.cpu = process.cpuUsage();
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** No more are sent; resolves when everything is answered and every retry has come through. */
  async stop(): Promise<void> {
    this.pauseSending();
    await until(() => this.publishers.every(({ pending }) => pending === 0), 'the last answers', SETTLE_MS);
    this.abandon();
  }

  abandon(): void {
    this.pauseSending();
    for (const publisher of this.publishers) publisher.stop();
  }

  private pauseSending(): void {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.tookMs = performance.now() - this.began;
    this.cpu = process.cpuUsage(this.cpu);
  }

  private tick(): void {
    const { rate } = this.options;
    const due = Math.floor(((performance.now() - this.began) / 1000) * rate);
    while (this.sent + this.heldBack < due) this.next();
  }

  private next(): void {
    const { channels, random } = this.options;
    const channel = channels[random.below(channels.length)] as string;
    const publisher = this.choose();
    if (publisher === undefined) {
      this.heldBack++;
      return;
    }
    this.sent++;
    publisher.publish(channel);
  }

  private choose(): Publisher | undefined {
    const { random } = this.options;
    if (random.below(REST_ONE_IN) === 0) {
      const free = this.rest.filter(({ pending }) => pending < REST_IN_FLIGHT);
      return free[random.below(free.length)];
    }
    if (this.turn === undefined || this.turn.left === 0 || !isFree(this.turn.publisher)) {
      const free = this.sockets.filter(isFree);
      const publisher = free[random.below(free.length)];
      this.turn = publisher && { publisher, left: 1 + random.below(BURST) };
    }
    if (this.turn !== undefined) this.turn.left--;
    return this.turn?.publisher;
  }
}

function isFree({ ready, pending }: Publisher): boolean {
  return ready && pending < IN_FLIGHT;
}
