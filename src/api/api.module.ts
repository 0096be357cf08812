// The REST room as a Nest module. The core, authentication and limits are global modules, or are handed in.

import { Module, type DynamicModule, type ModuleMetadata } from '@nestjs/common';
import { ApiKeySessions } from './api-keys.sessions.js';
import { API_OPTIONS, apiOptions, type ApiOptions } from './api.options.js';
import { BatchController } from './batch.controller.js';
import { ChannelsController } from './channels.controller.js';
import { MessagesController } from './messages.controller.js';
import { RevocationsController } from './revocations.controller.js';
import { SessionsController } from './sessions.controller.js';
import { StatsController } from './stats.controller.js';
import { TicketsController } from './tickets.controller.js';

export interface ApiModuleSettings {
  readonly options: ApiOptions;
  /** Modules that export RealtimeService, AuthGuard and RateLimitInterceptor with what they need, where those are not global. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
}

/** By itself: with the default options. */
@Module({
  controllers: [
    MessagesController,
    ChannelsController,
    BatchController,
    SessionsController,
    RevocationsController,
    StatsController,
    TicketsController,
  ],
  providers: [ApiKeySessions, { provide: API_OPTIONS, useValue: apiOptions.parse({}) }],
})
export class ApiModule {
  static forRoot({ options, imports = [] }: ApiModuleSettings): DynamicModule {
    return { module: ApiModule, imports, providers: [{ provide: API_OPTIONS, useValue: options }] };
  }
}
