// Verifies tokens that others sign (RSA, ECDSA, EdDSA) by jose. The key has its algorithm from us; the token only says which key it means. Fetches nothing.

import { compactVerify } from 'jose';
import { badCredential } from '../core/errors.js';
import type { Identity } from '../core/identity.js';
import { readClaims, readToken, refused } from './token.reader.js';
import type { TokenRules } from './token.rules.js';
import type { TokenVerifier } from './token.verifier.js';
import type { KeySource, VerificationKey } from './verification-keys.js';

export class AsymmetricTokenVerifier implements TokenVerifier {
  constructor(
    private readonly keys: KeySource,
    private readonly rules: TokenRules,
  ) {}

  async verify(token: string): Promise<Identity> {
    const parts = readToken(token);
    const candidates = await this.keys.find(parts.kid, parts.alg);
    if (candidates.length === 0) throw refused('is signed by no key of ours, or with another algorithm');
    await verifySignature(token, candidates);
    return this.rules.identityOf(readClaims(parts));
  }
}

/** More than one candidate only where keys have no `kid`, or share one. */
async function verifySignature(token: string, candidates: readonly VerificationKey[]): Promise<void> {
  let fault: unknown;
  for (const { key, names } of candidates) {
    try {
      await compactVerify(token, key, { algorithms: [...names] });
      return;
    } catch (error) {
      fault = error;
    }
  }
  throw badCredential(fault);
}
