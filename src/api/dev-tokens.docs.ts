// OpenAPI of the development tokens. Loaded with the pages of /docs only; in production the route is not there to be found.

import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { DevTokensController, type DevTokenRequest } from '../auth/dev-tokens.controller.js';
import { answers, describeRoutes, fieldsOf, refuses, takes, type Schemas } from './describe.js';
import { user } from './openapi.schemas.js';

export function describeDevTokens(): Schemas {
  ApiTags('development')(DevTokensController);
  describeRoutes(DevTokensController, {
    create: [
      ApiOperation({ operationId: 'devToken', summary: 'A token for whoever asks', security: [] }),
      takes('DevTokenRequest', { user: 'ana', name: 'Ana' }),
      answers(201, 'The token.', 'DevToken'),
      refuses(400, 415),
    ],
  });
  const channels = {
    type: 'object',
    description: 'Capabilities: channel pattern → list of subscribe, publish, history, presence.',
    additionalProperties: { type: 'array', items: { type: 'string' } },
  };
  const ttl = { type: 'integer', description: 'Seconds.', default: 3600 };
  const fields = { user, name: { type: 'string' }, channels, ttl };
  return { DevTokenRequest: fieldsOf<DevTokenRequest>(fields, 'name', 'channels', 'ttl') };
}
