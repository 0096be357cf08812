// Chooses the one kind of key that tokens are checked with: a secret, a file of public keys, or a fetched set. Verifies nothing itself.

import type { OnApplicationShutdown, OnModuleInit, Provider } from '@nestjs/common';
import { SILENT_LOGGER, type CoreLogger } from '../core/ports/application.js';
import { SYSTEM_CLOCK, type Clock } from '../core/ports/time.js';
import { CLOCK, CORE_LOGGER } from '../core/tokens.js';
import type { AuthOptions } from './auth.options.js';
import { AuthStats } from './auth.stats.js';
import { TOKEN_SIGNER, TOKEN_VERIFIER } from './auth.tokens.js';
import { JwksKeys } from './jwks.js';
import { FileKeys, KeyFile } from './key-file.js';
import { TokenRules } from './token.rules.js';
import { AsymmetricTokenVerifier } from './token.verifier.asymmetric.js';
import { HmacTokenVerifier } from './token.verifier.hmac.js';
import { LoggedTokenVerifier } from './token.verifier.logged.js';
import type { TokenVerifier } from './token.verifier.js';
import type { KeySource } from './verification-keys.js';

export interface Verification {
  /** TOKEN_VERIFIER, AuthStats, and TOKEN_SIGNER where this server can sign. */
  readonly providers: Provider[];
  readonly signs: boolean;
}

/** Fetches keys, or follows their file, from the start of the application to its end. */
class KeysLife implements OnModuleInit, OnApplicationShutdown {
  constructor(private readonly keys: { start(): void; stop(): void }) {}

  onModuleInit(): void {
    this.keys.start();
  }

  onApplicationShutdown(): void {
    this.keys.stop();
  }
}

const LOGGER = { token: CORE_LOGGER, optional: true };

/** Throws KeyFileError, before anything of the application is made. */
export function verificationOf(options: AuthOptions): Verification {
  const { publicKeyFile, jwksUrl } = options;
  if (publicKeyFile !== '' && jwksUrl !== '')
    throw new Error('Tokens are checked with one kind of key: a file of public keys or a JWK set.');
  const stats = new AuthStats();
  const told = { provide: AuthStats, useValue: stats };
  if (jwksUrl !== '') return { providers: [told, ...fetched(options, stats)], signs: false };
  if (publicKeyFile === '') return { providers: [told, ...shared(options)], signs: true };
  return { providers: [told, ...fromFile(options, stats)], signs: false };
}

function fromFile(options: AuthOptions, stats: AuthStats): Provider[] {
  const keys = new FileKeys(options.publicKeyFile, options.algorithms);
  stats.keys = keys.size;
  return [
    {
      provide: KeysLife,
      inject: [{ token: CLOCK, optional: true }, LOGGER],
      useFactory: (clock: Clock = SYSTEM_CLOCK, logger: CoreLogger = SILENT_LOGGER) =>
        new KeysLife(new KeyFile({ keys, clock, logger, stats })),
    },
    {
      provide: TOKEN_VERIFIER,
      inject: [LOGGER],
      useFactory: (logger: CoreLogger = SILENT_LOGGER) => asymmetric(keys, options, logger),
    },
  ];
}

function shared(options: AuthOptions): Provider[] {
  return [
    {
      provide: HmacTokenVerifier,
      inject: [LOGGER],
      useFactory: (logger: CoreLogger = SILENT_LOGGER) => new HmacTokenVerifier(options, logger),
    },
    {
      provide: TOKEN_VERIFIER,
      inject: [HmacTokenVerifier, LOGGER],
      useFactory: (verifier: HmacTokenVerifier, logger: CoreLogger = SILENT_LOGGER) =>
        new LoggedTokenVerifier(verifier, logger),
    },
    { provide: TOKEN_SIGNER, useExisting: HmacTokenVerifier },
  ];
}

function fetched(options: AuthOptions, stats: AuthStats): Provider[] {
  const bounds = {
    url: options.jwksUrl,
    algorithms: options.algorithms,
    refreshMs: options.jwksRefreshMs,
    staleMs: options.jwksStaleMs,
    cooldownMs: options.jwksCooldownMs,
    timeoutMs: options.jwksTimeoutMs,
    maxBytes: options.jwksMaxBytes,
  };
  return [
    {
      provide: JwksKeys,
      inject: [LOGGER],
      useFactory: (logger: CoreLogger = SILENT_LOGGER) =>
        new JwksKeys(bounds, { clock: SYSTEM_CLOCK, logger, stats }),
    },
    { provide: KeysLife, inject: [JwksKeys], useFactory: (keys: JwksKeys) => new KeysLife(keys) },
    {
      provide: TOKEN_VERIFIER,
      inject: [JwksKeys, LOGGER],
      useFactory: (keys: JwksKeys, logger: CoreLogger = SILENT_LOGGER) => asymmetric(keys, options, logger),
    },
  ];
}

function asymmetric(keys: KeySource, options: AuthOptions, logger: CoreLogger): TokenVerifier {
  return new LoggedTokenVerifier(new AsymmetricTokenVerifier(keys, new TokenRules(options, logger)), logger);
}
