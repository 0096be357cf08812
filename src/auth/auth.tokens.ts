// Injection tokens of authentication.

export const AUTH_OPTIONS = Symbol('AUTH_OPTIONS');
export const TOKEN_VERIFIER = Symbol('TOKEN_VERIFIER');
