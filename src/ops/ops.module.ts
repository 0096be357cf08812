// Operations as a Nest module: health, metrics, drain.

import { Module, type DynamicModule } from '@nestjs/common';
import { AuthStats } from '../auth/auth.stats.js';
import { Operations } from '../core/operations.js';
import { Metrics } from './metrics.js';
import { OpsController } from './ops.controller.js';

@Module({})
export class OpsModule {
  static forRoot(): DynamicModule {
    return {
      module: OpsModule,
      controllers: [OpsController],
      providers: [
        {
          provide: Metrics,
          inject: [Operations, AuthStats],
          useFactory: (operations: Operations, auth: AuthStats) => new Metrics(operations, auth),
        },
      ],
    };
  }
}
