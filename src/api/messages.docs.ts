// OpenAPI of publish and history. Loaded with the pages of /docs only.

import {
  ApiBody,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiTags,
  type ApiPropertyOptions,
} from '@nestjs/swagger';
import { HISTORY_LIMIT } from '../protocol/frames.js';
import { MAX_EVENT_LENGTH, MAX_KEY_LENGTH } from '../protocol/names.js';
import { answers, describeFields, describeRoutes, refuses } from './describe.js';
import { MessagesController } from './messages.controller.js';
import { HistoryQuery, PublishDto } from './messages.dto.js';

export const channelParam = ApiParam({
  name: 'channel',
  description: 'Name of the channel, URL-encoded: `chat/lobby` is `chat%2Flobby`.',
  schema: { type: 'string' },
  example: 'chat:lobby',
});

export const idempotencyHeader = ApiHeader({
  name: 'Idempotency-Key',
  required: false,
  description:
    'Within five minutes the same key on the same channel publishes once; a repeat is answered with the first position and `duplicate: true`.',
  schema: { type: 'string', maxLength: MAX_KEY_LENGTH },
  example: '8e03978e-40d5-43dd-bc93-6894a57f9324',
});

/** Fields that every way of publishing shares. */
export const publishFields = {
  event: { type: 'string', minLength: 1, maxLength: MAX_EVENT_LENGTH, example: 'message' },
  data: {
    required: false,
    description: 'Any JSON value, handed on byte for byte. `null` when left out.',
    oneOf: [{}],
    example: { text: 'Hello from the backend' },
  },
  key: {
    type: 'string',
    required: false,
    maxLength: MAX_KEY_LENGTH,
    description: 'Conflation key: a newer message with the same key makes an older one worthless.',
  },
  exceptSession: {
    type: 'string',
    required: false,
    description: 'Id of the session that shall not get its live copy.',
  },
} satisfies Record<string, ApiPropertyOptions>;

export function describeMessages(): void {
  ApiTags('messages')(MessagesController);
  describeFields(PublishDto, publishFields);
  describeFields(HistoryQuery, {
    since: {
      type: 'string',
      required: false,
      description: 'Messages after this position, `epoch.offset.id`; the id may be empty.',
      example: 'q3mVvKx0Zk8.42.Jx8hV2mQ0aE',
    },
    limit: { type: 'integer', required: false, minimum: 1, maximum: HISTORY_LIMIT, default: HISTORY_LIMIT },
    reverse: { type: 'boolean', required: false, default: false, description: 'Newest first.' },
  });
  describeRoutes(MessagesController, {
    publish: [
      ApiOperation({ operationId: 'publish', summary: 'Publish a message', description: PUBLISH }),
      channelParam,
      idempotencyHeader,
      ApiBody({ type: PublishDto }),
      answers(201, 'The log has the message; its position.', 'PublishResult'),
      refuses(400, 401, 403, 404, 413, 415, 429, 503, 504),
    ],
    history: [
      ApiOperation({ operationId: 'history', summary: 'Read the kept messages of a channel' }),
      channelParam,
      answers(200, 'Messages, oldest first unless `reverse`, and the newest position.', 'History'),
      refuses(400, 401, 403, 404, 429, 503),
    ],
  });
}

const PUBLISH =
  'By the rules of the channel, as the caller: an API key publishes as the backend, a user token as that user. Needs no subscription.';
