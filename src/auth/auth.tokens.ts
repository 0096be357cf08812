// Injection tokens of authentication.

export const TOKEN_VERIFIER = Symbol('TOKEN_VERIFIER');
/** Provided only where a secret is configured. */
export const TOKEN_SIGNER = Symbol('TOKEN_SIGNER');
