// Puts the identity of an HTTP request on it. Refuses bad credentials and foreign pages; what the identity may do is policy's matter.

import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { TrunklineError } from '../core/errors.js';
import { setRequestIdentity } from '../core/request-identity.js';
import { Authentication } from './authentication.js';
import { ConnectRoute } from './connect-route.js';
import { OriginPolicy } from './origin.js';

@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    @Inject(Authentication) private readonly authentication: Authentication,
    @Inject(OriginPolicy) private readonly origins: OriginPolicy,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    const { identity, by } = await this.authentication.identify(request.headers, {
      url: request.originalUrl,
      connects: this.reflector.get(ConnectRoute, context.getHandler()) === true,
      from: request.ip,
    });
    const { origin, host } = request.headers;
    const readsOnly = request.method === 'GET' || request.method === 'HEAD';
    // A browser sends no Origin on same-origin GETs, so a cookie is enough for those, unless it says that the page is of another site.
    const foreign = /^(?:cross|same)-site$/.test(request.headers['sec-fetch-site'] ?? '');
    const passes = this.origins.allows({
      origin,
      host,
      byCookie: by === 'cookie' && (!readsOnly || foreign),
    });
    if (!passes) throw new TrunklineError('forbidden', 'Pages of this origin may not call this server.');
    setRequestIdentity(request, identity);
    return true;
  }
}
