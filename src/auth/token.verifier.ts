// The port of tokens: text → identity, and claims → text where this server may sign. Knows no algorithm and no key.

import type { Identity } from '../core/identity.js';
import type { Claims } from './claims.js';

export interface TokenVerifier {
  /**
   * Rejects with `expired` for a good token past its end, with `unavailable` when it cannot be checked just now, and with
   * `unauthenticated` for any other fault.
   */
  verify(token: string): Promise<Identity>;
}

/** Only a shared secret signs: of other kinds of key this server knows the public half. */
export interface TokenSigner {
  sign(claims: Claims, ttlSeconds: number): string;
}
