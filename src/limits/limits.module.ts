// The limits as a Nest module: gates for sessions, tables and interceptor for requests.

import { Global, Module, type DynamicModule } from '@nestjs/common';
import { ThrottlerModule } from '@nestjs/throttler';
import type { Identity } from '../core/identity.js';
import { SYSTEM_CLOCK } from '../core/ports/time.js';
import { RATE_GATES } from '../core/tokens.js';
import { ConnectGuard } from './connect.guard.js';
import { HttpThrottlerGuard, WindowThrottlerStorage } from './http-throttler.js';
import { LimitTables } from './limit-tables.js';
import type { LimitsOptions } from './limits.options.js';
import { PollGuard } from './poll.guard.js';
import { RateLimitInterceptor } from './rate-limit.interceptor.js';
import { newGate } from './token-bucket.js';

@Global()
@Module({})
export class LimitsModule {
  static forRoot(options: LimitsOptions): DynamicModule {
    const { count, periodMs } = options.httpRate;
    return {
      module: LimitsModule,
      imports: [
        ThrottlerModule.forRoot({
          throttlers: [{ limit: count, ttl: periodMs }],
          skipIf: () => count === 0,
          storage: new WindowThrottlerStorage(SYSTEM_CLOCK, options.tableSize),
        }),
      ],
      providers: [
        { provide: LimitTables, useFactory: () => new LimitTables(options) },
        {
          provide: RATE_GATES,
          useValue: ({ kind }: Identity) =>
            newGate(kind === 'backend' ? options.apiRate : options.messageRate),
        },
        RateLimitInterceptor,
        HttpThrottlerGuard,
        ConnectGuard,
        PollGuard,
      ],
      exports: [
        LimitTables,
        RATE_GATES,
        RateLimitInterceptor,
        HttpThrottlerGuard,
        ConnectGuard,
        PollGuard,
        ThrottlerModule,
      ],
    };
  }
}
