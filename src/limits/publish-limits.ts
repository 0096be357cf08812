// Asked on the road of each publish: messages of a user on all instances together, and publishes of a channel on this one.

import { TrunklineError } from '../core/errors.js';
import type { LimitLedger, PublishAsked, PublishGate } from '../core/ports/limits.js';
import type { Rate } from '../core/ports/rate.js';
import type { Clock } from '../core/ports/time.js';
import type { SharedWindows } from './shared-windows.js';
import type { BucketTable } from './token-bucket.js';

export interface PublishLimitsParts {
  readonly clock: Clock;
  readonly ledger: LimitLedger;
  /** Of one user. */
  readonly userRate: Rate;
  readonly users: SharedWindows;
  /** The rate of each comes with the question. */
  readonly channels: BucketTable;
}

export class PublishLimits implements PublishGate {
  constructor(private readonly parts: PublishLimitsParts) {}

  check({ user, channel, rate }: PublishAsked): void {
    const { clock, userRate } = this.parts;
    const nowMs = clock.now();
    if (user !== undefined && userRate.count > 0) this.checkUser(user, nowMs);
    if (rate !== undefined) this.checkChannel(channel, rate, nowMs);
  }

  private checkUser(user: string, nowMs: number): void {
    const { users, userRate, ledger } = this.parts;
    const { over, endsAt } = users.count(user, nowMs, userRate);
    if (over && ledger.refuses('user_messages', user))
      throw tooMany('You publish too much', Math.max(1, endsAt - nowMs));
  }

  private checkChannel(channel: string, rate: Rate, nowMs: number): void {
    const { channels, ledger } = this.parts;
    const waitMs = channels.take(channel, nowMs, 1, rate);
    if (waitMs > 0 && ledger.refuses('publishes', channel))
      throw tooMany('Too much is published to this channel', waitMs);
  }
}

function tooMany(what: string, retryAfterMs: number): TrunklineError {
  return new TrunklineError('rate_limited', `${what}; wait ${retryAfterMs} ms.`, { retryAfterMs });
}
