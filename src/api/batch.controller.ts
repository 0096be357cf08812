// Many publications in one request, with one result each: one message to many channels, or many messages.

import { Controller, HttpCode, Inject, Logger, Post, UseGuards, UseInterceptors } from '@nestjs/common';
import { AuthGuard } from '../auth/auth.guard.js';
import { Caller } from '../auth/identity.decorators.js';
import { TrunklineError, toTrunklineError } from '../core/errors.js';
import type { Identity } from '../core/identity.js';
import { RealtimeService, type Settled } from '../core/realtime.service.js';
import { RateCost, RateLimitInterceptor } from '../limits/rate-limit.interceptor.js';
import { encodePublishResult } from '../protocol/encode.js';
import { isChannelName } from '../protocol/names.js';
import { rawElements, rawProperty } from '../protocol/raw-json.js';
import { API_OPTIONS, type ApiOptions } from './api.options.js';
import { BatchDto, BatchMessageDto, BroadcastDto } from './batch.dto.js';
import { readDto } from './dto.js';
import { JsonBody, type Json } from './json-body.js';
import { KnownCallerGuard } from './known-caller.guard.js';
import { CHANNEL_RULE, IdempotencyKey } from './params.js';
import { RawJson } from './raw-reply.js';

type PublishRequest = Parameters<RealtimeService['publishRaw']>[0];

/** One entry of a request: what to publish, or why it cannot be. */
interface Entry {
  /** Undefined when the request does not name one. */
  readonly channel: string | undefined;
  readonly plan: PublishRequest | TrunklineError;
}

@Controller('api')
@UseGuards(AuthGuard, KnownCallerGuard)
@UseInterceptors(RateLimitInterceptor)
export class BatchController {
  private readonly logger = new Logger('Http');

  constructor(
    @Inject(RealtimeService) private readonly realtime: RealtimeService,
    @Inject(API_OPTIONS) private readonly options: ApiOptions,
  ) {}

  @Post('broadcast')
  @RateCost((body) => lengthOf(body, 'channels'))
  @HttpCode(200)
  @RawJson()
  broadcast(
    @JsonBody(BroadcastDto) { dto, data = 'null' }: Json<BroadcastDto>,
    @IdempotencyKey() idempotencyKey: string | undefined,
    @Caller() identity: Identity,
  ): Promise<string> {
    this.checkCount('channels', dto.channels);
    const { event, key, exceptSession: except } = dto;
    const entries = dto.channels.map((channel): Entry => {
      if (!isChannelName(channel)) return { channel: undefined, plan: badChannel() };
      return { channel, plan: { channel, event, data, key, except, idempotencyKey, identity } };
    });
    return this.publish(entries);
  }

  @Post('batch')
  @RateCost((body) => lengthOf(body, 'messages'))
  @HttpCode(200)
  @RawJson()
  batch(@JsonBody(BatchDto) { dto, text }: Json<BatchDto>, @Caller() identity: Identity): Promise<string> {
    this.checkCount('messages', dto.messages);
    const raw = rawElements(rawProperty(text, 'messages') ?? '[]');
    return this.publish(dto.messages.map((message, i) => readEntry(message, raw[i] as string, identity)));
  }

  private checkCount(path: string, list: readonly unknown[]): void {
    const { maxBatch } = this.options;
    if (list.length >= 1 && list.length <= maxBatch) return;
    const message = `must have 1 to ${maxBatch} entries`;
    throw new TrunklineError('invalid_data', `"${path}" ${message}.`, { details: [{ path, message }] });
  }

  private async publish(entries: readonly Entry[]): Promise<string> {
    const requests = entries.flatMap(({ plan }) => (plan instanceof TrunklineError ? [] : [plan]));
    const settled = await this.realtime.publishMany(requests);
    let next = 0;
    const results = entries.map(({ channel, plan }) => {
      const outcome: Settled =
        plan instanceof TrunklineError ? { ok: false, error: plan } : (settled[next++] as Settled);
      return this.encode(channel, outcome);
    });
    return `{"results":[${results.join(',')}]}`;
  }

  private encode(channel: string | undefined, outcome: Settled): string {
    if (outcome.ok) return `{"ok":true,${encodePublishResult(outcome.result).slice(1)}`;
    const { error } = outcome;
    if (error.code === 'internal') this.logger.error('One publication of many failed.', stackOf(error.cause));
    return JSON.stringify({ ok: false, channel, error: error.toBody() });
  }
}

/** Each publication counts, however many come in one request. */
function lengthOf(body: unknown, key: string): number {
  const list = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[key] : undefined;
  return Array.isArray(list) ? list.length : 1;
}

function readEntry(message: unknown, raw: string, identity: Identity): Entry {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    return {
      channel: undefined,
      plan: new TrunklineError('invalid_data', 'The message must be a JSON object.'),
    };
  }
  const { channel: named } = message as { channel?: unknown };
  const known = isChannelName(named) ? named : undefined;
  try {
    const dto = readDto(BatchMessageDto, message as Readonly<Record<string, unknown>>);
    const { channel, event, key, exceptSession: except, idempotencyKey } = dto;
    const data = rawProperty(raw, 'data') ?? 'null';
    return { channel, plan: { channel, event, data, key, except, idempotencyKey, identity } };
  } catch (thrown) {
    return { channel: known, plan: toTrunklineError(thrown) };
  }
}

function badChannel(): TrunklineError {
  const details = [{ path: 'channels', message: CHANNEL_RULE }];
  return new TrunklineError('invalid_data', `The name ${CHANNEL_RULE}.`, { details });
}

function stackOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
