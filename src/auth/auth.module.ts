// Authentication as a Nest module: verifier, origin policy, guard, and the authenticator port of core.

import { Global, Module, type DynamicModule } from '@nestjs/common';
import type { RevocationCheck } from '../core/ports/application.js';
import { AUTHENTICATOR, REVOCATIONS } from '../core/tokens.js';
import { AuthGuard } from './auth.guard.js';
import type { AuthOptions } from './auth.options.js';
import { TOKEN_VERIFIER } from './auth.tokens.js';
import { Authentication } from './authentication.js';
import { DevTokensController } from './dev-tokens.controller.js';
import { BackendGuard } from './identity.decorators.js';
import { OriginPolicy } from './origin.js';
import { HmacTokenVerifier, type TokenVerifier } from './token.verifier.js';

@Global()
@Module({})
export class AuthModule {
  static forRoot(options: AuthOptions): DynamicModule {
    return {
      module: AuthModule,
      controllers: options.devTokens ? [DevTokensController] : [],
      providers: [
        { provide: TOKEN_VERIFIER, useFactory: () => new HmacTokenVerifier(options) },
        { provide: OriginPolicy, useFactory: () => new OriginPolicy(options.allowedOrigins) },
        {
          provide: Authentication,
          // Where this room stands without the core, nothing can be revoked.
          inject: [TOKEN_VERIFIER, { token: REVOCATIONS, optional: true }],
          useFactory: (verifier: TokenVerifier, revocations: RevocationCheck | undefined) =>
            new Authentication(verifier, options.apiKeys, revocations),
        },
        { provide: AUTHENTICATOR, useExisting: Authentication },
        AuthGuard,
        BackendGuard,
      ],
      exports: [AUTHENTICATOR, TOKEN_VERIFIER, Authentication, OriginPolicy, AuthGuard, BackendGuard],
    };
  }
}
