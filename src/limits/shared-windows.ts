// Counts by key in windows of time, over all instances together and without waiting for any: each counts for itself, tells the others
// a tenth of the limit at a time, and learns by the answer what they have told. Knows no store but a function that adds.

import type { Rate } from '../core/ports/rate.js';
import { RecentMap } from '../core/ports/recent-map.js';

/** Adds to a counter that all instances share, and gives its sum. Rejects when it is away. */
export type AddShared = (name: string, amount: number, ttlMs: number) => Promise<number>;

interface Window {
  /** Which period since 1970 it is. */
  index: number;
  /** Counted here. */
  used: number;
  /** Of these, told to the others. */
  told: number;
  /** What the others had told at the last answer. */
  others: number;
  asking: boolean;
}

export interface WindowsParts {
  /** Keeps the counters of one limit from those of another. */
  readonly name: string;
  /** Windows kept at most. */
  readonly most: number;
  /** Undefined: this instance is alone. */
  readonly add: AddShared | undefined;
}

export interface Counted {
  /** In this window, all instances together as far as is known here; this one included unless it is over. */
  readonly sum: number;
  readonly over: boolean;
  readonly endsAt: number;
}

interface Telling {
  readonly key: string;
  readonly window: Window;
  readonly rate: Rate;
  readonly add: AddShared;
}

/** What an instance keeps to itself, as a part of the limit: the error of the count, and a tenth of the questions. */
const SHARE = 0.1;

export class SharedWindows {
  private readonly windows: RecentMap<Window>;

  constructor(private readonly parts: WindowsParts) {
    this.windows = new RecentMap(parts.most);
  }

  get size(): number {
    return this.windows.size;
  }

  /**
   * Counts `cost` unless it is over the limit. One that costs more than the whole limit passes at the beginning of a window. With n
   * instances at most n − 1 shares pass beyond the limit, and what passes during one answer of the store.
   */
  count(key: string, nowMs: number, rate: Rate, cost = 1): Counted {
    const index = Math.floor(nowMs / rate.periodMs);
    const window = this.touch(key, index);
    const sum = window.used + window.others;
    const endsAt = (index + 1) * rate.periodMs;
    if (sum > 0 && sum + cost > rate.count) return { sum, over: true, endsAt };
    window.used += cost;
    const { add } = this.parts;
    if (add !== undefined && !window.asking && window.used - window.told >= shareOf(rate))
      void this.tell({ key, window, rate, add });
    return { sum: sum + cost, over: false, endsAt };
  }

  private touch(key: string, index: number): Window {
    const known = this.windows.get(key);
    // A clock that steps back stays in the window that it knows.
    if (known !== undefined && known.index >= index) return known;
    const window = { index, used: 0, told: 0, others: 0, asking: false };
    this.windows.set(key, window);
    return window;
  }

  /** While the store is away this instance counts alone; what it could not tell is not told again, since it may have been heard. */
  private async tell({ key, window, rate, add }: Telling): Promise<void> {
    const { name } = this.parts;
    window.asking = true;
    try {
      while (window.used - window.told >= shareOf(rate)) {
        const amount = window.used - window.told;
        window.told += amount;
        const sum = await add(`${name}:${window.index}:${key}`, amount, 2 * rate.periodMs);
        window.others = Math.max(window.others, sum - window.told);
      }
    } catch {
      // The store says what is wrong with it in its own log.
    } finally {
      window.asking = false;
    }
  }
}

function shareOf({ count }: Rate): number {
  return Math.max(1, Math.floor(count * SHARE));
}
