// Remembers which identity a request acts for, between the guard that finds it and those who ask. Knows no HTTP.

import type { Identity } from './identity.js';

const identities = new WeakMap<object, Identity>();

export function setRequestIdentity(request: object, identity: Identity): void {
  identities.set(request, identity);
}

/** Throws when no guard ran: a route without one must not pass as anonymous. */
export function requestIdentity(request: object): Identity {
  const identity = identities.get(request);
  if (identity === undefined) throw new Error('AuthGuard must run before the identity of a request is read.');
  return identity;
}
