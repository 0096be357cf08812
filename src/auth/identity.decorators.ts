// Decorators for HTTP controllers: the caller as a parameter, and routes for backends only.

import {
  applyDecorators,
  createParamDecorator,
  Inject,
  Injectable,
  Logger,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { TrunklineError } from '../core/errors.js';
import { hasScope, SCOPES, type Identity, type Scope } from '../core/identity.js';
import { requestIdentity } from '../core/request-identity.js';
import { AuthGuard } from './auth.guard.js';

/** The identity of the caller; needs `@Authenticated()` or `@BackendOnly()`. */
export const Caller = createParamDecorator((_data: unknown, context: ExecutionContext): Identity =>
  requestIdentity(context.switchToHttp().getRequest<object>()),
);

/** Scopes that an API key needs for a route. */
const NeedsScopes = Reflector.createDecorator<readonly Scope[]>();

@Injectable()
export class BackendGuard implements CanActivate {
  private readonly logger = new Logger('ApiKeys');

  constructor(@Inject(Reflector) private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const identity = requestIdentity(request);
    if (identity.kind === 'anonymous')
      throw new TrunklineError('unauthenticated', 'This call needs an API key.');
    if (identity.kind !== 'backend') throw new TrunklineError('forbidden', 'This call is for backends.');
    const needed =
      this.reflector.getAllAndOverride(NeedsScopes, [context.getHandler(), context.getClass()]) ?? SCOPES;
    const missing = needed.filter((scope) => !hasScope(identity, scope));
    const { method, path } = request;
    const used = { key: identity.key?.name, method, path };
    if (missing.length > 0) {
      this.logger.warn('An API key was refused for its scopes.', { ...used, missing: missing.join(' ') });
      throw new TrunklineError('forbidden', 'This API key has no right to this call.');
    }
    // Who did what to users is for whoever has to find out later; who looked at figures comes every few seconds.
    if (method === 'GET') this.logger.debug('An API key was used.', used);
    else this.logger.log('An API key was used.', used);
    return true;
  }
}

/** Finds the caller; a bad credential is refused. Strangers pass: ask `Caller` who it is. */
export const Authenticated = (): MethodDecorator & ClassDecorator => applyDecorators(UseGuards(AuthGuard));

/** Only API keys may call the route or the controller: those with this scope, or without one named, those with all. */
export const BackendOnly = (scope?: Scope): MethodDecorator & ClassDecorator =>
  applyDecorators(NeedsScopes(scope === undefined ? SCOPES : [scope]), UseGuards(AuthGuard, BackendGuard));
