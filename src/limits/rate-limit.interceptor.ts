// Bounds requests before pipes validate them: users by the message rate, API keys by theirs, strangers by address.

import {
  Inject,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import type { Observable } from 'rxjs';
import { TrunklineError } from '../core/errors.js';
import { requestIdentity } from '../core/request-identity.js';
import { CLOCK } from '../core/tokens.js';
import type { Clock } from '../core/ports/time.js';
import { callerKey, LimitTables } from './limit-tables.js';

/** What a request costs, by its parsed body; 1 for routes without it. */
export const RateCost = Reflector.createDecorator<(body: unknown) => number>();

@Injectable()
export class RateLimitInterceptor implements NestInterceptor {
  constructor(
    @Inject(LimitTables) private readonly tables: LimitTables,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const request = context.switchToHttp().getRequest<Request>();
    const costOf = this.reflector.get(RateCost, context.getHandler());
    const waitMs = this.take(request, Math.max(1, costOf?.(request.body) ?? 1));
    if (waitMs > 0) {
      throw new TrunklineError('rate_limited', `Too many requests; wait ${waitMs} ms.`, {
        retryAfterMs: waitMs,
      });
    }
    return next.handle();
  }

  private take(request: Request, cost: number): number {
    const identity = requestIdentity(request);
    const now = this.clock.now();
    if (identity.kind === 'backend') return this.tables.api.take('backend', now, cost);
    return this.tables.messages.take(callerKey(identity.user, request.ip), now, cost);
  }
}
