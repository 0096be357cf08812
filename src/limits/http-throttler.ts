// @nestjs/throttler for HTTP, with a storage of O(1) a hit that counts over all instances: the library's own keeps a timer per hit.
// Counts strangers' requests by address.

import { Inject, Injectable, type ExecutionContext } from '@nestjs/common';
import { GUARDS_METADATA } from '@nestjs/common/constants.js';
import { ThrottlerGuard, type ThrottlerStorage } from '@nestjs/throttler';
import { TrunklineError } from '../core/errors.js';
import type { Request, Response } from 'express';
import { LimitLedger } from '../core/ports/limits.js';
import { TOKEN_COOKIE } from '../protocol/frames.js';
import type { Clock } from '../core/ports/time.js';
import { countedKey } from './address.js';
import type { SharedWindows } from './shared-windows.js';

type StorageRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** Windows end for all at once, on a multiple of their length; who is over is blocked until then, whatever `blockDuration` says. */
export class WindowThrottlerStorage implements ThrottlerStorage {
  constructor(
    private readonly clock: Clock,
    private readonly windows: SharedWindows,
  ) {}

  async increment(...[key, ttl, limit]: Parameters<ThrottlerStorage['increment']>): Promise<StorageRecord> {
    const now = this.clock.now();
    const { sum, over, endsAt } = this.windows.count(key, now, { count: limit, periodMs: ttl });
    const leftSeconds = Math.ceil((endsAt - now) / 1000);
    return {
      totalHits: over ? sum + 1 : sum,
      timeToExpire: leftSeconds,
      isBlocked: over,
      timeToBlockExpire: over ? leftSeconds : 0,
    };
  }
}

const COOKIE = new RegExp(`(?:^|;)\\s*${TOKEN_COOKIE}\\s*=`);

/** A header that nobody reads would lift the limit for whoever sends it. */
function readsCredentials(context: ExecutionContext): boolean {
  const guards = [context.getHandler(), context.getClass()].flatMap(
    (target) => (Reflect.getMetadata(GUARDS_METADATA, target) ?? []) as readonly object[],
  );
  return guards.some((guard) => 'readsCredentials' in guard && guard.readsCredentials === true);
}

/** Answers in our own form, and leaves what is not HTTP alone. */
@Injectable()
export class HttpThrottlerGuard extends ThrottlerGuard {
  @Inject(LimitLedger) private readonly ledger!: LimitLedger;

  /** Who brings a credential is counted as who it is, or refused with 401 before it costs anything: where somebody looks at it. */
  protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true;
    const { authorization, cookie = '' } = context.switchToHttp().getRequest<Request>().headers;
    return (authorization !== undefined || COOKIE.test(cookie)) && readsCredentials(context);
  }

  protected override async getTracker({ ip }: Pick<Request, 'ip'>): Promise<string> {
    return countedKey(ip ?? 'unknown');
  }

  protected override async throwThrottlingException(
    context: ExecutionContext,
    detail: { readonly timeToBlockExpire: number; readonly tracker: string },
  ): Promise<void> {
    if (!this.ledger.refuses('http', detail.tracker)) {
      // The library has set it already, and a request that is served is told nothing of waiting.
      context.switchToHttp().getResponse<Response>().removeHeader('Retry-After');
      return;
    }
    const retryAfterMs = detail.timeToBlockExpire * 1000;
    throw new TrunklineError('rate_limited', 'Too many requests from this address.', { retryAfterMs });
  }
}
