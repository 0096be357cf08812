// The only file that knows every room: chooses backplane, transports and domains from the configuration.

import { Module, type DynamicModule, type ModuleMetadata } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ApiModule } from './api/api.module.js';
import { AuthModule } from './auth/auth.module.js';
import { MemoryBackplaneModule } from './backplanes/memory/memory.module.js';
import { ChannelsModule } from './channels/channels.module.js';
import { readRulesFile } from './channels/rules-file.js';
import type { Config } from './config/config.js';
import { CoreModule } from './core/core.module.js';
import { ChatModule } from './domains/chat/chat.module.js';
import { NotificationsModule } from './domains/notifications/notifications.module.js';
import { PricesModule } from './domains/prices/prices.module.js';
import { HttpThrottlerGuard } from './limits/http-throttler.js';
import { LimitsModule } from './limits/limits.module.js';
import { MAX_HEADERS } from './limits/request-form.js';
import type { StructuredLogger } from './ops/logger.js';
import { LoggerModule } from './ops/logger.module.js';
import { OpsModule } from './ops/ops.module.js';
import { PollingModule } from './transports/polling/polling.module.js';
import { SseModule } from './transports/sse/sse.module.js';
import { WsModule } from './transports/ws/ws.module.js';

const DOMAIN_MODULES = {
  chat: () => ChatModule,
  notifications: () => NotificationsModule,
  prices: ({ server: { simulate } }: Config) => PricesModule.forRoot({ simulate }),
} as const;

/** What an application brings along. */
export interface AppParts {
  /** Modules of the application that runs on Trunkline. */
  readonly modules?: NonNullable<ModuleMetadata['imports']>;
  /** Exports BACKPLANE, in place of the one that the configuration names. */
  readonly backplane?: DynamicModule;
}

@Module({})
export class AppModule {
  static async forRoot(
    config: Config,
    logger: StructuredLogger,
    { modules = [], backplane }: AppParts = {},
  ): Promise<DynamicModule> {
    const rules = config.server.channelsFile === '' ? [] : readRulesFile(config.server.channelsFile);
    return {
      module: AppModule,
      imports: [
        CoreModule.forRoot({
          options: config.core,
          imports: [
            backplane ?? (await backplaneOf(config)),
            ChannelsModule.forRoot({ rules }),
            AuthModule.forRoot(config.auth),
            LimitsModule.forRoot(config.limits),
            LoggerModule.forRoot(logger),
          ],
        }),
        WsModule.forRoot(config.ws),
        SseModule.forRoot(config.sse),
        PollingModule.forRoot(config.polling),
        ApiModule,
        OpsModule.forRoot({
          options: config.ops,
          bounds: { keepAliveMs: config.server.keepAliveMs, maxHeaders: MAX_HEADERS },
        }),
        ...config.server.domains.map((name) => DOMAIN_MODULES[name](config)),
        ...modules,
      ],
      providers: [{ provide: APP_GUARD, useExisting: HttpThrottlerGuard }],
    };
  }
}

/** The client of Redis is loaded only where it is used: a start without it is a tenth of a second shorter. */
async function backplaneOf({ server, redis }: Config): Promise<DynamicModule> {
  if (server.backplane === 'memory') return MemoryBackplaneModule.forRoot();
  const { RedisBackplaneModule } = await import('./backplanes/redis/redis.module.js');
  return RedisBackplaneModule.forRoot({ options: redis });
}
