// Which channels are occupied, and who is in one of them.

import { Controller, Get, Inject, Param, UseGuards, UseInterceptors } from '@nestjs/common';
import { AuthGuard } from '../auth/auth.guard.js';
import { BackendOnly, Caller } from '../auth/identity.decorators.js';
import type { Identity } from '../core/identity.js';
import { RealtimeService, type ChannelView } from '../core/realtime.service.js';
import { RateLimitInterceptor } from '../limits/rate-limit.interceptor.js';
import type { Member } from '../protocol/publication.js';
import { ChannelPipe } from './params.js';

@Controller('api/channels')
@UseInterceptors(RateLimitInterceptor)
export class ChannelsController {
  constructor(@Inject(RealtimeService) private readonly realtime: RealtimeService) {}

  @Get()
  @BackendOnly('stats')
  async list(): Promise<{ readonly channels: readonly ChannelView[] }> {
    return { channels: await this.realtime.allChannels() };
  }

  @Get(':channel/members')
  @UseGuards(AuthGuard)
  async members(
    @Param('channel', ChannelPipe) channel: string,
    @Caller() identity: Identity,
  ): Promise<{ readonly channel: string; readonly members: readonly Member[] }> {
    return { channel, members: await this.realtime.members(channel, identity) };
  }
}
