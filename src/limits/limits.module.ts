// The limits as a Nest module: what core asks, gates for sessions, tables and guards for requests.

import { Global, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { ThrottlerModule } from '@nestjs/throttler';
import type { Identity } from '../core/identity.js';
import { SILENT_LOGGER, type CoreLogger } from '../core/ports/application.js';
import type { Backplane } from '../core/ports/backplane.js';
import { LimitLedger, type CoreLimits } from '../core/ports/limits.js';
import { SYSTEM_CLOCK, type Clock } from '../core/ports/time.js';
import { BACKPLANE, CLOCK, CORE_LIMITS, CORE_LOGGER, RATE_GATES } from '../core/tokens.js';
import { Addresses } from './address.js';
import { ConnectLimit } from './connect-limit.js';
import { ConnectGuard } from './connect.guard.js';
import { Connections } from './connections.js';
import { FailedLogins } from './failed-logins.js';
import { hitLog } from './hit-log.js';
import { HttpThrottlerGuard, WindowThrottlerStorage } from './http-throttler.js';
import { LimitTables } from './limit-tables.js';
import { byteRateOf, userRateOf, type LimitsOptions } from './limits.options.js';
import { PollGuard } from './poll.guard.js';
import { PublishLimits } from './publish-limits.js';
import { RateLimitInterceptor } from './rate-limit.interceptor.js';
import { newGate } from './session-gate.js';
import { SharedWindows, type AddShared } from './shared-windows.js';
import { Strangers } from './strangers.js';
import { BucketTable } from './token-bucket.js';

const NO_LIMIT = { count: 0, periodMs: 1000 };
/** This room can stand without the core; then time is the system's, the log is silent, and the instance counts alone. */
const optional = (token: symbol): { token: symbol; optional: true } => ({ token, optional: true });

@Global()
@Module({})
export class LimitsModule {
  static forRoot(options: LimitsOptions): DynamicModule {
    const { count, periodMs } = options.httpRate;
    return {
      module: LimitsModule,
      imports: [
        ThrottlerModule.forRootAsync({
          inject: [optional(CLOCK), optional(BACKPLANE)],
          useFactory: (clock: Clock = SYSTEM_CLOCK, backplane?: Backplane) => ({
            throttlers: [{ limit: count, ttl: periodMs }],
            skipIf: () => count === 0,
            storage: new WindowThrottlerStorage(clock, sharedWindows('http', options, backplane)),
          }),
        }),
      ],
      providers: [...ledgerProviders(options), ...gateProviders(options), ...GUARDS],
      exports: [
        LimitLedger,
        LimitTables,
        Addresses,
        ConnectLimit,
        Connections,
        Strangers,
        CORE_LIMITS,
        RATE_GATES,
        ThrottlerModule,
        ...GUARDS,
      ],
    };
  }
}

const GUARDS = [RateLimitInterceptor, HttpThrottlerGuard, ConnectGuard, PollGuard];

function ledgerProviders(options: LimitsOptions): Provider[] {
  return [
    {
      provide: LimitLedger,
      inject: [optional(CLOCK), optional(CORE_LOGGER)],
      useFactory: (clock: Clock = SYSTEM_CLOCK, logger: CoreLogger = SILENT_LOGGER) =>
        new LimitLedger(options.dryRun, hitLog(clock, logger)),
    },
    {
      provide: Addresses,
      inject: [optional(CORE_LOGGER)],
      useFactory: (logger: CoreLogger = SILENT_LOGGER) =>
        new Addresses(options.trustedProxies, unnamedProxyWarning(logger)),
    },
    {
      provide: LimitTables,
      inject: [LimitLedger],
      useFactory: (ledger: LimitLedger) => new LimitTables(options, ledger),
    },
    {
      provide: ConnectLimit,
      inject: [LimitTables, optional(CLOCK)],
      useFactory: (tables: LimitTables, clock: Clock = SYSTEM_CLOCK) => new ConnectLimit(tables, clock),
    },
    {
      provide: Connections,
      inject: [Addresses, LimitLedger],
      useFactory: (addresses: Addresses, ledger: LimitLedger) => new Connections(options, addresses, ledger),
    },
    {
      provide: Strangers,
      inject: [LimitLedger],
      useFactory: (ledger: LimitLedger) => new Strangers(options, ledger),
    },
  ];
}

function gateProviders(options: LimitsOptions): Provider[] {
  return [
    {
      provide: RATE_GATES,
      inject: [LimitLedger],
      useFactory: (ledger: LimitLedger) => {
        const users = { frames: options.messageRate, bytes: byteRateOf(options), ledger };
        const backends = { frames: options.apiRate, bytes: NO_LIMIT, ledger };
        return ({ kind }: Identity) => newGate(kind === 'backend' ? backends : users);
      },
    },
    {
      provide: CORE_LIMITS,
      inject: [LimitLedger, optional(CLOCK), optional(BACKPLANE)],
      useFactory: (ledger: LimitLedger, clock: Clock = SYSTEM_CLOCK, backplane?: Backplane): CoreLimits => ({
        ledger,
        logins: new FailedLogins(new BucketTable(options.failedLoginRate, options.tableSize), ledger, clock),
        publishes: new PublishLimits({
          clock,
          ledger,
          userRate: userRateOf(options),
          users: sharedWindows('user', options, backplane),
          channels: new BucketTable(NO_LIMIT, options.tableSize),
        }),
      }),
    },
  ];
}

function sharedWindows(
  name: string,
  { tableSize }: LimitsOptions,
  backplane: Backplane | undefined,
): SharedWindows {
  const add: AddShared | undefined = backplane?.tally?.bind(backplane);
  return new SharedWindows({ name, most: tableSize, add });
}

/** Once: it is a fault of the configuration. */
function unnamedProxyWarning(logger: CoreLogger): (proxy: string) => void {
  let told = false;
  return (proxy) => {
    if (told) return;
    told = true;
    logger.warn(
      'A proxy is not in TRUNKLINE_TRUSTED_PROXIES: limits by address count all its clients as one.',
      {
        proxy,
      },
    );
  };
}
