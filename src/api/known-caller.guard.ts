// Lets users and backends in, strangers not: for calls that no rule of a channel opens to anyone.

import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { TrunklineError } from '../core/errors.js';
import { requestIdentity } from '../core/request-identity.js';

/** Goes after AuthGuard: `@UseGuards(AuthGuard, KnownCallerGuard)`. */
@Injectable()
export class KnownCallerGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { kind } = requestIdentity(context.switchToHttp().getRequest<object>());
    if (kind === 'anonymous') throw new TrunklineError('unauthenticated', 'Authenticate first.');
    return true;
  }
}
