// @nestjs/throttler for HTTP, with a storage of O(1) a hit: the library's own keeps a timer per hit. Counts strangers' requests by address.

import { Injectable, type ExecutionContext } from '@nestjs/common';
import { ThrottlerGuard, type ThrottlerStorage } from '@nestjs/throttler';
import { TrunklineError } from '../core/errors.js';
import type { Request } from 'express';
import { TOKEN_COOKIE } from '../protocol/frames.js';
import type { Clock } from '../core/ports/time.js';

interface Window {
  hits: number;
  endsAt: number;
  blockedUntil: number;
}

type StorageRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

export class WindowThrottlerStorage implements ThrottlerStorage {
  private readonly windows = new Map<string, Window>();

  constructor(
    private readonly clock: Clock,
    /** Windows kept; the longest unused is forgotten first. */
    private readonly most: number,
  ) {}

  async increment(
    ...[key, ttl, limit, blockDuration]: Parameters<ThrottlerStorage['increment']>
  ): Promise<StorageRecord> {
    const now = this.clock.now();
    const window = this.touch(key, now, ttl);
    if (window.blockedUntil <= now) {
      window.hits++;
      if (window.hits > limit) window.blockedUntil = now + blockDuration;
    }
    const blockedMs = Math.max(0, window.blockedUntil - now);
    return {
      totalHits: window.hits,
      timeToExpire: Math.ceil((window.endsAt - now) / 1000),
      isBlocked: blockedMs > 0,
      timeToBlockExpire: Math.ceil(blockedMs / 1000),
    };
  }

  private touch(key: string, now: number, ttl: number): Window {
    const known = this.windows.get(key);
    this.windows.delete(key);
    const fresh = known === undefined || (known.endsAt <= now && known.blockedUntil <= now);
    const window = fresh ? { hits: 0, endsAt: now + ttl, blockedUntil: 0 } : known;
    this.windows.set(key, window);
    if (this.windows.size > this.most) this.windows.delete(this.windows.keys().next().value as string);
    return window;
  }
}

/** Answers in our own form, and leaves what is not HTTP alone. */
@Injectable()
export class HttpThrottlerGuard extends ThrottlerGuard {
  /** Who brings a credential is counted as who it is, or refused with 401 before it costs anything. */
  protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true;
    const { authorization, cookie } = context.switchToHttp().getRequest<Request>().headers;
    return authorization !== undefined || cookie?.includes(`${TOKEN_COOKIE}=`) === true;
  }

  protected override async throwThrottlingException(
    _context: ExecutionContext,
    detail: { readonly timeToBlockExpire: number },
  ): Promise<void> {
    const retryAfterMs = detail.timeToBlockExpire * 1000;
    throw new TrunklineError('rate_limited', 'Too many requests from this address.', { retryAfterMs });
  }
}
