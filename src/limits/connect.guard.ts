// Bounds how often one address may open a connection that stays, before its credential is even read.

import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { TrunklineError } from '../core/errors.js';
import type { Clock } from '../core/ports/time.js';
import { CLOCK } from '../core/tokens.js';
import { LimitTables } from './limit-tables.js';

@Injectable()
export class ConnectGuard implements CanActivate {
  constructor(
    @Inject(LimitTables) private readonly tables: LimitTables,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const { ip = 'unknown' } = context.switchToHttp().getRequest<Request>();
    const waitMs = this.tables.connects.take(ip, this.clock.now());
    if (waitMs === 0) return true;
    throw new TrunklineError('rate_limited', 'Too many connections from this address.', {
      retryAfterMs: waitMs,
    });
  }
}
