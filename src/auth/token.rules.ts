// What verified claims must say before they become an identity: times, issuer, audience. One set of rules for all kinds of token; knows no key.

import { badCredential, TrunklineError } from '../core/errors.js';
import type { Identity } from '../core/identity.js';
import type { CoreLogger } from '../core/ports/application.js';
import type { AuthOptions } from './auth.options.js';
import { identityOf, type Claims } from './claims.js';
import { refused } from './token.reader.js';

export type RuleOptions = Pick<
  AuthOptions,
  'issuer' | 'audience' | 'leewaySeconds' | 'maxLifeSeconds' | 'revocationSeconds'
>;

/** The end of the year 9999. Greater ones are milliseconds by mistake, or 1e400. */
const MAX_SECONDS = 253_402_300_799;

export class TokenRules {
  private warned = false;

  constructor(
    private readonly options: RuleOptions,
    private readonly logger: Pick<CoreLogger, 'warn'>,
    private readonly now: () => number = Date.now,
  ) {}

  identityOf(claims: Claims): Identity {
    const { exp, nbf, iat, iss, aud } = claims as Record<'exp' | 'nbf' | 'iat' | 'iss' | 'aud', unknown>;
    const { issuer, audience, leewaySeconds } = this.options;
    const seconds = Math.floor(this.now() / 1000);
    if (!isMoment(exp)) throw refused('needs an "exp" in seconds');
    if (nbf !== undefined && !isMoment(nbf)) throw refused('has a bad "nbf"');
    if (iat !== undefined && !isMoment(iat)) throw refused('has a bad "iat"');
    if (issuer !== '' && iss !== issuer) throw refused('is of another issuer');
    if (audience !== '' && !(Array.isArray(aud) ? aud.includes(audience) : aud === audience))
      throw refused('is for another audience');
    if (nbf !== undefined && nbf > seconds + leewaySeconds) throw refused('is not good yet');
    if (exp + leewaySeconds <= seconds) throw new TrunklineError('expired', 'The token has ended.');
    this.checkLife(exp, iat, seconds);
    return identityOf(claims);
  }

  private checkLife(exp: number, iat: number | undefined, seconds: number): void {
    const { maxLifeSeconds, revocationSeconds, leewaySeconds } = this.options;
    const left = exp - seconds;
    const life = iat === undefined ? left : Math.max(left, exp - iat);
    if (maxLifeSeconds > 0 && life > maxLifeSeconds + leewaySeconds)
      throw badCredential(
        new Error(`The token lives for ${Math.round(life)} s; at most ${maxLifeSeconds} are allowed.`),
      );
    if (revocationSeconds === 0 || life <= revocationSeconds + leewaySeconds || this.warned) return;
    this.warned = true;
    this.logger.warn(
      'A token lives longer than revocations are remembered (TRUNKLINE_REVOCATION_MS): a revoked one becomes good again. Set TRUNKLINE_JWT_MAX_LIFE.',
      { lifeSeconds: Math.round(life), rememberedSeconds: revocationSeconds },
    );
  }
}

/** RFC 7519 §2 lets a NumericDate have a fraction. */
function isMoment(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= MAX_SECONDS;
}
