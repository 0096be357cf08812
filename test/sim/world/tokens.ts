// Tokens of the simulated users: the shape of a JWT without its proof, since signatures are no part of what is simulated.

import { badCredential, TrunklineError } from '../../../src/core/errors.js';
import { ANONYMOUS, type Identity } from '../../../src/core/identity.js';
import type { Authenticator, RevocationCheck } from '../../../src/core/ports/application.js';
import type { Clock } from '../../../src/core/ports/time.js';

interface Claims {
  readonly sub: string;
  /** Seconds since 1970, as `exp`. */
  readonly iat: number;
  readonly exp: number;
}

export function makeToken(user: string, nowMs: number, lifeMs: number): string {
  const claims: Claims = {
    sub: user,
    iat: Math.floor(nowMs / 1000),
    exp: Math.floor((nowMs + lifeMs) / 1000),
  };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.-`;
}

export function authenticator(clock: Clock, revocations: RevocationCheck): Authenticator {
  return {
    async authenticate(token) {
      const [, body = ''] = token.split('.');
      const { sub, iat, exp } = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as Claims;
      if (exp * 1000 <= clock.now()) throw new TrunklineError('expired', 'The token has ended.');
      const identity: Identity = {
        ...ANONYMOUS,
        kind: 'user',
        user: sub,
        name: sub.toUpperCase(),
        issuedAt: iat * 1000,
        expiresAt: exp * 1000,
      };
      if (revocations.refuses(identity)) throw badCredential();
      return identity;
    },
  };
}
