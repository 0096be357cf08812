// Which tokens are refused although they verify: a list that every instance knows whole. Knows no session, no backplane and no token's text.

import { isKey, isUserId } from '../protocol/names.js';
import { invalidData, TrunklineError } from './errors.js';
import type { Identity } from './identity.js';
import type { RevocationCheck } from './ports/application.js';
import type { Revocation } from './ports/backplane.js';
import type { Clock } from './ports/time.js';

export interface RevokeOptions {
  /** Seconds since 1970: tokens issued at or before are refused. The second of now when left out. */
  readonly before?: number | undefined;
  /** The `jti` of one token, which alone is refused. */
  readonly tokenId?: string | undefined;
}

export interface RevocationBounds {
  /** Milliseconds a revocation is remembered. */
  readonly revocationMs: number;
  /** 0: no limit. */
  readonly maxRevocations: number;
}

interface Refused {
  readonly before: number;
  readonly until: number;
}

/** A backend's clock may be ahead of ours. Further, and nobody could log in for as long. */
const AHEAD_SECONDS = 60;
const SWEEP_EVERY_MS = 60_000;

export const BEFORE_RULE = `must be whole seconds since 1970, at most ${AHEAD_SECONDS} ahead`;
export const TOKEN_ID_RULE =
  'must be the "jti" of a token: 1 to 128 characters without control characters or quotes';

export class Revocations implements RevocationCheck {
  private readonly users = new Map<string, Refused>();
  /** By user and token id → milliseconds since 1970 at which it ends. */
  private readonly tokens = new Map<string, number>();
  private sweptAt = 0;

  constructor(
    private readonly clock: Clock,
    private readonly bounds: RevocationBounds,
  ) {}

  /** Those that have not ended. Walks all. */
  get size(): number {
    this.sweep();
    return this.users.size + this.tokens.size;
  }

  /**
   * `iat` is in whole seconds, so of the second of the revocation nobody can tell what came before it: all of it is refused, and a
   * new login works from the next second on. A token that does not say when it was issued, or says a time to come, may be an old one.
   */
  refuses({ user, tokenId, issuedAt }: Identity): boolean {
    if (user === undefined) return false;
    const now = this.clock.now();
    if (tokenId !== undefined && (this.tokens.get(keyOf(user, tokenId)) ?? 0) > now) return true;
    const refused = this.users.get(user);
    if (refused === undefined || refused.until <= now) return false;
    if (issuedAt === undefined || issuedAt > now + AHEAD_SECONDS * 1000) return true;
    return Math.floor(issuedAt / 1000) <= refused.before;
  }

  apply(revocations: readonly Revocation[]): void {
    const now = this.clock.now();
    if (now - this.sweptAt >= SWEEP_EVERY_MS) this.sweep();
    for (const { user, tokenId, before, until } of revocations) {
      if (until <= now) continue;
      if (tokenId === undefined) {
        const known = this.users.get(user) ?? { before, until };
        this.users.set(user, {
          before: Math.max(before, known.before),
          until: Math.max(until, known.until),
        });
      } else {
        const key = keyOf(user, tokenId);
        this.tokens.set(key, Math.max(until, this.tokens.get(key) ?? 0));
      }
    }
  }

  /** A new one, for the backplane. Throws `invalid_data`, and `limit_exceeded` when there are too many to remember one more. */
  make(user: string, { before, tokenId }: RevokeOptions): Revocation {
    const now = this.clock.now();
    const second = Math.floor(now / 1000);
    if (!isUserId(user)) throw invalidData('user', 'must be a user id');
    if (before !== undefined && !(isMoment(before) && before <= second + AHEAD_SECONDS))
      throw invalidData('before', BEFORE_RULE);
    if (tokenId !== undefined && !isKey(tokenId)) throw invalidData('tokenId', TOKEN_ID_RULE);
    if (before !== undefined && tokenId !== undefined)
      throw invalidData('before', 'must not stand beside "tokenId", which means one token whenever issued');
    this.checkRoom(user, tokenId);
    const until = now + this.bounds.revocationMs;
    return { user, tokenId, before: tokenId === undefined ? (before ?? second) : 0, until };
  }

  /** To forget an old one in favour of a new one would let a refused token in again. */
  private checkRoom(user: string, tokenId: string | undefined): void {
    const { maxRevocations: most } = this.bounds;
    const known = tokenId === undefined ? this.users.has(user) : this.tokens.has(keyOf(user, tokenId));
    if (most > 0 && !known && this.size >= most)
      throw new TrunklineError('limit_exceeded', `At most ${most} revocations can be remembered.`);
  }

  private sweep(): void {
    const now = this.clock.now();
    this.sweptAt = now;
    for (const [user, { until }] of this.users) if (until <= now) this.users.delete(user);
    for (const [key, until] of this.tokens) if (until <= now) this.tokens.delete(key);
  }
}

export function isMoment(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** A user id has no control character, so no two pairs make one key. */
function keyOf(user: string, tokenId: string): string {
  return `${user}\n${tokenId}`;
}
