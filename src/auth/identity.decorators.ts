// Decorators for HTTP controllers: the caller as a parameter, and routes for backends only.

import {
  applyDecorators,
  createParamDecorator,
  Injectable,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { TrunklineError } from '../core/errors.js';
import type { Identity } from '../core/identity.js';
import { requestIdentity } from '../core/request-identity.js';
import { AuthGuard } from './auth.guard.js';

/** The identity of the caller; needs `@Authenticated()` or `@BackendOnly()`. */
export const Caller = createParamDecorator((_data: unknown, context: ExecutionContext): Identity =>
  requestIdentity(context.switchToHttp().getRequest<object>()),
);

@Injectable()
export class BackendGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { kind } = requestIdentity(context.switchToHttp().getRequest<object>());
    if (kind === 'backend') return true;
    if (kind === 'anonymous') throw new TrunklineError('unauthenticated', 'This call needs an API key.');
    throw new TrunklineError('forbidden', 'This call is for backends.');
  }
}

/** Finds the caller; a bad credential is refused. Strangers pass: ask `Caller` who it is. */
export const Authenticated = (): MethodDecorator & ClassDecorator => applyDecorators(UseGuards(AuthGuard));

/** Only API keys may call the route or the controller. */
export const BackendOnly = (): MethodDecorator & ClassDecorator =>
  applyDecorators(UseGuards(AuthGuard, BackendGuard));
