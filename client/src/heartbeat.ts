// Finds out that a silent connection is dead. Control pings cannot be seen from a page, so a silence is answered by a `ping` frame.

import type { Cancel, Clock } from './time.js';

export interface HeartbeatEvents {
  ping(): void;
  dead(): void;
}

export class Heartbeat {
  #seenAt = 0;
  #cancel: Cancel | undefined;
  #intervalMs = 0;
  #asked = false;
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

  /** From what was seen last: after `intervalMs` of silence a ping, after half of that again the end. 0: no watch. */
  start(intervalMs: number): void {
    this.stop();
    this.#intervalMs = intervalMs;
    if (intervalMs > 0) this.#watch(intervalMs);
  }

  /** Asks now, without waiting for a silence: the timers may have stood still, or the network may be another. */
  ask(): void {
    if (this.#cancel && !this.#asked) this.#ping();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#asked = false;
  }

  #watch(waitMs: number): void {
    this.#asked = false;
    this.#cancel = this.#clock.after(waitMs, () => {
      const leftMs = this.#intervalMs - (this.#clock.now() - this.#seenAt);
      if (leftMs > 0) this.#watch(leftMs);
      else this.#ping();
    });
  }

  #ping(): void {
    const askedAt = this.#clock.now();
    this.#cancel?.();
    this.#asked = true;
    this.#cancel = this.#clock.after(this.#intervalMs / 2, () => {
      if (this.#seenAt < askedAt) this.#events.dead();
      else this.#watch(Math.max(0, this.#intervalMs - (this.#clock.now() - this.#seenAt)));
    });
    this.#events.ping();
  }
}
