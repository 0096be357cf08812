// Lets only staff pass: the token says who is.

import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { ChannelRequest } from '../../src/index.js';

@Injectable()
export class StaffGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.getArgByIndex<ChannelRequest>(0).identity.claims['staff'] === true;
  }
}
