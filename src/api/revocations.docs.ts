// OpenAPI of revocations. Loaded with the pages of /docs only.

import { ApiBody, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { answers, describeRoutes, fieldsOf, refuses, schemaRef, type Schemas } from './describe.js';
import { key, user } from './openapi.schemas.js';
import { RevocationsController } from './revocations.controller.js';
import type { RevocationDto } from './revocations.dto.js';

const EXAMPLES = {
  all: { summary: 'Everything issued until now', value: {} },
  moment: { summary: 'Everything issued until a moment', value: { before: 1_790_000_000 } },
  token: { summary: 'One token', value: { tokenId: '8a1f0c6e-5d0b-4f6e-9a6e-2f0c6f0f4a11' } },
};

/** Gives the schemas it refers to. */
export function describeRevocations(): Schemas {
  ApiTags('sessions')(RevocationsController);
  describeRoutes(RevocationsController, {
    revoke: [
      ApiOperation({
        operationId: 'revoke',
        summary: 'Refuse tokens of a user and close the sessions that live by them, on all instances',
        description: `Sessions end with close code 4003, within a second, and the tokens are refused with \`unauthenticated\` from then on, by
instances that start later too. Without a body: all tokens issued until now, the present second included, since \`iat\` has
whole seconds; a login in the next second works. A token without \`iat\` is refused for a user with such a revocation. Asking
again does no harm.`,
      }),
      ApiParam({ name: 'user', schema: user }),
      ApiBody({ schema: schemaRef('RevocationRequest'), required: false, examples: EXAMPLES }),
      answers(201, 'It is kept, and the instances have been told.', 'Revocation'),
      refuses(400, 401, 403, 413, 415, 429, 503, 504),
    ],
  });
  return {
    RevocationRequest: fieldsOf<RevocationDto>(
      {
        before: {
          type: 'integer',
          minimum: 0,
          description:
            'Seconds since 1970, at most 60 ahead: tokens issued at or before are refused. Not beside `tokenId`.',
        },
        tokenId: { ...key, description: 'The `jti` of the one token that is refused.' },
      },
      'before',
      'tokenId',
    ),
  };
}
