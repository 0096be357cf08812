// The REST room in an application of another team: its own options, and what a start without configureApi comes to.

import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { afterEach, expect, it } from 'vitest';
import { ApiModule } from '../../src/api/api.module.js';
import { apiOptions, type ApiOptions } from '../../src/api/api.options.js';
import { configureApi } from '../../src/api/configure-api.js';
import { AuthModule } from '../../src/auth/auth.module.js';
import { authOptions } from '../../src/auth/auth.options.js';
import { MemoryBackplaneModule } from '../../src/backplanes/memory/memory.module.js';
import { ChannelsModule } from '../../src/channels/channels.module.js';
import { CoreModule } from '../../src/core/core.module.js';
import { coreOptions } from '../../src/core/core.options.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import { CORE_LOGGER } from '../../src/core/tokens.js';
import { LimitsModule } from '../../src/limits/limits.module.js';
import { limitsOptions } from '../../src/limits/limits.options.js';
import { ApiClient } from '../support/api-client.js';
import { TEST_API_KEY } from '../support/server.js';

@Module({ providers: [{ provide: CORE_LOGGER, useValue: SILENT_LOGGER }], exports: [CORE_LOGGER] })
class LoggingModule {}

let app: NestExpressApplication;

afterEach(() => app.close());

async function start(options: Partial<ApiOptions>, configure = configureApi): Promise<ApiClient> {
  const module = await Test.createTestingModule({
    imports: [
      CoreModule.forRoot({
        options: coreOptions.parse({}),
        imports: [
          MemoryBackplaneModule.forRoot(),
          ChannelsModule.forRoot({ rules: [{ channel: 'room:{name}', maxBytes: 0 }] }),
          AuthModule.forRoot(authOptions.parse({ apiKeys: [TEST_API_KEY] })),
          LimitsModule.forRoot(limitsOptions.parse({})),
          LoggingModule,
        ],
      }),
      ApiModule.forRoot({ options: apiOptions.parse(options) }),
    ],
  }).compile();
  app = module.createNestApplication<NestExpressApplication>({ logger: false });
  configure(app);
  await app.listen(0, '127.0.0.1');
  return new ApiClient(await app.getUrl(), TEST_API_KEY);
}

const note = (bytes: number): object => ({ event: 'note', data: 'x'.repeat(bytes) });
const MESSAGES = '/api/channels/room:a/messages';

it('bounds bodies by maxBodyBytes', async () => {
  const api = await start({ maxBodyBytes: 1000 });
  expect((await api.post(MESSAGES, note(900))).status).toBe(201);
  expect((await api.post(MESSAGES, note(1000))).status).toBe(413);
});

it('takes maxBodyBytes 0 as no limit', async () => {
  const api = await start({ maxBodyBytes: 0 });
  expect((await api.post(MESSAGES, note(3_000_000))).status).toBe(201);
});

it('bounds batches and broadcasts by maxBatch, and says so in the document', async () => {
  const api = await start({ maxBatch: 2 });
  const messages = Array.from({ length: 3 }, () => ({ channel: 'room:a', ...note(1) }));
  expect((await api.post('/api/batch', { messages: messages.slice(1) })).status).toBe(200);
  expect((await api.post('/api/batch', { messages })).status).toBe(400);
  const channels = ['room:a', 'room:b', 'room:c'];
  expect((await api.post('/api/broadcast', { channels, ...note(1) })).status).toBe(400);
  const document = (await api.get('/docs/json')).json<{ components: { schemas: Record<string, unknown> } }>();
  expect(document.components.schemas['Batch']).toMatchObject({ properties: { messages: { maxItems: 2 } } });
});

it('takes no body that its own parser has not bounded', async () => {
  const api = await start({}, () => {});
  expect((await api.post(MESSAGES, note(1))).status).toBe(500);
  expect((await api.get('/api/stats')).status).toBe(200);
});

it('has options with a least and a most', () => {
  app = { close: () => {} } as unknown as NestExpressApplication;
  expect(apiOptions.parse({})).toEqual({ maxBodyBytes: 1_048_576, maxBatch: 100 });
  for (const bad of [{ maxBodyBytes: -1 }, { maxBodyBytes: 1.5 }, { maxBatch: 0 }, { maxBatch: 1001 }]) {
    expect(apiOptions.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
  }
});
