// Publishes in the order they were made, kept until they are answered. After a lost session they are sent again one at a time,
// each after the answer to the one before: that alone keeps the order when the server refuses one for a while.

import { backoffDelay, type BackoffOptions } from './backoff.js';
import { bufferFull, type TrunklineError } from './errors.js';
import type { Requests } from './requests.js';
import type { Cancel, Clock } from './time.js';
import type { Published } from './types.js';

export interface OutboxOptions extends BackoffOptions {
  readonly requests: Requests;
  readonly clock: Clock;
  /** Publishes that may wait for the connection; one more is refused. */
  readonly limit: number;
}

interface Item {
  /** JSON text with the idempotency key in it, so sending it again changes nothing. */
  readonly body: string;
  readonly resolve: (published: Published) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
  /** From then on it may be in the channel. */
  sent: boolean;
}

export class Outbox {
  readonly #items = new Set<Item>();
  #live = false;
  /** Catching up: one at a time until nothing is left. */
  #draining = false;
  #refusals = 0;
  #cancelRetry: Cancel | undefined;
  readonly #options: OutboxOptions;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** An aborted one that was not sent yet is not sent any more. */
  publish(body: string, signal?: AbortSignal): Promise<Published> {
    const { limit } = this.#options;
    const direct = this.#live && !this.#draining;
    this.#dropAborted();
    if (!direct && this.#items.size >= limit) {
      return Promise.reject(bufferFull(limit));
    }
    return new Promise((resolve, reject) => {
      const item = { body, resolve, reject, signal, sent: false };
      this.#items.add(item);
      if (direct) this.#transmit(item);
    });
  }

  up(): void {
    this.#live = true;
    this.#refusals = 0;
    this.#draining = this.#items.size > 0;
    this.#next();
  }

  down(): void {
    this.#live = false;
    this.#cancelRetry?.();
  }

  fail(error: TrunklineError): void {
    const items = [...this.#items];
    this.#items.clear();
    for (const item of items) item.reject(error);
  }

  #dropAborted(): void {
    for (const item of this.#items) {
      if (item.sent || item.signal?.aborted !== true) continue;
      this.#items.delete(item);
      item.reject(item.signal.reason);
    }
  }

  #next(): void {
    this.#dropAborted();
    const [item] = this.#items;
    if (item === undefined) this.#draining = false;
    else if (this.#live) this.#transmit(item);
  }

  #transmit(item: Item): void {
    const { requests } = this.#options;
    item.sent = true;
    requests.start({ event: 'publish', body: item.body, repeat: false }, (outcome) => {
      // Lost with its session: it stays, and goes again with the next one.
      if (!this.#items.has(item) || (!outcome.ok && outcome.lost)) return;
      if (!outcome.ok && this.#draining && willPass(outcome.error)) return this.#retryLater(outcome.error);
      this.#items.delete(item);
      this.#refusals = 0;
      if (outcome.ok) item.resolve(outcome.data as Published);
      else item.reject(outcome.error);
      if (this.#draining) this.#next();
    });
  }

  #retryLater({ retryAfterMs }: TrunklineError): void {
    const delayMs = retryAfterMs ?? backoffDelay(++this.#refusals, this.#options);
    this.#cancelRetry = this.#options.clock.after(delayMs, () => this.#next());
  }
}

/** True when the refusal passes by itself. `internal` may be about this one message, and must not hold up all others. */
function willPass({ retry, code }: TrunklineError): boolean {
  return retry && code !== 'internal';
}
