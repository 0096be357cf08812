// Token buckets: one, and a bounded table of them. Time is handed in; 0.1 to 0.4 µs a check by the size of the table.

import type { Rate } from '../core/ports/rate.js';
import { RecentMap } from '../core/ports/recent-map.js';

/** A burst of this many times the rate may come at once. */
export const BURST = 2;

export class TokenBucket {
  private tokens: number;
  private at = 0;

  constructor(private readonly rate: Rate) {
    this.tokens = rate.count * BURST;
  }

  /**
   * 0 when it may pass now, otherwise milliseconds until it may. A `cost` over the burst passes when the bucket is full and
   * leaves a debt, so that what is allowed once in a while is not refused for ever.
   */
  take(nowMs: number, cost = 1): number {
    const waitMs = this.wait(nowMs, cost);
    if (waitMs === 0) this.tokens -= cost;
    return waitMs;
  }

  /** As `take`, and nothing is taken. */
  wait(nowMs: number, cost = 1): number {
    const { count, periodMs } = this.rate;
    const needed = Math.min(cost, count * BURST);
    if (this.at !== 0) {
      // A clock that steps back must not take tokens away.
      const elapsed = Math.max(0, nowMs - this.at);
      this.tokens = Math.min(count * BURST, this.tokens + (elapsed * count) / periodMs);
    }
    this.at = nowMs;
    return this.tokens >= needed ? 0 : Math.ceil(((needed - this.tokens) * periodMs) / count);
  }
}

/** Buckets by key (address, user, channel), bounded: what was not used for long is forgotten. */
export class BucketTable {
  private readonly buckets: RecentMap<TokenBucket>;

  constructor(
    private readonly rate: Rate,
    most: number,
  ) {
    this.buckets = new RecentMap(most);
  }

  get size(): number {
    return this.buckets.size;
  }

  /** `rate` where each key has its own; a key keeps the one that it came with. */
  take(key: string, nowMs: number, cost = 1, rate = this.rate): number {
    if (rate.count === 0) return 0;
    let bucket = this.buckets.get(key);
    if (bucket === undefined) this.buckets.set(key, (bucket = new TokenBucket(rate)));
    return bucket.take(nowMs, cost);
  }

  /** Milliseconds until one would pass; takes nothing and remembers nobody. */
  wait(key: string, nowMs: number): number {
    return this.buckets.peek(key)?.wait(nowMs) ?? 0;
  }
}
