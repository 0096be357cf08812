// Publications of one channel over REST: publish and read. Rules of the channel are the core's; this only carries.

import { Controller, Get, Inject, Param, Post, Query, UseGuards, UseInterceptors } from '@nestjs/common';
import { AuthGuard } from '../auth/auth.guard.js';
import { Caller } from '../auth/identity.decorators.js';
import type { Identity } from '../core/identity.js';
import { RealtimeService } from '../core/realtime.service.js';
import { RateLimitInterceptor } from '../limits/rate-limit.interceptor.js';
import { encodeHistoryResult, encodePublishResult } from '../protocol/encode.js';
import { HISTORY_LIMIT } from '../protocol/frames.js';
import { parsePosition } from '../protocol/position.js';
import { DtoPipe } from './dto.js';
import { JsonBody, type Json } from './json-body.js';
import { HistoryQuery, PublishDto } from './messages.dto.js';
import { ChannelPipe, IdempotencyKey } from './params.js';
import { RawJson } from './raw-reply.js';

@Controller('api/channels/:channel/messages')
@UseGuards(AuthGuard)
@UseInterceptors(RateLimitInterceptor)
export class MessagesController {
  constructor(@Inject(RealtimeService) private readonly realtime: RealtimeService) {}

  @Post()
  @RawJson()
  async publish(
    @Param('channel', ChannelPipe) channel: string,
    @JsonBody(PublishDto) { dto, data = 'null' }: Json<PublishDto>,
    @IdempotencyKey() idempotencyKey: string | undefined,
    @Caller() identity: Identity,
  ): Promise<string> {
    const { event, key, exceptSession: except } = dto;
    const request = { channel, event, data, key, except, idempotencyKey, identity };
    return encodePublishResult(await this.realtime.publishRaw(request));
  }

  @Get()
  @RawJson()
  async history(
    @Param('channel', ChannelPipe) channel: string,
    @Query(DtoPipe) { since, limit, reverse }: HistoryQuery,
    @Caller() identity: Identity,
  ): Promise<string> {
    const result = await this.realtime.history(channel, {
      since: since === undefined ? undefined : parsePosition(since),
      limit: limit === undefined ? HISTORY_LIMIT : Number(limit),
      reverse: reverse === 'true',
      identity,
    });
    return encodeHistoryResult(result);
  }
}
