// OpenAPI of broadcast and batch. Loaded with the pages of /docs only.

import { ApiBody, ApiExtraModels, ApiOperation, ApiTags } from '@nestjs/swagger';
import { MAX_KEY_LENGTH } from '../protocol/names.js';
import type { ApiOptions } from './api.options.js';
import { BatchController } from './batch.controller.js';
import { BatchDto, BatchMessageDto, BroadcastDto } from './batch.dto.js';
import { answers, describeFields, describeRoutes, refuses, schemaRef } from './describe.js';
import { idempotencyHeader, publishFields } from './messages.docs.js';

export function describeBatches({ maxBatch }: ApiOptions): void {
  const bounds = { minItems: 1, maxItems: maxBatch } as const;
  ApiTags('messages')(BatchController);
  ApiExtraModels(BatchMessageDto)(BatchController);
  describeFields(BroadcastDto, {
    channels: { type: 'array', items: { type: 'string' }, ...bounds, example: ['chat:lobby', 'chat:games'] },
    ...publishFields,
  });
  describeFields(BatchMessageDto, {
    channel: { type: 'string', example: 'chat:lobby' },
    ...publishFields,
    idempotencyKey: { type: 'string', required: false, maxLength: MAX_KEY_LENGTH },
  });
  describeFields(BatchDto, { messages: { type: 'array', items: schemaRef('BatchMessageDto'), ...bounds } });
  describeRoutes(BatchController, {
    broadcast: [
      ApiOperation({
        operationId: 'broadcast',
        summary: 'Publish one message to many channels',
        description: MANY,
      }),
      idempotencyHeader,
      ApiBody({ type: BroadcastDto }),
      answers(200, 'One result for each channel.', 'ManyResults'),
      refuses(400, 401, 413, 415, 429),
    ],
    batch: [
      ApiOperation({ operationId: 'batch', summary: 'Publish many messages, in order', description: MANY }),
      ApiBody({ type: BatchDto }),
      answers(200, 'One result for each message.', 'ManyResults'),
      refuses(400, 401, 413, 415, 429),
    ],
  });
}

const MANY =
  'Each is judged by itself, by the rules of its channel: one refusal hides none of the others. For API keys and users; the order of results is that of the request.';
