// The figures of all instances together, for people and dashboards; metrics for machines are served by ops.

import { Controller, Get, Inject, UseInterceptors } from '@nestjs/common';
import { BackendOnly } from '../auth/identity.decorators.js';
import { RealtimeService } from '../core/realtime.service.js';
import { RateLimitInterceptor } from '../limits/rate-limit.interceptor.js';

@Controller('api/stats')
@BackendOnly('stats')
@UseInterceptors(RateLimitInterceptor)
export class StatsController {
  constructor(@Inject(RealtimeService) private readonly realtime: RealtimeService) {}

  @Get()
  show(): ReturnType<RealtimeService['allStats']> {
    return this.realtime.allStats();
  }
}
