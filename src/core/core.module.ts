// The core as a Nest module: the only file of this room that knows Nest. The rooms that fill its ports are handed in.

import {
  Global,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Core } from './core.js';
import type { CoreOptions } from './core.options.js';
import type { Identity } from './identity.js';
import type {
  Authenticator,
  ChannelRouter,
  CoreLogger,
  RateGate,
  SessionHooks,
} from './ports/application.js';
import type { Backplane } from './ports/backplane.js';
import type { CoreLimits } from './ports/limits.js';
import { SYSTEM_CLOCK, SystemRandom, type Clock, type Random } from './ports/time.js';
import { Operations } from './operations.js';
import { RealtimeService } from './realtime.service.js';
import { Revocations } from './revocations.js';
import {
  AUTHENTICATOR,
  BACKPLANE,
  CHANNEL_ROUTER,
  CLOCK,
  CORE_LIMITS,
  CORE_LOGGER,
  CORE_OPTIONS,
  RANDOM,
  RATE_GATES,
  REVOCATIONS,
  SESSION_HOOKS,
} from './tokens.js';

export interface CoreModuleSettings {
  readonly options: CoreOptions;
  /** Modules that export BACKPLANE, CHANNEL_ROUTER, SESSION_HOOKS, AUTHENTICATOR, RATE_GATES, CORE_LIMITS and CORE_LOGGER. */
  readonly imports: NonNullable<ModuleMetadata['imports']>;
}

/** Starts the core when all modules are there, and stops it when no more requests can come. */
class CoreLife implements OnModuleInit, OnApplicationShutdown {
  constructor(private readonly core: Core) {}

  onModuleInit(): Promise<void> {
    return this.core.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.core.stop();
  }
}

@Global()
@Module({})
export class CoreModule {
  static forRoot({ options, imports }: CoreModuleSettings): DynamicModule {
    return {
      module: CoreModule,
      imports,
      providers: [
        { provide: CORE_OPTIONS, useValue: options },
        { provide: CLOCK, useValue: SYSTEM_CLOCK },
        { provide: RANDOM, useClass: SystemRandom },
        {
          provide: REVOCATIONS,
          inject: [CLOCK],
          useFactory: (clock: Clock) => new Revocations(clock, options),
        },
        coreProvider(options),
        {
          provide: RealtimeService,
          inject: [Core, BACKPLANE],
          useFactory: (core: Core, backplane: Backplane) => new RealtimeService(core, backplane),
        },
        { provide: Operations, inject: [Core], useFactory: (core: Core) => new Operations(core) },
        { provide: CoreLife, inject: [Core], useFactory: (core: Core) => new CoreLife(core) },
      ],
      exports: [
        Core,
        RealtimeService,
        Operations,
        CORE_OPTIONS,
        CLOCK,
        RANDOM,
        REVOCATIONS,
        ...imports.map(moduleOf),
      ],
    };
  }
}

function moduleOf(
  entry: CoreModuleSettings['imports'][number],
): NonNullable<DynamicModule['exports']>[number] {
  return entry as NonNullable<DynamicModule['exports']>[number];
}

function coreProvider(options: CoreOptions): FactoryProvider<Core> {
  return {
    provide: Core,
    inject: [
      BACKPLANE,
      CHANNEL_ROUTER,
      AUTHENTICATOR,
      SESSION_HOOKS,
      RATE_GATES,
      CORE_LOGGER,
      CLOCK,
      RANDOM,
      REVOCATIONS,
      CORE_LIMITS,
    ],
    useFactory: (
      ...[backplane, router, authenticator, hooks, newGate, logger, clock, random, revocations, limits]: [
        Backplane,
        ChannelRouter,
        Authenticator,
        SessionHooks,
        (identity: Identity) => RateGate,
        CoreLogger,
        Clock,
        Random,
        Revocations,
        CoreLimits,
      ]
    ) =>
      new Core({
        backplane,
        router,
        authenticator,
        hooks,
        newGate,
        logger,
        clock,
        random,
        options,
        revocations,
        limits,
      }),
  };
}
