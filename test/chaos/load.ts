// A stream of publications at an even rate over many channels, by several publishers. What cannot be sent in time is counted, not made up.

import { until } from '../support/wait.js';
import type { SeededRandom } from '../support/seeded-random.js';
import type { Instance } from './cluster.js';
import { RestPublisher, WsPublisher, type Ledger, type Publisher } from './publishers.js';

/** Half of them try again. A server carries out the publishes of one session one after another. */
const SOCKETS = 24;
/** Attempts one publisher may have in flight; more are held back, as a client with a bounded outbox would. */
const IN_FLIGHT = 60;
const TICK_MS = 5;
/** Longest that what is in flight takes to be answered. */
const SETTLE_MS = 15_000;

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
  private readonly publishers: readonly Publisher[];
  private readonly sockets: readonly WsPublisher[];
  private began = 0;
  private tookMs = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: LoadOptions) {
    const make = { ledger: options.ledger, pick: (except?: Instance) => options.pick(except) };
    this.sockets = Array.from(
      { length: SOCKETS },
      (_, at) => new WsPublisher({ ...make, retries: at % 2 === 0 }),
    );
    this.publishers = [
      ...this.sockets,
      new RestPublisher({ ...make, retries: false }),
      new RestPublisher({ ...make, retries: true }),
    ];
  }

  /** Publications a second that were sent. */
  get rate(): number {
    const ms = this.timer === undefined ? this.tookMs : performance.now() - this.began;
    return Math.round((this.sent / Math.max(1, ms)) * 1000);
  }

  async start(): Promise<void> {
    await Promise.all(this.sockets.map((publisher) => publisher.start()));
    this.began = performance.now();
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

  /** One in twenty goes over REST, which costs the driver several times as much. */
  private choose(): Publisher | undefined {
    const { random } = this.options;
    const rest = random.below(20) === 0;
    const from = this.publishers.filter((one) => one instanceof RestPublisher === rest);
    const free = from.filter(({ ready, pending }) => ready && pending < (rest ? 20 : IN_FLIGHT));
    return free[random.below(free.length)];
  }
}
