// Verified claims → identity. Claims of a wrong shape refuse the whole token: a half-read capability map is worse than none.

import { isChannelName, isUserId } from '../protocol/names.js';
import {
  CAPABILITIES,
  grant,
  type Capability,
  type CapabilityGrant,
  type Identity,
} from '../core/identity.js';
import { TrunklineError } from '../core/errors.js';

/** Entries of `channels` and of `join`; a token is small, and each is matched at each act. */
const MAX_GRANTS = 64;

export type Claims = Readonly<Record<string, unknown>>;

export function identityOf(claims: Claims): Identity {
  const { sub, exp, iat, jti, name, channels, join } = claims as Record<
    'sub' | 'exp' | 'iat' | 'jti' | 'name' | 'channels' | 'join',
    unknown
  >;
  if (!isUserId(sub)) throw bad('needs a "sub" of 1 to 128 characters');
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw bad('needs an "exp" in seconds');
  return {
    kind: 'user',
    user: sub,
    name: isUserId(name) ? name : undefined,
    expiresAt: exp * 1000,
    issuedAt: typeof iat === 'number' ? iat * 1000 : undefined,
    tokenId: typeof jti === 'string' ? jti : undefined,
    grants: readGrants(channels),
    join: readJoin(join),
    claims,
  };
}

function readGrants(value: unknown): readonly CapabilityGrant[] {
  if (value === undefined) return [];
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad('has a "channels" claim that is no map');
  const entries = Object.entries(value);
  if (entries.length > MAX_GRANTS) throw bad(`lists more than ${MAX_GRANTS} channels`);
  return entries.map(([pattern, allows]) => {
    if (!isCapabilityList(allows)) throw bad('has a "channels" claim with an unknown capability');
    try {
      return grant(pattern, allows);
    } catch {
      throw bad('has a "channels" claim with a bad pattern');
    }
  });
}

function isCapabilityList(value: unknown): value is Capability[] {
  return Array.isArray(value) && value.every((entry) => CAPABILITIES.includes(entry as Capability));
}

function readJoin(value: unknown): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MAX_GRANTS || !value.every(isChannelName))
    throw bad('has a bad "join" claim');
  return value;
}

function bad(what: string): TrunklineError {
  return new TrunklineError('unauthenticated', `The token ${what}.`);
}
