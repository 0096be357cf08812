// Injection token of authentication.

export const TOKEN_VERIFIER = Symbol('TOKEN_VERIFIER');
