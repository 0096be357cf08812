// Operations as a Nest module: health, metrics, and the port they may have for themselves.

import { Module, type DynamicModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AuthStats } from '../auth/auth.stats.js';
import { Operations } from '../core/operations.js';
import type { CoreLogger } from '../core/ports/application.js';
import { CORE_LOGGER } from '../core/tokens.js';
import { Metrics } from './metrics.js';
import { OpsController } from './ops.controller.js';
import { OpsListener, type OpsListenerParts } from './ops-listener.js';

export type OpsModuleSettings = Pick<OpsListenerParts, 'options' | 'bounds'>;

@Module({})
export class OpsModule {
  static forRoot(settings: OpsModuleSettings): DynamicModule {
    return {
      module: OpsModule,
      controllers: [OpsController],
      providers: [
        {
          provide: Metrics,
          inject: [Operations, AuthStats],
          useFactory: (operations: Operations, auth: AuthStats) => new Metrics(operations, auth),
        },
        {
          provide: OpsListener,
          inject: [HttpAdapterHost, CORE_LOGGER],
          useFactory: (host: HttpAdapterHost, logger: CoreLogger) =>
            new OpsListener({ ...settings, host, logger }),
        },
      ],
    };
  }
}
