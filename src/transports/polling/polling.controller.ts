// `GET /poll`: who asks, for which channels, from where, for how long. Headers and statuses; the answer is made elsewhere.

import { Controller, Get, Inject, Query, Req, Res, UseGuards } from '@nestjs/common';
import { SkipThrottle } from '@nestjs/throttler';
import type { Request, Response } from 'express';
import { AuthGuard } from '../../auth/auth.guard.js';
import { ConnectRoute } from '../../auth/connect-route.js';
import { Caller } from '../../auth/identity.decorators.js';
import { invalidData } from '../../core/errors.js';
import type { Identity } from '../../core/identity.js';
import { PollGuard } from '../../limits/poll.guard.js';
import { readStreamQuery, type RawStreamQuery } from '../../protocol/stream-query.js';
import type { PollingOptions } from './polling.options.js';
import { PollingService } from './polling.service.js';
import { POLL_PATH, POLLING_OPTIONS } from './polling.tokens.js';

const ETAG = /^(?:W\/)?"([^"]*)"$/;

@Controller(POLL_PATH)
export class PollingController {
  constructor(
    @Inject(PollingService) private readonly service: PollingService,
    @Inject(POLLING_OPTIONS) private readonly options: PollingOptions,
  ) {}

  @Get()
  @ConnectRoute(true)
  @SkipThrottle()
  @UseGuards(AuthGuard, PollGuard)
  async poll(
    @Req() request: Request,
    @Res() response: Response,
    @Query() query: RawStreamQuery & { readonly wait?: unknown },
    @Caller() identity: Identity,
  ): Promise<void> {
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.appendHeader('Vary', 'Origin, Cookie, Authorization');
    // Express gives HEAD to GET, and a wait without an answer is of no use.
    if (request.method !== 'GET') {
      response.setHeader('Allow', 'GET').status(405).end();
      return;
    }
    const known = ETAG.exec(request.headers['if-none-match'] ?? '')?.[1];
    const asked = readStreamQuery(query, query.cursor === undefined ? known : undefined);
    if (!asked.ok) throw invalidData(asked.path, asked.message);
    const { channels, cursor } = asked;
    if (channels.length === 0) throw invalidData('channel', 'names at least one channel');
    const waitMs = this.waitMs(query.wait);
    const onAbort = (abandon: () => void): void => {
      // It may have gone while its credential was checked, and then nobody tells us any more.
      if (response.destroyed || request.socket.destroyed) abandon();
      else response.once('close', abandon);
    };
    const answer = await this.service.poll({ identity, channels, cursor, waitMs, onAbort });
    if (response.destroyed) return;
    response.setHeader('ETag', `"${answer.cursor}"`);
    if (known === answer.cursor && answer.empty) {
      response.status(304).end();
      return;
    }
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.end(answer.body);
  }

  private waitMs(value: unknown): number {
    const { defaultWaitSeconds, maxWaitSeconds } = this.options;
    if (value === undefined || value === '') return defaultWaitSeconds * 1000;
    if (typeof value !== 'string' || !/^[0-9]{1,9}(\.[0-9]{1,3})?$/.test(value))
      throw invalidData('wait', 'must be a number of seconds, 0 or more');
    return Math.min(Number(value), maxWaitSeconds) * 1000;
  }
}
