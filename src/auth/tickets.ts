// One-time tickets: an identity that is kept for all instances under a random text, and taken by whoever brings that text first. What is
// kept is the digest of the text and who it stands for; it knows no transport and no token.

import { createHash } from 'node:crypto';
import { badCredential, invalidData, TrunklineError } from '../core/errors.js';
import { CAPABILITIES, grant, type Capability, type Identity, type KeyRights } from '../core/identity.js';
import type { RevocationCheck } from '../core/ports/application.js';
import type { Backplane } from '../core/ports/backplane.js';
import type { Clock, Random } from '../core/ports/time.js';
import type { ApiKey, ApiKeys } from './api-keys.js';
import { identityOf } from './claims.js';
import { isTicketText, TICKET_BYTES, TICKET_PREFIX } from './ticket-text.js';

/** Milliseconds from its issue in which a ticket must be used. */
export const TICKET_MS = 30_000;
/** Characters of what is kept for one: a token of 8 KiB with its claims fits. */
const MAX_KEPT = 16_384;

export interface TicketParts {
  /** Undefined: this room stands without the core, and there are no tickets. */
  readonly store: Pick<Backplane, 'keep' | 'take'> | undefined;
  readonly keys: ApiKeys;
  readonly revocations: RevocationCheck | undefined;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Pick<Random, 'id'>;
  readonly stats: { issued: number; used: number; refused: number };
}

export interface Ticket {
  readonly ticket: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** A user for whom a backend vouches. */
export interface Vouched {
  readonly user: string;
  readonly name: string | undefined;
  /** As the claim `channels`. */
  readonly channels: unknown;
  /** Seconds the session may last. */
  readonly ttl: number;
}

/** As it is kept, in JSON. Every field of an identity has its place here, or a ticket would stand for somebody else. */
interface Kept extends Omit<
  Identity,
  'grants' | 'key' | 'user' | 'name' | 'expiresAt' | 'issuedAt' | 'tokenId'
> {
  readonly user: string | null;
  readonly name: string | null;
  readonly expiresAt: number | null;
  readonly issuedAt: number | null;
  readonly tokenId: string | null;
  readonly grants: readonly (readonly [pattern: string, allows: readonly Capability[]])[];
  /** The tag of the API key behind it. */
  readonly key: string | null;
}

export class Tickets {
  constructor(private readonly parts: TicketParts) {}

  /** For the caller, or for whom the caller vouches. It never outlives the credential behind it. */
  async issue(identity: Identity): Promise<Ticket> {
    const { store, clock, random } = this.parts;
    if (store === undefined) throw new TrunklineError('unavailable', 'There are no tickets here.');
    const now = clock.now();
    const ttlMs = Math.min(TICKET_MS, (identity.expiresAt ?? Infinity) - now);
    if (ttlMs <= 0) throw new TrunklineError('expired', 'The token has ended.');
    const text = JSON.stringify(keptOf(identity));
    if (text.length > MAX_KEPT)
      throw new TrunklineError('limit_exceeded', 'The claims are too large for a ticket.');
    const ticket = TICKET_PREFIX + random.id(TICKET_BYTES);
    await store.keep(nameOf(ticket), text, Math.ceil(ttlMs));
    this.parts.stats.issued++;
    return { ticket, expiresAt: now + ttlMs };
  }

  /** For a user without a token of his own, on the word of a backend. The session is held to the channels of its key. */
  issueFor({ user, name, channels, ttl }: Vouched, { key }: Identity): Promise<Ticket> {
    const now = Math.floor(this.parts.clock.now() / 1000);
    const claims = {
      sub: user,
      iat: now,
      exp: now + ttl,
      ...(name === undefined ? {} : { name }),
      ...(channels === undefined ? {} : { channels }),
    };
    return this.issue({ ...readClaims(claims), ...(key === undefined ? {} : { key }) });
  }

  /** Uses it up, whatever comes of it. Rejects with `unauthenticated`, `expired`, or `unavailable` when nobody can be asked. */
  async redeem(ticket: string): Promise<Identity> {
    try {
      const identity = await this.read(ticket);
      this.parts.stats.used++;
      return identity;
    } catch (error) {
      this.parts.stats.refused++;
      throw error;
    }
  }

  private async read(ticket: string): Promise<Identity> {
    const { store, keys, revocations, clock } = this.parts;
    if (store === undefined || !isTicketText(ticket)) throw badCredential();
    const text = await store.take(nameOf(ticket));
    if (text === undefined) throw badCredential();
    const kept = JSON.parse(text) as Kept;
    const key = kept.key === null ? undefined : keys.byTag(kept.key);
    // Its key was taken away, or is not known here yet.
    if (kept.key !== null && key === undefined) throw badCredential();
    const identity = restored(kept, key);
    if (identity.expiresAt !== undefined && identity.expiresAt <= clock.now())
      throw new TrunklineError('expired', 'The token has ended.');
    if (revocations?.refuses(identity) === true) throw badCredential();
    return identity;
  }
}

/** The names are checked by now: what is left to be wrong is the map. */
function readClaims(claims: Parameters<typeof identityOf>[0]): Identity {
  try {
    return identityOf(claims);
  } catch {
    throw invalidData('channels', 'must map at most 64 channel patterns to lists of capabilities');
  }
}

/** Who reads the store finds no ticket that he could use. */
function nameOf(ticket: string): string {
  return `ticket:${createHash('sha256').update(ticket).digest('base64url')}`;
}

function keptOf({ key, grants, ...identity }: Identity): Kept {
  const { user, name, expiresAt, issuedAt, tokenId } = identity;
  return {
    ...identity,
    user: user ?? null,
    name: name ?? null,
    expiresAt: expiresAt ?? null,
    issuedAt: issuedAt ?? null,
    tokenId: tokenId ?? null,
    grants: grants.map(({ pattern, allows }) => [
      pattern.text,
      CAPABILITIES.filter((capability) => allows.has(capability)),
    ]),
    key: tagOf(key) ?? null,
  };
}

function restored({ key: _tag, grants, ...kept }: Kept, key: ApiKey | undefined): Identity {
  const { user, name, expiresAt, issuedAt, tokenId } = kept;
  return {
    ...kept,
    user: user ?? undefined,
    name: name ?? undefined,
    expiresAt: expiresAt ?? undefined,
    issuedAt: issuedAt ?? undefined,
    tokenId: tokenId ?? undefined,
    grants: grants.map(([pattern, allows]) => grant(pattern, allows)),
    ...(key === undefined ? {} : { key }),
  };
}

/** Rights that are no key of ours come from the application itself, which hands out no tickets. */
function tagOf(key: KeyRights | undefined): string | undefined {
  if (key === undefined) return undefined;
  if (!('tag' in key) || typeof key.tag !== 'string') throw badCredential();
  return key.tag;
}
