// Builds the OpenAPI 3.1 document from the routes of the running application. Loaded with the pages of /docs only.

import { createRequire } from 'node:module';
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { API_OPTIONS, type ApiOptions } from './api.options.js';
import { describeBatches } from './batch.docs.js';
import { describeChannels } from './channels.docs.js';
import type { Schemas } from './describe.js';
import { describeDevTokens } from './dev-tokens.docs.js';
import { describeMessages } from './messages.docs.js';
import { ANSWERS } from './openapi.schemas.js';
import { describeRevocations } from './revocations.docs.js';
import { describeSessions } from './sessions.docs.js';
import { describeStats } from './stats.docs.js';
import { describeTickets } from './tickets.docs.js';
import { streamPaths, streamSchemas } from './streams.docs.js';

const BEARER = 'credential';

const TAGS = {
  messages: 'Publish and read.',
  streams: 'Read live, without a WebSocket.',
  channels: 'Which are occupied, and by whom.',
  sessions: 'Connected clients.',
  stats: 'Figures.',
  development: 'Only while NODE_ENV is not production.',
} as const;

const ABOUT = `Publish, read, listen and look into a Trunkline server.

Payloads pass through byte for byte. Errors are \`application/problem+json\` (RFC 9457) with a \`code\`; \`retry\` says whether the
same request may succeed later. A user token acts by the rules of each channel, an API key as the backend, which may do everything.`;

export function buildOpenApi(app: INestApplication): OpenAPIObject {
  const schemas: Schemas = {
    ...describeMessages(),
    ...describeBatches(app.get<ApiOptions>(API_OPTIONS, { strict: false })),
    ...describeDevTokens(),
    ...describeRevocations(),
    ...describeTickets(),
    ...ANSWERS,
    ...streamSchemas(),
  };
  describeChannels();
  describeSessions();
  describeStats();
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Trunkline REST API')
    .setDescription(ABOUT)
    .setVersion(version())
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key or a user JWT.' }, BEARER)
    .addSecurityRequirements(BEARER);
  for (const [name, description] of Object.entries(TAGS)) builder.addTag(name, description);
  const config = builder.build();
  const components = { ...config.components, schemas };
  const document = SwaggerModule.createDocument(app, { ...config, components });
  return { ...document, paths: { ...restOnly(document.paths), ...streamPaths(document.paths) } };
}

/** Pages and probes are not described, and the routes of other rooms elsewhere. */
function restOnly(paths: OpenAPIObject['paths']): OpenAPIObject['paths'] {
  return Object.fromEntries(Object.entries(paths).filter(([path]) => path.startsWith('/api/')));
}

/** By the package's own name: a path would differ between the sources and the one-file build. */
function version(): string {
  const { version: text } = createRequire(import.meta.url)('trunkline/package.json') as {
    readonly version: string;
  };
  return text;
}
