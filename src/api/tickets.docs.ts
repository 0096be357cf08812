// OpenAPI of tickets. Loaded with the pages of /docs only.

import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import { answers, describeRoutes, fieldsOf, objectOf, refuses, schemaRef, type Schemas } from './describe.js';
import { user } from './openapi.schemas.js';
import { TicketsController } from './tickets.controller.js';
import { MAX_TICKET_TTL, TICKET_TTL, type TicketDto } from './tickets.dto.js';

const EXAMPLES = {
  own: { summary: 'For the caller', value: {} },
  vouched: { summary: 'For a user, asked by an API key', value: { user: 'ana', ttl: 900 } },
};

/** Gives the schemas it refers to. */
export function describeTickets(): Schemas {
  ApiTags('sessions')(TicketsController);
  describeRoutes(TicketsController, {
    create: [
      ApiOperation({
        operationId: 'ticket',
        summary: 'A one-time ticket to connect with',
        description: `Good once, within 30 seconds, on any instance, as \`?ticket=\` of \`/ws\`, \`/sse\` or \`/poll\`, and nowhere else. The session
has the rights of the caller and ends with the caller's token. An API key with the scope \`tickets\` may name a \`user\`: the
session is that user's.`,
      }),
      ApiBody({ schema: schemaRef('TicketRequest'), required: false, examples: EXAMPLES }),
      answers(201, 'The ticket. It is shown once.', 'Ticket'),
      refuses(400, 401, 403, 413, 415, 429, 503, 504),
    ],
  });
  return {
    TicketRequest: fieldsOf<TicketDto>(
      {
        user: { ...user, description: 'Whose session it will be. For API keys; a user may name himself.' },
        name: {
          type: 'string',
          minLength: 1,
          maxLength: 128,
          description: 'Shown to others beside the user.',
        },
        channels: {
          type: 'object',
          additionalProperties: { type: 'array', items: { type: 'string' } },
          description: 'Channel pattern → capabilities, as in a token.',
        },
        ttl: {
          type: 'integer',
          minimum: 1,
          maximum: MAX_TICKET_TTL,
          default: TICKET_TTL,
          description: 'Seconds the session of a named user may last.',
        },
      },
      'user',
      'name',
      'channels',
      'ttl',
    ),
    Ticket: objectOf(
      {
        ticket: { type: 'string', pattern: '^tkt_[A-Za-z0-9_-]{43}$' },
        expiresAt: { type: 'integer', description: 'Milliseconds since 1970.' },
        user,
      },
      'user',
    ),
  };
}
