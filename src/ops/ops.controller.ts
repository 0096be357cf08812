// Health, readiness and metrics over HTTP.

import type { Server } from 'node:http';
import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { SkipThrottle } from '@nestjs/throttler';
import type { Response } from 'express';
import { Operations } from '../core/operations.js';
import { Metrics } from './metrics.js';

@SkipThrottle()
@Controller()
export class OpsController {
  constructor(
    @Inject(Operations) private readonly operations: Operations,
    @Inject(Metrics) private readonly metrics: Metrics,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
  ) {}

  /** The process answers: do not restart it. */
  @Get('health/live')
  @Header('Cache-Control', 'no-store')
  live(): { status: 'up' } {
    return { status: 'up' };
  }

  /** 503 while draining, without a backplane, or while the public port is not open yet or no more: send nobody new here. */
  @Get('health/ready')
  @Header('Cache-Control', 'no-store')
  ready(@Res({ passthrough: true }) response: Response): {
    status: string;
    draining: boolean;
    backplane: 'up' | 'down';
  } {
    const backplane = this.operations.healthy() ? 'up' : 'down';
    const { draining } = this.operations;
    const { listening } = this.host.httpAdapter.getHttpServer() as Server;
    const ready = backplane === 'up' && !draining && listening;
    response.status(ready ? 200 : 503);
    return { status: ready ? 'ready' : 'not ready', draining, backplane };
  }

  @Get('metrics')
  async scrape(@Res() response: Response): Promise<void> {
    response.setHeader('Cache-Control', 'no-store');
    response.type(this.metrics.contentType).send(await this.metrics.text());
  }
}
