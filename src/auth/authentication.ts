// Who is it: credential → identity, for requests of every kind and for `authenticate` frames.

import { badCredential } from '../core/errors.js';
import { ANONYMOUS, BACKEND, type Identity } from '../core/identity.js';
import type { Authenticator, RevocationCheck } from '../core/ports/application.js';
import type { LoginWatch } from '../core/ports/limits.js';
import type { ApiKeys } from './api-keys.js';
import {
  findCredential,
  type Credential,
  type CredentialAddress,
  type CredentialHeaders,
} from './credentials.js';
import type { Tickets } from './tickets.js';
import type { TokenVerifier } from './token.verifier.js';

export interface Identified {
  readonly identity: Identity;
  readonly by: Credential['by'] | undefined;
}

export interface AuthenticationParts {
  readonly verifier: TokenVerifier;
  readonly keys: ApiKeys;
  readonly tickets: Tickets;
  /** Undefined: nothing can be revoked. */
  readonly revocations: RevocationCheck | undefined;
  /** Whether `?token=` is a credential. */
  readonly queryTokens: boolean;
  /** Undefined: failures are not counted. */
  readonly logins?: LoginWatch | undefined;
}

export class Authentication implements Authenticator {
  constructor(private readonly parts: AuthenticationParts) {}

  /** A user token, as an `authenticate` frame brings it. */
  async authenticate(token: string): Promise<Identity> {
    const { verifier, revocations } = this.parts;
    const identity = await verifier.verify(token);
    if (revocations?.refuses(identity) === true) throw badCredential();
    return identity;
  }

  /**
   * No credential: a stranger. Otherwise the first in order counts, whatever stands in later places: when it is bad, rejects with
   * `unauthenticated` or `expired`. Without an address nothing is looked for there. `admit` hears where it stands before anything is done
   * with it, and may throw: a page of another site shall neither use up a ticket nor count as a failed login of its visitor.
   */
  async identify(
    headers: CredentialHeaders,
    address?: CredentialAddress,
    admit: (by: Credential['by'] | undefined) => void = () => {},
  ): Promise<Identified> {
    const credential = findCredential(headers, address, this.parts.queryTokens);
    admit(credential?.by);
    if (credential === undefined) return { identity: ANONYMOUS, by: undefined };
    const { logins } = this.parts;
    const check = (): Promise<Identified> => this.check(credential);
    return logins === undefined ? check() : logins.watch(address?.from, check);
  }

  private async check({ token, by }: Credential): Promise<Identified> {
    if (token === '') throw badCredential();
    const key = by === 'header' ? this.parts.keys.find(token) : undefined;
    if (key !== undefined) return { identity: { ...BACKEND, key }, by };
    const identity = by === 'ticket' ? this.parts.tickets.redeem(token) : this.authenticate(token);
    return { identity: await identity, by };
  }
}
