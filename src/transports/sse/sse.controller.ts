// `GET /sse`: who asks, for which channels, from where. The stream itself is opened elsewhere.

import { Controller, Get, Inject, Query, Req, Res, UseGuards } from '@nestjs/common';
import { SkipThrottle } from '@nestjs/throttler';
import type { Request, Response } from 'express';
import { AuthGuard } from '../../auth/auth.guard.js';
import { ConnectRoute } from '../../auth/connect-route.js';
import { Caller } from '../../auth/identity.decorators.js';
import { Core } from '../../core/core.js';
import { invalidData, TrunklineError } from '../../core/errors.js';
import type { Identity } from '../../core/identity.js';
import { ConnectGuard } from '../../limits/connect.guard.js';
import { readStreamQuery, type RawStreamQuery } from '../../protocol/stream-query.js';
import { openStream, type StreamRequest } from './sse.opening.js';
import type { SseOptions } from './sse.options.js';
import { SseStreams } from './sse.streams.js';
import { END_ID, SSE_OPTIONS, SSE_PATH } from './sse.tokens.js';

@Controller(SSE_PATH)
export class SseController {
  constructor(
    @Inject(Core) private readonly core: Core,
    @Inject(SseStreams) private readonly streams: SseStreams,
    @Inject(SSE_OPTIONS) private readonly options: SseOptions,
  ) {}

  @Get()
  @ConnectRoute(true)
  @SkipThrottle()
  @UseGuards(ConnectGuard, AuthGuard)
  async open(
    @Req() request: Request,
    @Res() response: Response,
    @Query() query: RawStreamQuery & { readonly presence?: unknown },
    @Caller() identity: Identity,
  ): Promise<void> {
    const lastSeen = request.headers['last-event-id'];
    if (lastSeen === END_ID) {
      response.status(204).end();
      return;
    }
    // Express gives HEAD to GET, and a stream has no head alone.
    if (request.method !== 'GET') {
      response.setHeader('Allow', 'GET').status(405).end();
      return;
    }
    const asked = readStreamQuery(query, Array.isArray(lastSeen) ? lastSeen.join(',') : lastSeen);
    if (!asked.ok) throw invalidData(asked.path, asked.message);
    const { channels, cursor } = asked;
    if (channels.length === 0 && identity.kind === 'anonymous')
      throw new TrunklineError('unauthenticated', 'Authenticate, or name a channel that is open to anyone.');
    const { core, streams, options } = this;
    const parts = { core, streams, heartbeatMs: options.heartbeatMs };
    await openStream(parts, { identity, channels, cursor, presence: presenceOf(query.presence) }, response);
  }
}

/** Absent: joins and leaves. `false`: none. `true`: those and the members. Otherwise the channels it is wanted for. */
function presenceOf(value: unknown): StreamRequest['presence'] {
  if (value === undefined) return () => ({ events: true, members: false });
  if (value === 'true' || value === 'false')
    return () => ({ events: value === 'true', members: value === 'true' });
  const wanted = new Set<unknown>(Array.isArray(value) ? value : [value]);
  return (channel) => ({ events: wanted.has(channel), members: wanted.has(channel) });
}
