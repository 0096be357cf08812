// The logger as a Nest module, for Nest itself and for the logger port of core.

import { Global, Module, type DynamicModule } from '@nestjs/common';
import { CORE_LOGGER } from '../core/tokens.js';
import type { StructuredLogger } from './logger.js';

@Global()
@Module({})
export class LoggerModule {
  static forRoot(logger: StructuredLogger): DynamicModule {
    return {
      module: LoggerModule,
      providers: [{ provide: CORE_LOGGER, useValue: logger }],
      exports: [CORE_LOGGER],
    };
  }
}
