// Finds out that a silent connection is dead. Control pings cannot be seen from a page, so a silence is answered by a `ping` frame.

import type { Cancel, Clock } from './time.js';

export interface HeartbeatEvents {
  ping(): void;
  dead(): void;
}

export class Heartbeat {
  #seenAt = 0;
  #cancel: Cancel | undefined;
  readonly #clock: Clock;
  readonly #events: HeartbeatEvents;

  constructor(clock: Clock, events: HeartbeatEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** When something came last, by the clock. */
  get seenAt(): number {
    return this.#seenAt;
  }

  seen(): void {
    this.#seenAt = this.#clock.now();
  }

  /** After `intervalMs` of silence a ping, after half of that again the end. 0: no watch. */
  start(intervalMs: number): void {
    this.stop();
    this.seen();
    if (intervalMs > 0) this.#watch(intervalMs, intervalMs);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #watch(intervalMs: number, waitMs: number): void {
    this.#cancel = this.#clock.after(waitMs, () => {
      const silentMs = this.#clock.now() - this.#seenAt;
      if (silentMs < intervalMs) this.#watch(intervalMs, intervalMs - silentMs);
      else this.#ping(intervalMs);
    });
  }

  #ping(intervalMs: number): void {
    const askedAt = this.#clock.now();
    this.#cancel = this.#clock.after(intervalMs / 2, () => {
      if (this.#seenAt < askedAt) this.#events.dead();
      else this.#watch(intervalMs, Math.max(0, intervalMs - (this.#clock.now() - this.#seenAt)));
    });
    this.#events.ping();
  }
}
