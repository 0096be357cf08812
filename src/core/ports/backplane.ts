// The ordered log, the presence store and the bus between instances, as core sees them: calls go down, events come up.

import type { Position } from '../../protocol/position.js';
import type { Member, Publication } from '../../protocol/publication.js';
import type { HistoryPolicy } from '../policy.js';

/** A publication before the log has given it a place. */
export interface Draft {
  readonly event: string;
  /** Raw JSON text. */
  readonly data: string;
  readonly from: Publication['from'];
  readonly key: string | undefined;
}

export interface AppendOptions {
  /** Undefined: the publication is passed on live and not kept; its offset is 0. */
  readonly history: HistoryPolicy | undefined;
  /** The same key within five minutes gives the first position again and makes no second publication. */
  readonly idempotencyKey: string | undefined;
  /** Session that shall not get its live copy. */
  readonly except: string | undefined;
}

export interface Appended {
  readonly position: Position;
  readonly duplicate: boolean;
}

export interface ReadOptions {
  /** Forward: offset > after, oldest first. Reverse: offset < after, newest first; 0 means from the top. */
  readonly after: number;
  readonly limit: number;
  readonly reverse: boolean;
}

export interface LogSlice {
  /** The newest position. Offset 0 and id '' when the epoch has nothing yet. */
  readonly top: Position;
  /** Id of the publication at `after`, or undefined when the log no longer has it. */
  readonly idAtAfter: string | undefined;
  readonly publications: readonly Publication[];
}

export interface PresenceEntry {
  readonly session: string;
  readonly user: string;
  readonly name: string | undefined;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export interface PresenceEvent {
  readonly type: 'join' | 'leave';
  readonly member: Member;
}

/** Orders between instances. Each is idempotent: hearing it twice does no harm. */
export type ControlMessage =
  | { readonly type: 'disconnect'; readonly user: string; readonly code: number; readonly reason: string }
  | { readonly type: 'subscribe'; readonly user: string; readonly channel: string }
  | { readonly type: 'unsubscribe'; readonly user: string; readonly channel: string }
  | { readonly type: 'refresh'; readonly user: string };

/**
 * Tokens of a user that are refused everywhere. Two of the same user and token are one, with the later `before` and `until`, so
 * hearing any of them twice or in another order does no harm.
 */
export interface Revocation {
  readonly user: string;
  /** The `jti` of the one token that is meant; undefined: all that were issued at or before `before`. */
  readonly tokenId: string | undefined;
  /** Seconds since 1970, as in the claim `iat`; 0 where one token is meant. */
  readonly before: number;
  /** Milliseconds since 1970 after which no token that is meant can be alive, so nobody has to remember it. */
  readonly until: number;
}

/** What one instance asks of all. Each answers with JSON of its own. */
export type Question =
  | { readonly type: 'stats' }
  | { readonly type: 'channels' }
  | { readonly type: 'sessions'; readonly user: string | undefined };

/** Core's side: what the backplane tells. Calls never throw and never wait. */
export interface BackplaneListener {
  onPublication(channel: string, epoch: string, delivery: Delivery): void;
  onPresence(channel: string, event: PresenceEvent): void;
  onControl(message: ControlMessage): void;
  /**
   * These are refused from now on. At the start the backplane tells all that are kept before it resolves, then each new one within a
   * second, and whatever was missed on the bus some seconds later.
   */
  onRevocations(revocations: readonly Revocation[]): void;
  /** The bus may have lost something: compare these channels, or all, with the log. */
  onSuspect(channels: readonly string[] | 'all'): void;
  /** What this instance says to a question of any. Undefined: it has nothing to say. */
  answer?(question: Question): unknown;
}

export interface Delivery {
  readonly publication: Publication;
  readonly except: string | undefined;
  /** Id of the publication before it, undefined where there is none: an offset that was used anew after lost writes shows by it. */
  readonly previous: string | undefined;
}

/**
 * Rejects with TrunklineError `unavailable` (nothing was done), or `unknown_outcome` (it may have been done; only an append
 * with an idempotency key can be repeated safely).
 */
export interface Backplane {
  readonly name: string;
  start(listener: BackplaneListener): Promise<void>;
  stop(): Promise<void>;
  /** False while publications cannot be taken; readiness follows it. */
  healthy(): boolean;

  /** Assigns offset and id, keeps it, and publishes on the bus, in one atomic step. */
  append(channel: string, draft: Draft, options: AppendOptions): Promise<Appended>;
  read(channel: string, options: ReadOptions): Promise<LogSlice>;
  /** Newest positions, in the order asked. */
  tops(channels: readonly string[]): Promise<readonly Position[]>;

  /** After it resolves, every later publication of the channel reaches the listener, or the channel is reported suspect. */
  subscribe(channel: string): Promise<void>;
  unsubscribe(channel: string): Promise<void>;

  /** Tells `join` on the bus when the user had no entry there, in the same atomic step. */
  enter(channel: string, entry: PresenceEntry): Promise<void>;
  /** Tells `leave` on the bus when it was the user's last entry, in the same atomic step. */
  exit(channel: string, entry: PresenceEntry): Promise<void>;
  members(channel: string): Promise<readonly Member[]>;

  /** Reaches every instance, this one included. */
  control(message: ControlMessage): Promise<void>;
  /** Resolves when it is kept for all instances, those that start later included, and has been told to them. */
  revoke(revocation: Revocation): Promise<void>;
  /**
   * Keeps a short text for all instances, for `ttlMs` at most. A later one with the same key takes its place. `key` has letters, digits
   * and `-_.:` only. Rejects when there is no room.
   */
  keep(key: string, text: string, ttlMs: number): Promise<void>;
  /**
   * The text that was kept, which is gone with it: of all who ask, on whatever instances and at whatever time, one gets it and the others
   * undefined. When it rejects, it may be gone.
   */
  take(key: string): Promise<string | undefined>;
  /**
   * Adds to a counter that all instances share, and gives its sum. It is forgotten `ttlMs` after its first addition. `name` may be any
   * text. Left out: no other instance counts.
   */
  tally?(name: string, amount: number, ttlMs: number): Promise<number>;
  /** One answer of each instance, this one included. One that does not answer within a second is left out. */
  gather(question: Question): Promise<readonly unknown[]>;
}
