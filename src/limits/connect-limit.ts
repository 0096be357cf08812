// Bounds how often connections that stay may be opened, from one address and from all together, before anything of them is read.

import { TrunklineError } from '../core/errors.js';
import type { Clock } from '../core/ports/time.js';
import { countedKey } from './address.js';
import type { LimitTables } from './limit-tables.js';

export class ConnectLimit {
  constructor(
    private readonly tables: LimitTables,
    private readonly clock: Clock,
  ) {}

  /** Undefined: one more may come. */
  refusal(address: string): TrunklineError | undefined {
    const now = this.clock.now();
    const waitMs = this.tables.connects.take(countedKey(address), now);
    if (waitMs > 0) return refuse('rate_limited', 'Too many connections from this address.', waitMs);
    const totalMs = this.tables.totalConnects.take('all', now);
    return totalMs > 0 ? refuse('unavailable', 'Too many connections at once.', totalMs) : undefined;
  }
}

function refuse(code: 'rate_limited' | 'unavailable', message: string, retryAfterMs: number): TrunklineError {
  return new TrunklineError(code, message, { retryAfterMs });
}
