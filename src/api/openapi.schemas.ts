// JSON schemas of the answers in the OpenAPI document. The wire itself is printed by src/protocol; a test holds the two together.

import { ERRORS } from '../protocol/codes.js';
import { MAX_CHANNEL_LENGTH, MAX_EVENT_LENGTH, MAX_KEY_LENGTH, MAX_USER_LENGTH } from '../protocol/names.js';
import { objectOf, schemaRef, type PlainSchema, type Schema, type Schemas } from './describe.js';

export const channel: PlainSchema = { type: 'string', maxLength: MAX_CHANNEL_LENGTH, example: 'chat:lobby' };
export const event: PlainSchema = { type: 'string', maxLength: MAX_EVENT_LENGTH, example: 'message' };
export const key: PlainSchema = { type: 'string', maxLength: MAX_KEY_LENGTH };
export const user: PlainSchema = { type: 'string', maxLength: MAX_USER_LENGTH, example: 'ana' };
const count: PlainSchema = { type: 'integer', minimum: 0 };
export const time: PlainSchema = {
  type: 'integer',
  description: 'Milliseconds since 1970.',
  example: 1_790_000_000_000,
};
const epoch: PlainSchema = {
  type: 'string',
  description: 'Random name of this life of the log.',
  example: 'q3mVvKx0Zk8',
};
const offset: PlainSchema = {
  type: 'integer',
  minimum: 0,
  description: '0 when nothing is kept.',
  example: 42,
};
const id: PlainSchema = {
  type: 'string',
  description: 'Of the publication at `offset`.',
  example: 'Jx8hV2mQ0aE',
};
export const anything: PlainSchema = { description: 'Any JSON value.' };
const position = { epoch, offset, id };

function list(name: string): Schema {
  return { type: 'array', items: schemaRef(name) };
}

const details = list('ErrorDetail');
const retry: PlainSchema = { type: 'boolean', description: 'The same request may succeed later, unchanged.' };
const retryAfterMs: PlainSchema = { type: 'integer', minimum: 0 };
const codes = Object.keys(ERRORS);

export const ANSWERS: Schemas = {
  PublishResult: objectOf({ channel, ...position, duplicate: { type: 'boolean' } }),
  PublisherInfo: objectOf({ user, name: { type: 'string' } }, 'name'),
  Message: objectOf(
    {
      channel,
      offset: {
        ...offset,
        minimum: 1,
        description: 'Absent when the channel or the event keeps no history.',
      },
      id: { ...id, description: 'Of this message.' },
      event,
      data: anything,
      from: schemaRef('PublisherInfo'),
      time,
      key,
    },
    'offset',
    'from',
    'key',
  ),
  History: objectOf({ channel, ...position, messages: list('Message') }),
  Member: objectOf(
    { user, name: { type: 'string' }, connections: { ...count, minimum: 1 }, since: time },
    'name',
  ),
  Members: objectOf({ channel, members: list('Member') }),
  Channels: objectOf({ channels: { type: 'array', items: objectOf({ channel, subscribers: count }) } }),
  Session: objectOf(
    {
      id: { type: 'string' },
      user,
      transport: { type: 'string', example: 'ws' },
      channels: { type: 'array', items: channel },
      since: time,
    },
    'user',
  ),
  Sessions: objectOf({ sessions: list('Session') }),
  Revocation: objectOf(
    {
      user,
      before: {
        type: 'integer',
        minimum: 0,
        description: 'Seconds since 1970: tokens issued at or before are refused. Absent when one token is.',
        example: 1_790_000_000,
      },
      tokenId: { ...key, description: 'The `jti` of the one token that is refused.' },
      until: { ...time, description: 'Milliseconds since 1970 until which it is remembered.' },
    },
    'before',
    'tokenId',
  ),
  Stats: objectOf({
    instances: count,
    sessions: count,
    users: count,
    channels: count,
    published: count,
    delivered: count,
    replayed: count,
    dropped: count,
    discontinuities: count,
  }),
  DevToken: objectOf({ token: { type: 'string' }, user, expiresAt: time }),
  ErrorDetail: objectOf({ path: { type: 'string' }, message: { type: 'string' } }),
  ErrorBody: objectOf(
    { code: { type: 'string', enum: codes }, message: { type: 'string' }, retry, retryAfterMs, details },
    'retryAfterMs',
    'details',
  ),
  ManyResults: objectOf({
    results: {
      type: 'array',
      description: 'One for each entry of the request, in its order.',
      items: {
        oneOf: [
          objectOf({
            ok: { type: 'boolean', enum: [true] },
            channel,
            ...position,
            duplicate: { type: 'boolean' },
          }),
          objectOf(
            {
              ok: { type: 'boolean', enum: [false] },
              channel,
              error: schemaRef('ErrorBody'),
            },
            'channel',
          ),
        ],
      },
    },
  }),
  Problem: {
    ...objectOf(
      {
        type: { type: 'string', example: 'about:blank' },
        title: { type: 'string', description: 'The phrase of the status.', example: 'Not Found' },
        status: { type: 'integer', example: 404 },
        code: {
          type: 'string',
          description: `One of ${codes.join(', ')}; or, on HTTP only, the phrase of a status that none of these stands for: not_found, unsupported_media_type, …`,
          example: 'unknown_channel',
        },
        detail: { type: 'string', example: 'No rule matches this channel.' },
        retry,
        retryAfterMs,
        details,
        channel: { ...channel, description: 'The one that is refused, where the request names several.' },
      },
      'detail',
      'retryAfterMs',
      'details',
      'channel',
    ),
    description: 'A problem of RFC 9457.',
  },
};
