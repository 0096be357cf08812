// OpenAPI of `GET /sse` and `GET /poll`, written down whole: their controllers are of other rooms. Loaded with the pages of /docs only.

import type { OpenAPIObject } from '@nestjs/swagger';
import { objectOf, problems, schemaRef, type PlainSchema, type Schema, type Schemas } from './describe.js';
import { ANSWERS, channel } from './openapi.schemas.js';

type Paths = OpenAPIObject['paths'];
type Operation = NonNullable<Paths[string]['get']>;
type Parameter = NonNullable<Operation['parameters']>[number];

const cursor: PlainSchema = {
  type: 'string',
  maxLength: 8192,
  example: '1~chat%3Alobby!q3mVvKx0Zk8.42.Jx8hV2mQ0aE',
};

const channels = (description: string, required: boolean): Parameter => ({
  name: 'channel',
  in: 'query',
  required,
  description,
  schema: { type: 'array', items: channel },
  style: 'form',
  explode: true,
});

const query = (name: string, description: string, schema: Schema): Parameter => ({
  name,
  in: 'query',
  required: false,
  description,
  schema,
});

const header = (name: string, description: string): Parameter => ({
  name,
  in: 'header',
  required: false,
  description,
  schema: { type: 'string' },
});

const SSE = `One answer that does not end: \`ready\`, then \`message\`, \`gap\`, \`join\`, \`leave\` and others, each with JSON in \`data\`. The \`id\` of an event is a cursor;
a client that comes back with it misses nothing. All channels are joined before the first byte, so a refusal is a status.
Events, ends and their codes: docs/protocol.md, "Event streams". The answer goes on until you cancel it.`;

const STREAM = `retry: 1500

id: 1~chat%3Alobby!q3mVvKx0Zk8.42.Jx8hV2mQ0aE
event: ready
data: {"session":"wq1nEXRZrE0bWPQgU4mWSA","user":"ana","heartbeatMs":15000,"version":1,"channels":[{"channel":"chat:lobby","epoch":"q3mVvKx0Zk8","offset":42,"id":"Jx8hV2mQ0aE","recoverable":true,"recovered":false,"replayed":0}]}

id: 1~chat%3Alobby!q3mVvKx0Zk8.43.Zr0Gq7bT5nA
event: message
data: {"channel":"chat:lobby","offset":43,"id":"Zr0Gq7bT5nA","event":"message","data":{"text":"hello"},"time":1790000000000}

`;

const sse: Operation = {
  operationId: 'stream',
  tags: ['streams'],
  summary: 'Listen to channels as server-sent events',
  description: SSE,
  parameters: [
    channels('Repeat it for each channel. Without one, a user hears what the server joins it to.', false),
    query('cursor', 'Where to begin. Without it: at the newest place.', cursor),
    query(
      'presence',
      'Left out: joins and leaves are told. `false`: they are not. `true`, or channel names: those and the members.',
      { type: 'array', items: { type: 'string' } },
    ),
    header(
      'Last-Event-ID',
      'The `id` of the last event seen; wins over `cursor`. Browsers send it when they come back.',
    ),
  ],
  responses: {
    200: {
      description: 'The stream.',
      content: { 'text/event-stream': { schema: { type: 'string' }, example: STREAM } },
    },
    204: { description: '`Last-Event-ID` is `end`: the stream was ended for good; do not come back.' },
    ...problems(400, 401, 403, 404, 429, 503),
  },
};

const poll: Operation = {
  operationId: 'poll',
  tags: ['streams'],
  summary: 'Ask what is new in channels',
  description:
    'With `wait` it is answered when there is something to tell. The server keeps nothing between two polls: the same cursor brings the same messages again.',
  parameters: [
    channels('Repeat it for each channel; at least one.', true),
    query('cursor', 'The cursor of the last answer. Without it: only a cursor, at the newest place.', cursor),
    query('wait', 'Seconds to wait when there is nothing new. More than 55 is taken as 55.', {
      type: 'number',
      minimum: 0,
      default: 25,
    }),
    header(
      'If-None-Match',
      'The `ETag` of the last answer; serves as the cursor where `cursor` is left out, and allows 304.',
    ),
  ],
  responses: {
    200: {
      description:
        'What is new, in order within a channel, and the cursor for the next poll, which is also the `ETag`.',
      content: { 'application/json': { schema: schemaRef('Poll') } },
    },
    304: { description: 'Nothing is new since the `ETag` in `If-None-Match`.' },
    ...problems(400, 401, 403, 404, 429, 503),
  },
};

const STREAMS: Paths = { '/sse': { get: sse }, '/poll': { get: poll } };

/** Those that this application serves. */
export function streamPaths(served: Paths): Paths {
  return Object.fromEntries(Object.entries(STREAMS).filter(([path]) => path in served));
}

export function streamSchemas(): Schemas {
  const { properties = {}, required = [] } = ANSWERS['Message'] as PlainSchema;
  const whole: PlainSchema = { type: 'integer', minimum: 0 };
  return {
    PolledMessage: {
      type: 'object',
      properties: { type: { type: 'string', enum: ['message'] }, ...properties },
      required: ['type', ...required],
    },
    Gap: {
      ...objectOf({
        channel,
        epoch: { type: 'string' },
        from: whole,
        to: whole,
        count: whole,
        reason: { type: 'string', example: 'expired' },
      }),
      description: 'Something between the cursor of the request and the messages of the answer is missing.',
    },
    Poll: objectOf(
      {
        messages: { type: 'array', items: schemaRef('PolledMessage') },
        cursor,
        gaps: { type: 'array', items: schemaRef('Gap') },
      },
      'gaps',
    ),
  };
}
