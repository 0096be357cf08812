// Puts the identity of an HTTP request on it. Refuses bad credentials and foreign pages; what the identity may do is policy's matter.

import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { TrunklineError } from '../core/errors.js';
import { setRequestIdentity } from '../core/request-identity.js';
import { Authentication } from './authentication.js';
import { OriginPolicy } from './origin.js';

@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    @Inject(Authentication) private readonly authentication: Authentication,
    @Inject(OriginPolicy) private readonly origins: OriginPolicy,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    const { identity, by } = await this.authentication.identify(request.headers);
    const { origin, host } = request.headers;
    const readsOnly = request.method === 'GET' || request.method === 'HEAD';
    // A browser sends no Origin on same-origin GETs, so a cookie alone is enough for those; answers are never readable cross-site.
    const passes = this.origins.allows({ origin, host, byCookie: by === 'cookie' && !readsOnly });
    if (!passes) throw new TrunklineError('forbidden', 'Pages of this origin may not call this server.');
    setRequestIdentity(request, identity);
    return true;
  }
}
