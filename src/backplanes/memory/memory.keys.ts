// Idempotency keys of the last minutes and the positions they stand for. All live equally long, so the oldest is always first.

import type { Position } from '../../protocol/position.js';
import { TrunklineError } from '../../core/errors.js';

interface Remembered {
  readonly position: Position;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export interface KeyBounds {
  /** 0: nothing is remembered. */
  readonly idempotencyWindowMs: number;
  /** 0: no limit. */
  readonly maxIdempotencyKeys: number;
}

export class MemoryKeys {
  private readonly positions = new Map<string, Remembered>();

  constructor(private readonly bounds: KeyBounds) {}

  get size(): number {
    return this.positions.size;
  }

  /** The first position of this key. When there is none, room for it is made sure of, so that `remember` cannot fail afterwards. */
  find(channel: string, key: string, now: number): Position | undefined {
    const found = this.positions.get(nameOf(channel, key));
    if (found !== undefined && found.until > now) return found.position;
    this.sweep(now);
    const { maxIdempotencyKeys: most } = this.bounds;
    if (most > 0 && this.positions.size >= most) {
      throw new TrunklineError('unavailable', 'Too many idempotency keys are in use.', {
        retryAfterMs: 1000,
      });
    }
    return undefined;
  }

  remember(channel: string, key: string, { position, now }: { position: Position; now: number }): void {
    if (this.bounds.idempotencyWindowMs === 0) return;
    const name = nameOf(channel, key);
    this.positions.delete(name);
    this.positions.set(name, { position, until: now + this.bounds.idempotencyWindowMs });
  }

  /** Frees what is too old. Each key is passed once, so this is cheap to call often. */
  sweep(now: number): void {
    for (const [name, { until }] of this.positions) {
      if (until > now) return;
      this.positions.delete(name);
    }
  }

  /** Forgets the keys of a channel whose publications came after `offset`. Walks all keys. */
  forgetAfter(channel: string, offset: number): void {
    for (const [name, { position }] of this.positions) {
      if (name.startsWith(nameOf(channel, '')) && position.offset > offset) this.positions.delete(name);
    }
  }

  clear(): void {
    this.positions.clear();
  }
}

/** Neither part may contain a control character, so no two pairs make one name. */
function nameOf(channel: string, key: string): string {
  return `${channel}\n${key}`;
}
