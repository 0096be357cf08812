// The Redis backplane as a Nest module: provides BACKPLANE. A team hands in options, or its own way to connect.

import { Module, type DynamicModule, type FactoryProvider, type ModuleMetadata } from '@nestjs/common';
import { SILENT_LOGGER, type CoreLogger } from '../../core/ports/application.js';
import { SYSTEM_CLOCK, SystemRandom, type Clock, type Random } from '../../core/ports/time.js';
import { BACKPLANE, CLOCK, CORE_LOGGER, RANDOM } from '../../core/tokens.js';
import { RedisBackplane, type RedisBackplaneParts } from './redis.backplane.js';
import { soundRedisOptions, type RedisSettings } from './redis.options.js';

export interface RedisModuleSettings {
  readonly options?: RedisSettings;
  readonly connect?: RedisBackplaneParts['connect'];
}

export interface RedisModuleAsync {
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  readonly inject?: NonNullable<FactoryProvider['inject']>;
  readonly useFactory: (...injected: never[]) => RedisModuleSettings | Promise<RedisModuleSettings>;
}

const SETTINGS = Symbol('REDIS_SETTINGS');

@Module({})
export class RedisBackplaneModule {
  static forRoot(settings: RedisModuleSettings = {}): DynamicModule {
    return RedisBackplaneModule.forRootAsync({ useFactory: () => settings });
  }

  /** For options or clients that come from the application's own providers. */
  static forRootAsync({ imports = [], inject = [], useFactory }: RedisModuleAsync): DynamicModule {
    return {
      module: RedisBackplaneModule,
      imports,
      providers: [
        { provide: SETTINGS, inject, useFactory },
        {
          provide: BACKPLANE,
          inject: [SETTINGS, ...[CLOCK, RANDOM, CORE_LOGGER].map((token) => ({ token, optional: true }))],
          useFactory: (
            settings: RedisModuleSettings,
            ...[clock = SYSTEM_CLOCK, random = new SystemRandom(), logger = SILENT_LOGGER]: [
              Clock | undefined,
              Random | undefined,
              CoreLogger | undefined,
            ]
          ) => {
            const { connect } = settings;
            const options = soundRedisOptions.parse(settings.options ?? {});
            return new RedisBackplane({ options, clock, random, logger, ...(connect && { connect }) });
          },
        },
      ],
      exports: [BACKPLANE],
    };
  }
}
