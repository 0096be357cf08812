// The SSE transport as a Nest module.

import { Module, type DynamicModule } from '@nestjs/common';
import { SseController } from './sse.controller.js';
import type { SseOptions } from './sse.options.js';
import { SseStreams } from './sse.streams.js';
import { SSE_OPTIONS } from './sse.tokens.js';

@Module({})
export class SseModule {
  static forRoot(options: SseOptions): DynamicModule {
    return {
      module: SseModule,
      controllers: [SseController],
      providers: [{ provide: SSE_OPTIONS, useValue: options }, SseStreams],
    };
  }
}
