// OpenAPI of publish and history. Loaded with the pages of /docs only.

import { ApiHeader, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { HISTORY_LIMIT } from '../protocol/frames.js';
import { MAX_KEY_LENGTH } from '../protocol/names.js';
import {
  answers,
  describeRoutes,
  fieldsOf,
  queriesOf,
  refuses,
  takes,
  type FieldsOf,
  type Schemas,
} from './describe.js';
import { MessagesController } from './messages.controller.js';
import type { HistoryQuery, PublishDto } from './messages.dto.js';
import { anything, channel, event, key } from './openapi.schemas.js';

export const channelParam = ApiParam({
  name: 'channel',
  description: 'Name of the channel, URL-encoded: `chat/lobby` is `chat%2Flobby`.',
  schema: channel,
});

export const idempotencyHeader = ApiHeader({
  name: 'Idempotency-Key',
  required: false,
  description:
    'Within five minutes the same key on the same channel publishes once; a repeat is answered with the first position and `duplicate: true`.',
  schema: { type: 'string', maxLength: MAX_KEY_LENGTH },
});

/** Fields that every way of publishing shares. */
export const publishFields: FieldsOf<PublishDto> = {
  event,
  data: {
    ...anything,
    description: 'Any JSON value, handed on byte for byte. `null` when left out.',
  },
  key: {
    ...key,
    description: 'Conflation key: a newer message with the same key makes an older one worthless.',
  },
  exceptSession: { type: 'string', description: 'Id of the session that shall not get its live copy.' },
};

export function describeMessages(): Schemas {
  ApiTags('messages')(MessagesController);
  describeRoutes(MessagesController, {
    publish: [
      ApiOperation({ operationId: 'publish', summary: 'Publish a message', description: PUBLISH }),
      channelParam,
      idempotencyHeader,
      takes('Publish', { event: 'message', data: { text: 'Hello' } }),
      answers(201, 'The log has the message; its position.', 'PublishResult'),
      refuses(400, 401, 403, 404, 413, 415, 429, 503, 504),
    ],
    history: [
      ApiOperation({ operationId: 'history', summary: 'Read the kept messages of a channel' }),
      channelParam,
      queriesOf<HistoryQuery>({
        since: {
          type: 'string',
          description: 'Messages after this position, `epoch.offset.id`; the id may be empty.',
        },
        limit: { type: 'integer', minimum: 1, maximum: HISTORY_LIMIT, default: HISTORY_LIMIT },
        reverse: { type: 'boolean', default: false, description: 'Newest first.' },
      }),
      answers(200, 'Messages, oldest first unless `reverse`, and the newest position.', 'History'),
      refuses(400, 401, 403, 404, 429, 503),
    ],
  });
  return { Publish: fieldsOf<PublishDto>(publishFields, 'data', 'key', 'exceptSession') };
}

const PUBLISH =
  'By the rules of the channel, as the caller: an API key publishes as the backend, a user token as that user. Needs no subscription.';
