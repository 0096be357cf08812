// Options of authentication. Types, defaults, units and meanings; names of variables live in config.

import { z } from 'zod';

/** Good for a first look on one's own machine; refused in production. */
export const DEVELOPMENT_SECRET = 'trunkline-development-secret-change-me';
/** HS256 with less than 256 bits of secret can be guessed offline (RFC 7518 §3.2). */
export const MIN_SECRET_BYTES = 32;

/** A shorter API key can be guessed. */
export const MIN_API_KEY_LENGTH = 16;

/** Of keys that others sign with. HS256 is none of them, so a public key can never be taken for a secret. */
export const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

const LOOKS_LIKE_A_KEY = /-----BEGIN [A-Z0-9 ]+-----|"kty"\s*:/;
const JWKS_URL_RULE =
  'must be a https:// address without user, password and fragment; http:// for this machine only (127.0.0.1, [::1], localhost)';
const LOOPBACK = /^(127(\.[0-9]+){3}|\[::1\]|localhost)$/;
/** A day: a longer one would make a withdrawn key as good as a valid one. */
const MAX_JWKS_MS = 86_400_000;

export const authOptions = z.object({
  /** Shared secret of HS256 tokens; at least 32 bytes. */
  secret: z
    .string()
    .refine(
      (text) => Buffer.byteLength(text) >= MIN_SECRET_BYTES,
      `must have at least ${MIN_SECRET_BYTES} bytes`,
    )
    // A public key is known to everybody: as a secret it would let everybody sign.
    .refine((text) => !LOOKS_LIKE_A_KEY.test(text), 'is a key or certificate; name its file instead')
    .default(DEVELOPMENT_SECRET),
  /** File with public keys (PEM, JWK or JWK set) that tokens are signed with; read again when it changes. Takes the place of the secret; empty: none. */
  publicKeyFile: z.string().default(''),
  /** Fixed address of a JWK set. Takes the place of the secret; empty: none. */
  jwksUrl: z.string().refine(isJwksUrl, JWKS_URL_RULE).default(''),
  /** What public keys may be used with. A key that names no algorithm gets the first of its type. */
  algorithms: z
    .array(z.enum(ALGORITHMS, `may list ${ALGORITHMS.join(', ')}`))
    .refine((names) => names.length > 0, 'must name one at least')
    .default([...ALGORITHMS]),
  /** Milliseconds between two fetches of the JWK set; each instance does its own. */
  jwksRefreshMs: z.int().min(1000).max(MAX_JWKS_MS).default(300_000),
  /** Milliseconds for which keys are trusted that could not be fetched anew. */
  jwksStaleMs: z.int().min(0).max(MAX_JWKS_MS).default(3_600_000),
  /** Milliseconds between fetches that tokens with unknown key ids may cause. */
  jwksCooldownMs: z.int().min(0).max(MAX_JWKS_MS).default(30_000),
  /** Milliseconds a fetch may take in all. Tokens with an unknown key id wait for it. */
  jwksTimeoutMs: z.int().min(1).max(60_000).default(5000),
  /** Bytes of a JWK set; those of known providers have under 10,000. */
  jwksMaxBytes: z.int().min(1).default(262_144),
  /** Seconds a token may live, from `iat` and from now. 0: no limit. */
  maxLifeSeconds: z.int().min(0).default(0),
  /** Seconds a revocation is remembered; a token that lives longer is told in the log. 0: not told. No variable sets it. */
  revocationSeconds: z.int().min(0).default(0),
  /** Required `iss` claim; empty: not checked. */
  issuer: z.string().default(''),
  /** Required `aud` claim; empty: not checked. */
  audience: z.string().default(''),
  /** Seconds a clock may be off, at most 60. */
  leewaySeconds: z.int().min(0).max(60).default(5),
  /** Keys of backends: every right, no user. Empty: none. */
  apiKeys: z
    .array(z.string().min(MIN_API_KEY_LENGTH, `must have at least ${MIN_API_KEY_LENGTH} characters each`))
    .default([]),
  /** JSON file of more keys, each with a name and scopes; read again when it changes. Empty: none. */
  apiKeysFile: z.string().default(''),
  /** `on`: `?token=` is a credential, where a WebSocket, a stream or a poll is opened. It stands in every log on the way. */
  queryTokens: z.enum(['on', 'off']).default('off'),
  /** Origins of pages that may connect, exact. Empty: the server's own origin only. */
  allowedOrigins: z
    .array(z.string().refine(isOrigin, 'must be origins such as https://app.example.com'))
    .default([]),
  /** `POST /api/dev/tokens` gives a token to anyone who asks. For development only. */
  devTokens: z.boolean().default(false),
});

export type AuthOptions = z.infer<typeof authOptions>;

function isOrigin(text: string): boolean {
  try {
    return !text.includes('*') && new URL(text).origin === text;
  } catch {
    return false;
  }
}

function isJwksUrl(text: string): boolean {
  if (text === '') return true;
  try {
    const { protocol, hostname, username, password, hash } = new URL(text);
    const bare = username === '' && password === '' && hash === '';
    return bare && (protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname)));
  } catch {
    return false;
  }
}
