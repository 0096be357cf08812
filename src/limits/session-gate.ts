// The gate of one session: frames and bytes a second, as two buckets in one object, since there is one for each connection.

import type { RateGate } from '../core/ports/application.js';
import type { LimitLedger } from '../core/ports/limits.js';
import type { Rate } from '../core/ports/rate.js';
import { BURST } from './token-bucket.js';

/** Shared by all sessions of a kind. */
export interface SessionRates {
  readonly frames: Rate;
  readonly bytes: Rate;
  readonly ledger: LimitLedger;
}

export class SessionGate implements RateGate {
  private frames: number;
  private bytes: number;
  private at = 0;

  constructor(private readonly rates: SessionRates) {
    this.frames = rates.frames.count * BURST;
    this.bytes = rates.bytes.count * BURST;
  }

  /** A frame over the bytes of a whole burst passes when the bucket is full, and leaves a debt. */
  take(nowMs: number, bytes = 0): number {
    const { frames, bytes: volume, ledger } = this.rates;
    // A clock that steps back must not take tokens away.
    const elapsed = this.at === 0 ? 0 : Math.max(0, nowMs - this.at);
    this.at = nowMs;
    let waitMs = 0;
    if (frames.count > 0) {
      const most = frames.count * BURST;
      this.frames = Math.min(most, this.frames + (elapsed * frames.count) / frames.periodMs);
      if (this.frames >= 1) this.frames -= 1;
      else if (ledger.refuses('frames', '')) waitMs = ((1 - this.frames) * frames.periodMs) / frames.count;
    }
    if (volume.count > 0) {
      const most = volume.count * BURST;
      this.bytes = Math.min(most, this.bytes + (elapsed * volume.count) / volume.periodMs);
      const needed = Math.min(bytes, most);
      // A frame that is refused already is not carried out, so it costs nothing more.
      if (this.bytes >= needed) this.bytes -= waitMs > 0 ? 0 : bytes;
      else if (ledger.refuses('bytes', ''))
        waitMs = Math.max(waitMs, ((needed - this.bytes) * volume.periodMs) / volume.count);
    }
    return Math.ceil(waitMs);
  }
}

export const OPEN_GATE: RateGate = { take: () => 0 };

/** No object is made when there is no limit. */
export function newGate(rates: SessionRates): RateGate {
  return rates.frames.count === 0 && rates.bytes.count === 0 ? OPEN_GATE : new SessionGate(rates);
}
