// The polling transport as a Nest module.

import { Module, type DynamicModule } from '@nestjs/common';
import { PollingController } from './polling.controller.js';
import type { PollingOptions } from './polling.options.js';
import { PollingService } from './polling.service.js';
import { POLLING_OPTIONS } from './polling.tokens.js';

@Module({})
export class PollingModule {
  static forRoot(options: PollingOptions): DynamicModule {
    return {
      module: PollingModule,
      controllers: [PollingController],
      providers: [{ provide: POLLING_OPTIONS, useValue: options }, PollingService],
    };
  }
}
