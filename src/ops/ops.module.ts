// Operations as a Nest module: health, metrics, drain.

import { Module, type DynamicModule } from '@nestjs/common';
import { Core } from '../core/core.js';
import { Metrics } from './metrics.js';
import { OpsController } from './ops.controller.js';

@Module({})
export class OpsModule {
  static forRoot(): DynamicModule {
    return {
      module: OpsModule,
      controllers: [OpsController],
      providers: [{ provide: Metrics, inject: [Core], useFactory: (core: Core) => new Metrics(core) }],
    };
  }
}

