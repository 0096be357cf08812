// OpenAPI of broadcast and batch. Loaded with the pages of /docs only.

import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { ApiOptions } from './api.options.js';
import { BatchController } from './batch.controller.js';
import type { BatchDto, BatchMessageDto, BroadcastDto } from './batch.dto.js';
import { answers, describeRoutes, fieldsOf, refuses, schemaRef, takes, type Schemas } from './describe.js';
import { idempotencyHeader, publishFields } from './messages.docs.js';
import { channel, key } from './openapi.schemas.js';

export function describeBatches({ maxBatch }: ApiOptions): Schemas {
  ApiTags('messages')(BatchController);
  describeRoutes(BatchController, {
    broadcast: [
      ApiOperation({
        operationId: 'broadcast',
        summary: 'Publish one message to many channels',
        description: MANY,
      }),
      idempotencyHeader,
      takes('Broadcast', {
        channels: ['chat:lobby', 'chat:games'],
        event: 'message',
        data: { text: 'Hello' },
      }),
      answers(200, 'One result for each channel.', 'ManyResults'),
      refuses(400, 401, 413, 415, 429),
    ],
    batch: [
      ApiOperation({ operationId: 'batch', summary: 'Publish many messages, in order', description: MANY }),
      takes('Batch', { messages: [{ channel: 'chat:lobby', event: 'message', data: { text: 'Hello' } }] }),
      answers(200, 'One result for each message.', 'ManyResults'),
      refuses(400, 401, 413, 415, 429),
    ],
  });
  const bounds = { type: 'array', minItems: 1, maxItems: maxBatch } as const;
  const channels = { ...bounds, items: channel };
  const message = { ...publishFields, channel, idempotencyKey: key };
  return {
    Broadcast: fieldsOf<BroadcastDto>({ channels, ...publishFields }, 'data', 'key', 'exceptSession'),
    BatchMessage: fieldsOf<BatchMessageDto>(message, 'data', 'key', 'exceptSession', 'idempotencyKey'),
    Batch: fieldsOf<BatchDto>({ messages: { ...bounds, items: schemaRef('BatchMessage') } }),
  };
}

const MANY =
  'Each is judged by itself, by the rules of its channel: one refusal hides none of the others. For API keys and users; the order of results is that of the request.';
