// OpenAPI of sessions. Loaded with the pages of /docs only.

import { ApiNoContentResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { answers, describeRoutes, queriesOf, refuses } from './describe.js';
import { SessionsController } from './sessions.controller.js';
import { user } from './openapi.schemas.js';
import type { SessionsQuery } from './sessions.dto.js';

export function describeSessions(): void {
  ApiTags('sessions')(SessionsController);
  describeRoutes(SessionsController, {
    list: [
      ApiOperation({
        operationId: 'sessions',
        summary: 'Sessions on all instances',
        description: 'A backend asks for one user or, without `user`, for all. A user asks for their own.',
      }),
      queriesOf<SessionsQuery>({ user }),
      answers(200, 'The sessions.', 'Sessions'),
      refuses(400, 401, 403, 429),
    ],
    close: [
      ApiOperation({
        operationId: 'closeSessions',
        summary: 'Close the sessions of a user, on all instances',
        description: 'They end with close code 4003. The user may come back while the token is good.',
      }),
      ApiParam({ name: 'user', schema: user }),
      ApiNoContentResponse({ description: 'The instances have been told.' }),
      refuses(400, 401, 403, 429, 503),
    ],
  });
}
