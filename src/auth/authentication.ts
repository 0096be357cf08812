// Who is it: credential → identity, for requests of every kind and for `authenticate` frames.

import { createHash, timingSafeEqual } from 'node:crypto';
import { badCredential } from '../core/errors.js';
import { ANONYMOUS, BACKEND, type Identity } from '../core/identity.js';
import type { Authenticator, RevocationCheck } from '../core/ports/application.js';
import { findCredential, type Credential, type CredentialHeaders } from './credentials.js';
import type { TokenVerifier } from './token.verifier.js';

export interface Identified {
  readonly identity: Identity;
  readonly by: Credential['by'] | undefined;
}

export class Authentication implements Authenticator {
  private readonly keyDigests: readonly Buffer[];

  constructor(
    private readonly verifier: TokenVerifier,
    apiKeys: readonly string[],
    private readonly revocations?: RevocationCheck,
  ) {
    this.keyDigests = apiKeys.map(digest);
  }

  /** A user token, as an `authenticate` frame brings it. */
  async authenticate(token: string): Promise<Identity> {
    const identity = await this.verifier.verify(token);
    if (this.revocations?.refuses(identity) === true) throw badCredential();
    return identity;
  }

  /** No credential: a stranger. A presented one that is bad: rejects with `unauthenticated` or `expired`. */
  async identify(headers: CredentialHeaders): Promise<Identified> {
    const credential = findCredential(headers);
    if (credential === undefined) return { identity: ANONYMOUS, by: undefined };
    const { token, by } = credential;
    if (by === 'header' && this.isApiKey(token)) return { identity: BACKEND, by };
    if (token === '') throw badCredential();
    return { identity: await this.authenticate(token), by };
  }

  /** All keys are compared, as digests of one length, so that time tells nothing. */
  private isApiKey(token: string): boolean {
    const given = digest(token);
    let found = false;
    for (const known of this.keyDigests) found = timingSafeEqual(known, given) || found;
    return found;
  }
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
