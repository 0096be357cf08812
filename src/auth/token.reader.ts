// Takes a token apart before any signature is looked at: bounds, base64url, header. What it returns is not verified and may be used to look up a key only.

import { badCredential } from '../core/errors.js';
import { MAX_TOKEN_LENGTH } from '../protocol/decode.js';
import { scanFrame, stringEnd } from '../protocol/frame-scan.js';
import type { Claims } from './claims.js';

export interface TokenParts {
  readonly alg: string;
  readonly kid: string | undefined;
  /** JSON text of the claims; not parsed, since nothing of an unverified token but its header is worth the work. */
  readonly payload: string;
}

/** Characters. Headers of known providers have under 200. */
const MAX_HEADER_LENGTH = 2048;
/** Providers use hashes and UUIDs; the longest we know have 88 characters. */
export const MAX_KID_LENGTH = 256;
/** A claim nests three deep as a rule; printing a value of depth 5,000 overflows the stack. */
const MAX_DEPTH = 32;
const SEGMENT = /^[A-Za-z0-9_-]+$/;

/** Parameters that name or carry a key, or change how the rest is read (RFC 7515 §4.1, RFC 7797, RFC 7516): a token with one is refused. */
const FORBIDDEN_HEADERS = ['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc'];
/** RFC 9068 marks access tokens so. Logout, DPoP and security event tokens are signed by the same keys and are no logins. */
const TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt']);

export function readToken(token: string): TokenParts {
  if (token === '' || token.length > MAX_TOKEN_LENGTH) throw refused('is empty or too long');
  const segments = token.split('.', 4);
  const [header = '', payload = '', signature = ''] = segments;
  if (segments.length !== 3 || !segments.every((segment) => SEGMENT.test(segment)))
    throw refused('is not three parts of base64url');
  if (header.length > MAX_HEADER_LENGTH) throw refused('has too long a header');
  // Spare bits of the last character would make several texts of one token.
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature)
    throw refused('has a signature with spare bits');
  const { alg, kid, typ, ...rest } = readObject(decode(header));
  if (typeof alg !== 'string') throw refused('names no algorithm');
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH))
    throw refused('has a bad "kid"');
  if (typ !== undefined && (typeof typ !== 'string' || !TYPES.has(typ.toLowerCase())))
    throw refused('has a "typ" of no login');
  const forbidden = FORBIDDEN_HEADERS.find((name) => Object.hasOwn(rest, name));
  if (forbidden !== undefined) throw refused(`has the header "${forbidden}"`);
  return { alg, kid, payload: decode(payload) };
}

/** The claims of a token whose signature was good. */
export function readClaims({ payload }: TokenParts): Claims {
  return readObject(payload);
}

/** For the log; the client hears one sentence for all of them. */
export function refused(why: string): Error {
  return badCredential(new Error(`The token ${why}.`));
}

/** The mark of byte order stays, and JSON.parse refuses it. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(segment: string): string {
  try {
    return UTF8.decode(Buffer.from(segment, 'base64url'));
  } catch {
    throw refused('is not UTF-8');
  }
}

/** A name that stands twice is read one way here and another way by a proxy in front (RFC 7519 §4): refused. */
function readObject(text: string): Record<string, unknown> {
  if (scanFrame(text, MAX_DEPTH) === undefined) throw refused('nests too deep');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused('is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused('is no object');
  if (repeatsAName(text)) throw refused('has a name twice');
  return value as Record<string, unknown>;
}

/** For text that JSON.parse took. */
function repeatsAName(text: string): boolean {
  /** The names of each open object; undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  let expectsName = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charAt(at)) {
      case '"': {
        const end = stringEnd(text, at);
        const names = open.at(-1);
        if (expectsName && names !== undefined) {
          const written = text.slice(at, end + 1);
          // An escape writes the same name in another way; a text without one is its own name.
          const name = written.includes('\\') ? (JSON.parse(written) as string) : written.slice(1, -1);
          if (names.has(name)) return true;
          names.add(name);
          expectsName = false;
        }
        at = end;
        break;
      }
      case '{':
        open.push(new Set());
        expectsName = true;
        break;
      case '[':
        open.push(undefined);
        expectsName = false;
        break;
      case '}':
      case ']':
        open.pop();
        expectsName = false;
        break;
      case ',':
        expectsName = open.at(-1) !== undefined;
        break;
    }
  }
  return false;
}
