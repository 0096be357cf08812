// Token buckets: one, and a bounded table of them. Time is handed in; about 0.05 µs a check.

import type { RateGate } from '../core/ports/application.js';
import type { Rate } from './limits.options.js';

/** A burst of this many times the rate may come at once. */
const BURST = 2;

export class TokenBucket implements RateGate {
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
    const { count, periodMs } = this.rate;
    const needed = Math.min(cost, count * BURST);
    if (this.at !== 0) {
      // A clock that steps back must not take tokens away.
      const elapsed = Math.max(0, nowMs - this.at);
      this.tokens = Math.min(count * BURST, this.tokens + (elapsed * count) / periodMs);
    }
    this.at = nowMs;
    if (this.tokens >= needed) {
      this.tokens -= cost;
      return 0;
    }
    return Math.ceil(((needed - this.tokens) * periodMs) / count);
  }
}

export const OPEN_GATE: RateGate = { take: () => 0 };

/** A gate for one session; no object is made when there is no limit. */
export function newGate(rate: Rate): RateGate {
  return rate.count === 0 ? OPEN_GATE : new TokenBucket(rate);
}

/** Buckets by key (address, user, API key), bounded: the longest unused is forgotten first. */
export class BucketTable {
  private readonly buckets = new Map<string, TokenBucket>();

  constructor(
    private readonly rate: Rate,
    private readonly most: number,
  ) {}

  get size(): number {
    return this.buckets.size;
  }

  take(key: string, nowMs: number, cost = 1): number {
    if (this.rate.count === 0) return 0;
    let bucket = this.buckets.get(key);
    if (bucket === undefined) bucket = new TokenBucket(this.rate);
    else this.buckets.delete(key);
    this.buckets.set(key, bucket);
    if (this.buckets.size > this.most) this.buckets.delete(this.buckets.keys().next().value as string);
    return bucket.take(nowMs, cost);
  }
}
