// Authentication as a Nest module: verifier, origin policy, guard, and the authenticator port of core.

import { Global, Module, type DynamicModule } from '@nestjs/common';
import { SILENT_LOGGER, type CoreLogger, type RevocationCheck } from '../core/ports/application.js';
import type { Backplane } from '../core/ports/backplane.js';
import type { CoreLimits } from '../core/ports/limits.js';
import { SYSTEM_CLOCK, SystemRandom, type Clock, type Random } from '../core/ports/time.js';
import {
  AUTHENTICATOR,
  BACKPLANE,
  CLOCK,
  CORE_LIMITS,
  CORE_LOGGER,
  RANDOM,
  REVOCATIONS,
} from '../core/tokens.js';
import { ApiKeys } from './api-keys.js';
import { ApiKeysFile, apiKeysOf } from './api-keys.file.js';
import { ApiKeysLife } from './api-keys.life.js';
import { AuthGuard } from './auth.guard.js';
import type { AuthOptions } from './auth.options.js';
import { AuthStats } from './auth.stats.js';
import { TOKEN_VERIFIER } from './auth.tokens.js';
import { Authentication } from './authentication.js';
import { DevTokensController } from './dev-tokens.controller.js';
import { stateOf } from './file-watch.js';
import { BackendGuard } from './identity.decorators.js';
import { OriginPolicy } from './origin.js';
import { Tickets } from './tickets.js';
import type { TokenVerifier } from './token.verifier.js';
import { verificationOf } from './verification.js';

@Global()
@Module({})
export class AuthModule {
  static forRoot(options: AuthOptions): DynamicModule {
    const verification = verificationOf(options);
    const { apiKeysFile: path } = options;
    const readAs = stateOf(path);
    const keys = apiKeysOf(options);
    return {
      module: AuthModule,
      controllers: options.devTokens && verification.signs ? [DevTokensController] : [],
      providers: [
        ...verification.providers,
        { provide: OriginPolicy, useFactory: () => new OriginPolicy(options.allowedOrigins) },
        {
          provide: Authentication,
          // Where this room stands without the core, nothing can be revoked.
          inject: [
            TOKEN_VERIFIER,
            ApiKeys,
            Tickets,
            { token: REVOCATIONS, optional: true },
            { token: CORE_LIMITS, optional: true },
          ],
          useFactory: (
            verifier: TokenVerifier,
            ...[apiKeys, tickets, revocations, limits]: [
              ApiKeys,
              Tickets,
              RevocationCheck | undefined,
              CoreLimits | undefined,
            ]
          ) => {
            const queryTokens = options.queryTokens === 'on';
            const logins = limits?.logins;
            return new Authentication({ verifier, keys: apiKeys, tickets, revocations, queryTokens, logins });
          },
        },
        {
          provide: ApiKeys,
          inject: [AuthStats],
          useFactory: (stats: AuthStats) => {
            stats.apiKeyUses = keys.uses;
            return keys;
          },
        },
        {
          provide: ApiKeysLife,
          inject: [CLOCK, CORE_LOGGER].map((token) => ({ token, optional: true })),
          useFactory: (clock: Clock = SYSTEM_CLOCK, logger: CoreLogger = SILENT_LOGGER) =>
            new ApiKeysLife(path === '' ? undefined : new ApiKeysFile({ path, readAs, keys, clock, logger })),
        },
        {
          provide: Tickets,
          // Likewise, there are no tickets then.
          inject: [
            AuthStats,
            ...[BACKPLANE, REVOCATIONS, CLOCK, RANDOM].map((token) => ({ token, optional: true })),
          ],
          useFactory: (
            { tickets: stats }: AuthStats,
            store: Backplane | undefined,
            revocations: RevocationCheck | undefined,
            ...[clock = SYSTEM_CLOCK, random = new SystemRandom()]: [Clock | undefined, Random | undefined]
          ) => new Tickets({ store, keys, revocations, clock, random, stats }),
        },
        { provide: AUTHENTICATOR, useExisting: Authentication },
        AuthGuard,
        BackendGuard,
      ],
      exports: [
        AUTHENTICATOR,
        TOKEN_VERIFIER,
        AuthStats,
        Authentication,
        ApiKeys,
        Tickets,
        OriginPolicy,
        AuthGuard,
        BackendGuard,
      ],
    };
  }
}
