// Short texts that are kept for a while and taken once. Bounded; knows no node and not what they mean.

import { TrunklineError } from '../../core/errors.js';

interface Kept {
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export class MemoryKept {
  private readonly texts = new Map<string, Kept>();

  constructor(
    /** 0: no limit. */
    private readonly most: number,
  ) {}

  get size(): number {
    return this.texts.size;
  }

  /** To forget one early would break a promise, so one too many is refused. */
  keep(key: string, text: string, { now, ttlMs }: { readonly now: number; readonly ttlMs: number }): void {
    const full = (): boolean => this.most > 0 && this.texts.size >= this.most && !this.texts.has(key);
    if (full()) this.sweep(now);
    if (full())
      throw new TrunklineError('unavailable', 'Too much is being kept just now.', { retryAfterMs: 1000 });
    this.texts.set(key, { text, until: now + ttlMs });
  }

  take(key: string, now: number): string | undefined {
    const kept = this.texts.get(key);
    this.texts.delete(key);
    return kept !== undefined && kept.until > now ? kept.text : undefined;
  }

  /** Walks all. */
  sweep(now: number): void {
    for (const [key, { until }] of this.texts) if (until <= now) this.texts.delete(key);
  }

  clear(): void {
    this.texts.clear();
  }
}
