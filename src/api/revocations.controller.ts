// Tokens of a user that shall not be good any more. What a revocation means is told by the core.

import { Controller, HttpCode, Inject, Param, Post, UseInterceptors } from '@nestjs/common';
import { BackendOnly } from '../auth/identity.decorators.js';
import { RealtimeService } from '../core/realtime.service.js';
import { RateLimitInterceptor } from '../limits/rate-limit.interceptor.js';
import { OptionalJsonBody, type Json } from './json-body.js';
import { UserPipe } from './params.js';
import { RevocationDto } from './revocations.dto.js';

@Controller('api/users/:user/revocations')
@BackendOnly('revoke')
@UseInterceptors(RateLimitInterceptor)
export class RevocationsController {
  constructor(@Inject(RealtimeService) private readonly realtime: RealtimeService) {}

  @Post()
  @HttpCode(201)
  async revoke(
    @Param('user', UserPipe) user: string,
    @OptionalJsonBody(RevocationDto) { dto: { before, tokenId } }: Json<RevocationDto>,
  ): Promise<{
    readonly user: string;
    readonly before?: number;
    readonly tokenId?: string;
    readonly until: number;
  }> {
    const kept = await this.realtime.revoke(user, { before, tokenId });
    const { until } = kept;
    return tokenId === undefined ? { user, before: kept.before, until } : { user, tokenId, until };
  }
}
