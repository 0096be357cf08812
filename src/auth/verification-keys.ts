// Public keys, each bound to one algorithm before any token is seen (RFC 8725 §3.1). Reads no file and fetches nothing.

import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { Algorithm } from './auth.options.js';
import { MAX_KID_LENGTH } from './token.reader.js';

export interface VerificationKey {
  readonly kid: string | undefined;
  /** What the header of a token may call the one algorithm of the key: RFC 9864 renamed EdDSA. */
  readonly names: readonly string[];
  readonly key: KeyObject;
}

export interface KeySource {
  /** The keys that a token with this header may be signed with; few, or none. Rejects with `unavailable` when it is not known just now. */
  find(kid: string | undefined, alg: string): Promise<readonly VerificationKey[]>;
}

/** Providers publish one to six. */
export const MAX_KEYS = 100;
/** Keys of one algorithm without a `kid`, or with the same: an attacker makes us try them all, at 30 to 1,200 µs each. */
const MAX_CANDIDATES = 4;
/** RFC 7518 §3.3. */
const MIN_RSA_BITS = 2048;
/** The cost of one check grows with the square: 8,192 bits take 16 times as long as 2,048. */
const MAX_RSA_BITS = 8192;
/** Ever longer exponents make a check as slow as a signature; all providers use 65,537. */
const MAX_RSA_EXPONENT = 0xffff_ffffn;
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'k', 'dp', 'dq', 'qi', 'oth'];

const CURVES: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
]);

/** A key of the set cannot be used; `because` completes a sentence for the operator. */
export class UnusableKey extends Error {
  constructor(readonly because: string) {
    super(`The key ${because}.`);
    this.name = 'UnusableKey';
  }
}

export class KeySet {
  private readonly byKid = new Map<string, VerificationKey[]>();
  private readonly nameless: VerificationKey[] = [];

  constructor(readonly keys: readonly VerificationKey[]) {
    for (const key of keys) {
      if (key.kid === undefined) this.nameless.push(key);
      else this.byKid.set(key.kid, [...(this.byKid.get(key.kid) ?? []), key]);
    }
  }

  knows(kid: string): boolean {
    return this.byKid.has(kid);
  }

  /** A key without a `kid` may be meant by any; a token without one may mean any key. */
  find(kid: string | undefined, alg: string): readonly VerificationKey[] {
    const meant = kid === undefined ? this.keys : (this.byKid.get(kid) ?? this.nameless);
    const fitting = meant.filter(({ names }) => names.includes(alg));
    return fitting.length > MAX_CANDIDATES ? [] : fitting;
  }
}

/** Keys that are not for signatures, or of kinds that are not allowed, are left out: sets of providers hold such. */
export function keysOf(set: unknown, algorithms: readonly Algorithm[]): VerificationKey[] {
  const list = isObject(set) ? (Array.isArray(set['keys']) ? (set['keys'] as unknown[]) : [set]) : [];
  if (list.length > MAX_KEYS) throw new UnusableKey(`is one of more than ${MAX_KEYS}`);
  const keys: VerificationKey[] = [];
  let fault = new UnusableKey('is not there: the set is empty');
  for (const entry of list) {
    try {
      keys.push(keyOf(entry, algorithms));
    } catch (error) {
      if (!(error instanceof UnusableKey)) throw error;
      fault = error;
    }
  }
  if (keys.length === 0) throw fault;
  return keys;
}

function keyOf(entry: unknown, algorithms: readonly Algorithm[]): VerificationKey {
  if (!isObject(entry)) throw new UnusableKey('is no object');
  const { kid, use, key_ops: operations, alg } = entry;
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(entry, name)))
    throw new UnusableKey('is private or shared: only its public half belongs here');
  if (use !== undefined && use !== 'sig') throw new UnusableKey('is not for signatures');
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    throw new UnusableKey('is not for verifying');
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH))
    throw new UnusableKey('has a bad "kid"');
  return bind(publicKeyOf(entry), { kid, named: alg, algorithms });
}

export interface Binding {
  readonly kid: string | undefined;
  /** The `alg` of the key itself, when it has one. */
  readonly named: unknown;
  readonly algorithms: readonly Algorithm[];
}

/** The algorithm a key names for itself, else the first allowed one of its type. */
export function bind(key: KeyObject, { kid, named, algorithms }: Binding): VerificationKey {
  const possible = algorithmsOf(key);
  const own = named === 'Ed25519' ? 'EdDSA' : named;
  const bound = algorithms.find((name) => possible.includes(name) && (own === undefined || name === own));
  if (bound === undefined) throw new UnusableKey('is of a kind that TRUNKLINE_JWT_ALGORITHMS does not allow');
  return { kid, key, names: bound === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [bound] };
}

function algorithmsOf(key: KeyObject): readonly Algorithm[] {
  const { modulusLength = 0, publicExponent = 0n, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS || publicExponent > MAX_RSA_EXPONENT)
        throw new UnusableKey(`has not ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, or a strange exponent`);
      return ['RS256', 'PS256'];
    case 'ec': {
      const alg = CURVES.get(namedCurve);
      return alg === undefined ? [] : [alg];
    }
    case 'ed25519':
      return ['EdDSA'];
    default:
      return [];
  }
}

function publicKeyOf(entry: Record<string, unknown>): KeyObject {
  // Only what makes the key: certificates and addresses of certificates are not looked at.
  const { kty, n, e, crv, x, y } = entry as Record<'kty' | 'n' | 'e' | 'crv' | 'x' | 'y', unknown>;
  try {
    return createPublicKey({ key: { kty, n, e, crv, x, y } as JsonWebKey, format: 'jwk' });
  } catch {
    throw new UnusableKey('cannot be read');
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
