// Puts the identity of an HTTP request on it. Refuses bad credentials and foreign pages; what the identity may do is policy's matter.

import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { TrunklineError } from '../core/errors.js';
import { setRequestIdentity } from '../core/request-identity.js';
import { Authentication, type Identified } from './authentication.js';
import { ConnectRoute } from './connect-route.js';
import { OriginPolicy } from './origin.js';

const BY_ADDRESS: ReadonlySet<Identified['by']> = new Set(['ticket', 'query'] as const);

@Injectable()
export class AuthGuard implements CanActivate {
  /** For the limit of requests without a credential: on a route with this guard a credential is looked at. */
  static readonly readsCredentials = true;

  constructor(
    @Inject(Authentication) private readonly authentication: Authentication,
    @Inject(OriginPolicy) private readonly origins: OriginPolicy,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    const address = {
      url: request.originalUrl,
      connects: this.reflector.get(ConnectRoute, context.getHandler()) === true,
      from: request.ip,
    };
    const { identity } = await this.authentication.identify(request.headers, address, (by) =>
      this.checkOrigin(request, by),
    );
    setRequestIdentity(request, identity);
    return true;
  }

  private checkOrigin({ method, headers }: Request, by: Identified['by']): void {
    const { origin, host } = headers;
    const readsOnly = method === 'GET' || method === 'HEAD';
    // A browser sends no Origin on same-origin GETs, so a cookie is enough for those, unless it says that the page is of another site. Such
    // a page may put a picture there, and into its address what it likes.
    const foreign = /^(?:cross|same)-site$/.test(headers['sec-fetch-site'] ?? '');
    const needsOrigin = by === 'cookie' ? !readsOnly || foreign : BY_ADDRESS.has(by) && foreign;
    if (!this.origins.allows({ origin, host, byCookie: needsOrigin }))
      throw new TrunklineError('forbidden', 'Pages of this origin may not call this server.');
  }
}
