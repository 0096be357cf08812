// OpenAPI of the development tokens. Loaded with the pages of /docs only; in production the route is not there to be found.

import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { DevTokenRequest, DevTokensController } from '../auth/dev-tokens.controller.js';
import { answers, describeFields, describeRoutes, refuses } from './describe.js';

export function describeDevTokens(): void {
  ApiTags('development')(DevTokensController);
  describeFields(DevTokenRequest, {
    user: { type: 'string', example: 'ana' },
    name: { type: 'string', required: false, example: 'Ana' },
    channels: {
      type: 'object',
      selfRequired: false,
      description: 'Capabilities: channel pattern → list of subscribe, publish, history, presence.',
      additionalProperties: { type: 'array', items: { type: 'string' } },
    },
    ttl: { type: 'integer', required: false, description: 'Seconds.', default: 3600 },
  });
  describeRoutes(DevTokensController, {
    create: [
      ApiOperation({ operationId: 'devToken', summary: 'A token for whoever asks', security: [] }),
      answers(201, 'The token.', 'DevToken'),
      refuses(400, 415),
    ],
  });
}
