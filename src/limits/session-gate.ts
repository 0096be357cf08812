// The gate of one session: a bucket of frames and one of bytes, each under its own name.

import type { RateGate } from '../core/ports/application.js';
import type { LimitLedger } from '../core/ports/limits.js';
import type { Rate } from '../core/ports/rate.js';
import { TokenBucket } from './token-bucket.js';

/** Shared by all sessions of a kind. */
export interface SessionRates {
  readonly frames: Rate;
  readonly bytes: Rate;
  readonly ledger: LimitLedger;
}

export class SessionGate implements RateGate {
  private readonly frames: TokenBucket;
  private readonly bytes: TokenBucket;

  constructor(private readonly rates: SessionRates) {
    this.frames = new TokenBucket(rates.frames);
    this.bytes = new TokenBucket(rates.bytes);
  }

  take(nowMs: number, bytes = 0): number {
    const { frames, bytes: volume, ledger } = this.rates;
    let waitMs = frames.count === 0 ? 0 : this.frames.take(nowMs);
    if (waitMs > 0 && !ledger.refuses('frames', '')) waitMs = 0;
    if (volume.count === 0) return waitMs;
    // A frame that is refused already is not carried out, so it costs nothing more.
    const fullMs = waitMs > 0 ? this.bytes.wait(nowMs, bytes) : this.bytes.take(nowMs, bytes);
    return fullMs > 0 && ledger.refuses('bytes', '') ? Math.max(waitMs, fullMs) : waitMs;
  }
}

export const OPEN_GATE: RateGate = { take: () => 0 };

/** No object is made when there is no limit. */
export function newGate(rates: SessionRates): RateGate {
  return rates.frames.count === 0 && rates.bytes.count === 0 ? OPEN_GATE : new SessionGate(rates);
}
