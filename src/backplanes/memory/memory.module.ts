// The memory backplane as a Nest module: provides BACKPLANE. Clock, chance and log come from the application when it has them.

import { Module, type DynamicModule } from '@nestjs/common';
import { SILENT_LOGGER, type CoreLogger } from '../../core/ports/application.js';
import { SYSTEM_CLOCK, SystemRandom, type Clock, type Random } from '../../core/ports/time.js';
import { BACKPLANE, CLOCK, CORE_LOGGER, RANDOM } from '../../core/tokens.js';
import { MemoryBackplane } from './memory.backplane.js';
import { memoryOptions, type MemorySettings } from './memory.options.js';
import { MemoryStore } from './memory.store.js';

@Module({})
export class MemoryBackplaneModule {
  /** `store` joins this application to a cluster in the same process; without it the application stands alone. */
  static forRoot(settings: MemorySettings = {}, store?: MemoryStore): DynamicModule {
    const options = memoryOptions.parse(settings);
    return {
      module: MemoryBackplaneModule,
      providers: [
        {
          provide: MemoryStore,
          inject: [CLOCK, RANDOM, CORE_LOGGER].map((token) => ({ token, optional: true })),
          useFactory: (
            clock: Clock = SYSTEM_CLOCK,
            random: Random = new SystemRandom(),
            logger: CoreLogger = SILENT_LOGGER,
          ) => store ?? new MemoryStore({ options, clock, random, logger }),
        },
        {
          provide: BACKPLANE,
          inject: [MemoryStore],
          useFactory: (shared: MemoryStore) => new MemoryBackplane(shared),
        },
      ],
      exports: [BACKPLANE, MemoryStore],
    };
  }
}
