// Bounds how many wrong credentials one address may try: over it, no credential from there is looked at. Knows no credential.

import { TrunklineError } from '../core/errors.js';
import type { LimitLedger, LoginWatch } from '../core/ports/limits.js';
import type { Clock } from '../core/ports/time.js';
import { countedKey } from './address.js';
import type { BucketTable } from './token-bucket.js';

export class FailedLogins implements LoginWatch {
  constructor(
    private readonly failures: BucketTable,
    private readonly ledger: LimitLedger,
    private readonly clock: Clock,
  ) {}

  async watch<T>(address: string | undefined, login: () => Promise<T>): Promise<T> {
    if (address === undefined) return login();
    const key = countedKey(address);
    const waitMs = this.failures.wait(key, this.clock.now());
    if (waitMs > 0 && this.ledger.refuses('failed_logins', key)) {
      throw new TrunklineError('rate_limited', 'Too many failed logins from this address.', {
        retryAfterMs: waitMs,
      });
    }
    try {
      return await login();
    } catch (thrown) {
      // A token that was good until it ended is nobody's guess.
      if (thrown instanceof TrunklineError && thrown.code === 'unauthenticated')
        this.failures.take(key, this.clock.now());
      throw thrown;
    }
  }
}
