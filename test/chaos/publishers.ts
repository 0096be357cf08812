// Publishers that write each invoke and its outcome: over WebSocket or REST, giving up at once or trying again elsewhere with the same key.

import { TEST_API_KEY } from '../support/server.js';
import { connect, type Frame, type WsClient } from '../support/ws-client.js';
import type { Instance } from './cluster.js';
import type { HistoryFile } from './history.js';

/** Milliseconds after which an answer is no longer waited for. The server promises one within 5 s. */
const PATIENCE_MS = 8000;
const RECONNECT_MS = 50;
const RETRY_MS = 100;

export interface Outcome {
  readonly kind: 'ok' | 'fail' | 'unknown';
  readonly code: string;
  /** Milliseconds it took. */
  readonly ms: number;
}

/** Numbers operations and attempts, and writes them down. One for all publishers of a run. */
export class Ledger {
  readonly outcomes: Outcome[] = [];
  readonly codes = new Map<string, number>();
  ok = 0;
  /** Of these, answered with the place of an earlier attempt. */
  repeats = 0;
  private lastOp = 0;

  constructor(readonly history: HistoryFile) {}

  nextOp(): number {
    return ++this.lastOp;
  }

  invoke(attempt: Attempt): void {
    const { op, n, channel: c, key } = attempt;
    const entry = { k: 'invoke', op, n, c, t: this.history.now() } as const;
    this.history.add(key === undefined ? entry : { ...entry, key });
  }

  /** `answer`: what the server said of its place, or the code of its refusal; undefined when it said nothing. */
  settle({ op, n, sentAt }: Attempt, answer: Answer | string | undefined): Outcome {
    const t = this.history.now();
    const ms = t - sentAt;
    const outcome = outcomeOf(answer, ms);
    if (typeof answer === 'object') {
      const { epoch, offset, id, duplicate } = answer;
      this.history.add({ k: 'ok', op, n, epoch, offset, id, dup: duplicate, t });
      this.ok++;
      if (duplicate) this.repeats++;
    } else if (outcome.kind !== 'ok') {
      this.history.add({ k: outcome.kind, op, n, code: outcome.code, t });
      this.codes.set(outcome.code, (this.codes.get(outcome.code) ?? 0) + 1);
    }
    this.outcomes.push(outcome);
    return outcome;
  }
}

export interface Answer {
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
  readonly duplicate: boolean;
}

export interface Attempt {
  readonly op: number;
  readonly n: number;
  readonly channel: string;
  readonly key: string | undefined;
  readonly sentAt: number;
}

/** `internal` says that the server failed, not where. */
const UNSURE: ReadonlySet<string> = new Set(['unknown_outcome', 'internal']);

function outcomeOf(answer: Answer | string | undefined, ms: number): Outcome {
  if (answer === undefined) return { kind: 'unknown', code: 'no answer', ms };
  if (typeof answer === 'object') return { kind: 'ok', code: '', ms };
  return { kind: UNSURE.has(answer) ? 'unknown' : 'fail', code: answer, ms };
}

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
    this.waiting++;
    setTimeout(() => {
      this.waiting--;
      if (this.stopped) return;
      if (this.ready) this.try(wish);
      else this.again(wish);
    }, RETRY_MS);
  }

  private try(wish: Omit<Attempt, 'sentAt'>): void {
    const { ledger } = this.options;
    const attempt = { ...wish, sentAt: ledger.history.now() };
    ledger.invoke(attempt);
    this.send(attempt);
  }
}

/** Many in flight on one socket; when it ends, all of them are unknown. */
export class WsPublisher extends Retrying {
  private readonly flying = new Map<number, { readonly attempt: Attempt; readonly timer: NodeJS.Timeout }>();
  private client: WsClient | undefined;
  private instance: Instance | undefined;
  private lastId = 0;

  get pending(): number {
    return this.flying.size + this.waiting;
  }

  get ready(): boolean {
    return this.client !== undefined;
  }

  async start(): Promise<void> {
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
    this.client?.cut();
  }

  protected override send(attempt: Attempt): void {
    const { client } = this;
    if (client === undefined) return this.settle(attempt, 'not sent');
    const id = ++this.lastId;
    const timer = setTimeout(() => this.land(id, undefined), PATIENCE_MS);
    this.flying.set(id, { attempt, timer });
    const { channel, op: data, key: idempotencyKey } = attempt;
    client.send({ event: 'publish', id, data: { channel, event: 'n', data, idempotencyKey } });
  }

  private async open(): Promise<void> {
    const instance = this.options.pick(this.instance);
    this.instance = instance;
    const client = await connect(instance.wsUrl, {
      token: instance.token('publisher'),
      ws: { handshakeTimeout: PATIENCE_MS },
      onText: (text) => this.hear(JSON.parse(text.toString()) as Frame),
    });
    this.client = client;
    void client.closed.then(() => {
      this.client = undefined;
      for (const id of [...this.flying.keys()]) this.land(id, undefined);
      if (!this.stopped) void this.start();
    });
    if (this.stopped) client.cut();
  }

  private hear({ event, id, data }: Frame): void {
    if (typeof id !== 'number') return;
    if (event === 'ok') this.land(id, data as unknown as Answer);
    else if (event === 'error') this.land(id, data.code);
  }

  private land(id: number, answer: Answer | string | undefined): void {
    const flight = this.flying.get(id);
    if (flight === undefined) return;
    clearTimeout(flight.timer);
    this.flying.delete(id);
    this.settle(flight.attempt, answer);
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

/** Never rejects: undefined when nobody knows what became of it. `url` in place of the instance's own: the way through a proxy. */
export async function postMessage(
  { url: direct }: Instance,
  { channel, op, key }: Attempt,
  url = direct,
): Promise<Answer | string | undefined> {
  try {
    const response = await fetch(`${url}/api/channels/${encodeURIComponent(channel)}/messages`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TEST_API_KEY}`,
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      body: JSON.stringify({ event: 'n', data: op }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const body = (await response.json()) as Answer & { readonly code: string };
    return response.status === 201 ? body : body.code;
  } catch {
    return undefined;
  }
}
