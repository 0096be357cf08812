// Which transport the next try uses, and when a better one is tried beside it. Pure: told what happened, it starts nothing.

import type { Random } from './time.js';

/** Tries that what worked last gets before another. */
const LOYAL_TRIES = 3;
/** Milliseconds until a better transport is tried for the first time, doubled each time up to the longest. */
const FIRST_PROBE_MS = 10_000;
const LONGEST_PROBE_MS = 600_000;
const SOON_MS = 750;

/** Rung 0 is the best. */
export class Ladder {
  #rung: number;
  #triesLeft = 1;
  #probes = 0;
  readonly #length: number;

  /** `remembered`: the rung that worked before the page was loaded, −1 for none. */
  constructor(length: number, remembered = -1) {
    this.#length = length;
    this.#rung = Math.max(0, remembered);
    if (remembered >= 0) this.#triesLeft = LOYAL_TRIES;
  }

  /** Of the next try; while connected, of the session. */
  get rung(): number {
    return this.#rung;
  }

  /** Another transport may work where this one hangs, so it is not waited for long. */
  get hasLower(): boolean {
    return this.#rung < this.#length - 1;
  }

  welcomed(rung: number): void {
    if (rung !== this.#rung) this.#probes = 0;
    this.#rung = rung;
    this.#triesLeft = LOYAL_TRIES;
  }

  /** A try ended without a welcome, and no word of the server says why. */
  failed(): void {
    if (--this.#triesLeft > 0) return;
    this.#triesLeft = 1;
    this.#rung = (this.#rung + 1) % this.#length;
    this.#probes = 0;
  }

  /** The credential was refused, which is what a WebSocket cannot tell: it was perhaps never the transport. */
  refused(): void {
    this.#rung = 0;
    this.#triesLeft = 1;
  }

  /** Milliseconds until a better rung is tried; undefined on the best. `soon`: the network has changed, begin anew. */
  probeDelay(random: Random, soon = false): number | undefined {
    if (soon) this.#probes = 0;
    if (this.#rung === 0) return undefined;
    const base = soon ? SOON_MS : Math.min(LONGEST_PROBE_MS, FIRST_PROBE_MS * 2 ** this.#probes);
    return Math.round(base * (0.75 + random() / 2));
  }

  /** The better rung to try now: each in turn, the best first. */
  probe(): number {
    return this.#probes++ % (this.#rung || 1);
  }
}
