// Sessions of users: see them, and close them. A user sees only their own.

import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Query,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { AuthGuard } from '../auth/auth.guard.js';
import { BackendOnly, Caller } from '../auth/identity.decorators.js';
import { TrunklineError } from '../core/errors.js';
import { hasScope, type Identity } from '../core/identity.js';
import { RealtimeService, type SessionView } from '../core/realtime.service.js';
import { RateLimitInterceptor } from '../limits/rate-limit.interceptor.js';
import { DtoPipe } from './dto.js';
import { KnownCallerGuard } from './known-caller.guard.js';
import { UserPipe } from './params.js';
import { SessionsQuery } from './sessions.dto.js';

@Controller('api')
@UseInterceptors(RateLimitInterceptor)
export class SessionsController {
  constructor(@Inject(RealtimeService) private readonly realtime: RealtimeService) {}

  @Get('sessions')
  @UseGuards(AuthGuard, KnownCallerGuard)
  async list(
    @Query(DtoPipe) { user }: SessionsQuery,
    @Caller() identity: Identity,
  ): Promise<{ readonly sessions: readonly SessionView[] }> {
    if (identity.kind === 'backend' && !hasScope(identity, 'stats'))
      throw new TrunklineError('forbidden', 'This API key has no right to this call.');
    if (identity.kind === 'user' && user !== identity.user) {
      throw new TrunklineError('forbidden', 'You may ask for your own sessions only.');
    }
    return { sessions: await this.realtime.allSessions(user) };
  }

  @Delete('users/:user/sessions')
  @BackendOnly('disconnect')
  @HttpCode(204)
  async close(@Param('user', UserPipe) user: string): Promise<void> {
    await this.realtime.disconnect(user);
  }
}
