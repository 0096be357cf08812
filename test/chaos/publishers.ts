// Publishers that write each invoke and its outcome: over WebSocket or REST, giving up at once or trying again elsewhere with the same key.

import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Frame } from '../support/ws-client.js';
import type { Instance } from './cluster.js';
import type { Answer, Attempt, Ledger } from './ledger.js';
import { PATIENCE_MS, postMessage } from './post.js';

/** How often publishes without an answer are looked for: a timer for each would cost more than the publish. */
const SWEEP_MS = 250;
const RECONNECT_MS = 50;
/** Until the second attempt; twice as long until each further one, up to the most, as a client waits for a server in trouble. */
const RETRY_MS = 100;
const MOST_RETRY_MS = 1600;

export interface PublisherOptions {
  readonly ledger: Ledger;
  /** Tries again with the same key until it is acknowledged. */
  readonly retries: boolean;
  readonly pick: (except?: Instance) => Instance;
}

/** What a load needs of a publisher. */
export interface Publisher {
  /** Attempts without an answer, and retries to come. */
  readonly pending: number;
  readonly ready: boolean;
  publish(channel: string): void;
  stop(): void;
}

abstract class Retrying implements Publisher {
  protected stopped = false;
  /** Retries that have not gone out yet. */
  protected waiting = 0;

  constructor(protected readonly options: PublisherOptions) {}

  abstract readonly pending: number;
  abstract readonly ready: boolean;
  protected abstract send(attempt: Attempt): void;

  publish(channel: string): void {
    const { ledger, retries } = this.options;
    const op = ledger.nextOp();
    this.try({ op, n: 1, channel, key: retries ? `k${op}` : undefined });
  }

  stop(): void {
    this.stopped = true;
  }

  protected settle(attempt: Attempt, answer: Answer | string | undefined): void {
    const { kind } = this.options.ledger.settle(attempt, answer);
    if (kind === 'ok' || !this.options.retries || this.stopped) return;
    this.again({ ...attempt, n: attempt.n + 1 });
  }

  /** Once there is a connection to try it on. */
  private again(wish: Omit<Attempt, 'sentAt'>): void {
    const delay = Math.min(MOST_RETRY_MS, RETRY_MS * 2 ** (wish.n - 2));
    this.waiting++;
    setTimeout(() => {
      this.waiting--;
      if (this.stopped) return;
      if (this.ready) this.try(wish);
      else this.again(wish);
    }, delay);
  }

  private try(wish: Omit<Attempt, 'sentAt'>): void {
    const { ledger } = this.options;
    const attempt = { ...wish, sentAt: ledger.history.now() };
    ledger.invoke(attempt);
    this.send(attempt);
  }
}

/** Many in flight on one socket; when it ends, all of them are unknown. What is sent in one turn goes out in one write. */
export class WsPublisher extends Retrying {
  /** In the order they were sent. */
  private readonly flying = new Map<number, Attempt>();
  private client: WebSocket | undefined;
  /** The one under `client`. */
  private wire: Socket | undefined;
  private instance: Instance | undefined;
  private sweep: NodeJS.Timeout | undefined;
  private lastId = 0;

  get pending(): number {
    return this.flying.size + this.waiting;
  }

  get ready(): boolean {
    return this.client !== undefined;
  }

  async start(): Promise<void> {
    this.sweep ??= setInterval(() => this.giveUp(), SWEEP_MS);
    while (!this.stopped) {
      try {
        await this.open();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
      }
    }
  }

  override stop(): void {
    super.stop();
    clearInterval(this.sweep);
    this.client?.terminate();
  }

  protected override send(attempt: Attempt): void {
    const { client, wire } = this;
    if (client === undefined || wire === undefined) return this.settle(attempt, 'not sent');
    if (wire.writableCorked === 0) {
      wire.cork();
      process.nextTick(() => wire.uncork());
    }
    const id = ++this.lastId;
    this.flying.set(id, attempt);
    const { channel, op: data, key: idempotencyKey } = attempt;
    client.send(
      JSON.stringify({ event: 'publish', id, data: { channel, event: 'n', data, idempotencyKey } }),
    );
  }

  private async open(): Promise<void> {
    const instance = this.options.pick(this.instance);
    this.instance = instance;
    const client = new WebSocket(instance.wsUrl, ['trunkline.v1'], {
      headers: { authorization: `Bearer ${instance.token('publisher')}` },
      handshakeTimeout: PATIENCE_MS,
      perMessageDeflate: false,
    });
    client.once('upgrade', ({ socket }) => (this.wire = socket));
    client.on('message', (data) => this.hear(JSON.parse((data as Buffer).toString()) as Frame));
    await new Promise<void>((resolve, reject) => {
      client.once('open', resolve);
      client.on('error', reject);
    });
    this.client = client;
    client.once('close', () => {
      this.client = undefined;
      for (const id of [...this.flying.keys()]) this.land(id, undefined);
      if (!this.stopped) void this.start();
    });
    if (this.stopped) client.terminate();
  }

  private hear({ event, id, data }: Frame): void {
    if (typeof id !== 'number') return;
    if (event === 'ok') this.land(id, data as unknown as Answer);
    else if (event === 'error') this.land(id, data.code);
  }

  private giveUp(): void {
    const latest = this.options.ledger.history.now() - PATIENCE_MS;
    for (const [id, { sentAt }] of this.flying) {
      if (sentAt > latest) return;
      this.land(id, undefined);
    }
  }

  private land(id: number, answer: Answer | string | undefined): void {
    const attempt = this.flying.get(id);
    if (attempt === undefined) return;
    this.flying.delete(id);
    this.settle(attempt, answer);
  }
}

/** One request each, to whichever instance takes it. */
export class RestPublisher extends Retrying {
  readonly ready = true;
  private flying = 0;

  get pending(): number {
    return this.flying + this.waiting;
  }

  protected override send(attempt: Attempt): void {
    this.flying++;
    void postMessage(this.options.pick(), attempt).then((answer) => {
      this.flying--;
      this.settle(attempt, answer);
    });
  }
}
