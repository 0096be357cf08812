// The limit of connects in front of routes that open a stream, before their credential is read.

import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { ConnectLimit } from './connect-limit.js';

@Injectable()
export class ConnectGuard implements CanActivate {
  constructor(@Inject(ConnectLimit) private readonly limit: ConnectLimit) {}

  canActivate(context: ExecutionContext): boolean {
    const { ip = 'unknown' } = context.switchToHttp().getRequest<Request>();
    const refusal = this.limit.refusal(ip);
    if (refusal !== undefined) throw refusal;
    return true;
  }
}
