// Options of authentication. Types, defaults, units and meanings; names of variables live in config.

import { z } from 'zod';

/** Good for a first look on one's own machine; refused in production. */
export const DEVELOPMENT_SECRET = 'trunkline-development-secret-change-me';
/** HS256 with less than 256 bits of secret can be guessed offline (RFC 7518 §3.2). */
export const MIN_SECRET_BYTES = 32;

export const authOptions = z.object({
  /** Shared secret of HS256 tokens; at least 32 bytes. */
  secret: z
    .string()
    .refine(
      (text) => Buffer.byteLength(text) >= MIN_SECRET_BYTES,
      `must have at least ${MIN_SECRET_BYTES} bytes`,
    )
    .default(DEVELOPMENT_SECRET),
  /** Required `iss` claim; empty: not checked. */
  issuer: z.string().default(''),
  /** Required `aud` claim; empty: not checked. */
  audience: z.string().default(''),
  /** Seconds a clock may be off, at most 60. */
  leewaySeconds: z.int().min(0).max(60).default(5),
  /** Keys of backends: every right, no user. Empty: none. */
  apiKeys: z.array(z.string().min(16, 'must have at least 16 characters each')).default([]),
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
