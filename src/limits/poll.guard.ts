// Bounds how often one user, or one address of strangers, may poll. Goes after authentication.

import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { TrunklineError } from '../core/errors.js';
import type { Clock } from '../core/ports/time.js';
import { requestIdentity } from '../core/request-identity.js';
import { CLOCK } from '../core/tokens.js';
import { callerKey, LimitTables } from './limit-tables.js';

@Injectable()
export class PollGuard implements CanActivate {
  constructor(
    @Inject(LimitTables) private readonly tables: LimitTables,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const { kind, user } = requestIdentity(request);
    if (kind === 'backend') return true;
    const waitMs = this.tables.polls.take(callerKey(user, request.ip), this.clock.now());
    if (waitMs === 0) return true;
    throw new TrunklineError('rate_limited', `Too many polls; wait ${waitMs} ms.`, { retryAfterMs: waitMs });
  }
}
