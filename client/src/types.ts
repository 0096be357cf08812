// The shapes an application sees. Payloads are parsed here; on the server they stay text.

import type { Position } from '../../src/protocol/position.js';
import type { GapReason, Member, PublisherInfo, ResumeRefusal } from '../../src/protocol/publication.js';
import type { TrunklineError } from './errors.js';
import type { LoopOptions } from './messages-iterator.js';

/** One publication of a channel. */
export interface Message<T = unknown> {
  readonly channel: string;
  /** 1, 2, 3 … within the epoch; absent when the channel or the event keeps no history. */
  readonly offset?: number;
  readonly id: string;
  readonly event: string;
  readonly data: T;
  /** Who published; absent for the backend. */
  readonly from?: PublisherInfo;
  /** Milliseconds since 1970 by the server's clock. For people, not for order. */
  readonly time: number;
  readonly key?: string;
}

/** Something was left out. `from`, `to` and `count` are 0 when it cannot be told how much. */
export interface Gap {
  readonly channel: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly reason: GapReason;
}

/** What a subscribe came to. */
export interface Subscription extends Position {
  readonly channel: string;
  /** The channel keeps history, so a later return can be without loss. */
  readonly recoverable: boolean;
  /** This was a return, and nothing was missed. */
  readonly recovered: boolean;
  /** Why not; a `gap` event follows. */
  readonly reason?: ResumeRefusal;
}

/** Reply to `publish`: where the message stands. */
export interface Published extends Position {
  readonly channel: string;
  /** The idempotency key had been used before: nothing new was published. */
  readonly duplicate: boolean;
}

export interface HistoryPage<M extends Message = Message> extends Position {
  readonly channel: string;
  readonly messages: readonly M[];
}

/** The reply to `subscribe` and the `subscribed` push, as they come from the wire. */
export interface SubscribeReply extends Subscription {
  readonly messages: readonly Message[];
  readonly members?: readonly Member[];
}

export interface SubscribeOptions {
  /** Begin after this position, for example one kept over a reload. Default: now, or where a lost connection left off. */
  readonly since?: Position;
  /** Takes this call back while it waits: it rejects with the signal's reason. Nothing happens to a subscription that stands. */
  readonly signal?: AbortSignal;
}

export interface MessagesOptions extends LoopOptions, Pick<SubscribeOptions, 'since'> {
  /** `throw`: a gap ends the loop with the error `gap`, after the messages before it. Default: only the event tells of it. */
  readonly gaps?: 'event' | 'throw';
}

/** One wish to be subscribed, beside others. */
export interface Hold {
  /** As `subscribe()` would answer. */
  readonly ready: Promise<Subscription>;
  /** The last one to release unsubscribes, unless `subscribe()` was called. */
  release(): void;
}

export interface PublishOptions {
  /** A newer message with the same key makes an older one worthless, where the channel conflates. */
  readonly key?: string;
  /** False: no live copy of it comes back to this client. Default true. A resume after a lost connection may still bring it. */
  readonly echo?: boolean;
  /** Default: a random one. Give your own to make a call of yours repeatable. */
  readonly idempotencyKey?: string;
  /** Ends the waiting: the call rejects with the signal's reason. A message that was sent already may still come into the channel. */
  readonly signal?: AbortSignal;
}

export interface HistoryOptions {
  /** Only what came after. */
  readonly since?: Position;
  /** 1 to 300. */
  readonly limit?: number;
  /** Newest first. */
  readonly reverse?: boolean;
  readonly signal?: AbortSignal;
}

export interface MemberChange {
  readonly channel: string;
  readonly member: Member;
}

/** A message of one of the channel's events; `event` tells which, and so the type of `data`. */
export type MessageOf<Events extends object> = {
  readonly [K in keyof Events & string]: Message<Events[K]> & { readonly event: K };
}[keyof Events & string];

export interface ChannelEventMap<Events extends object> {
  /** Every publication, once, in order. */
  message: MessageOf<Events>;
  join: MemberChange;
  leave: MemberChange;
  /** After any change of `members`. */
  members: ReadonlyMap<string, Member>;
  /** Something was missed and cannot be had any more by waiting. */
  gap: Gap;
  /** At the first subscribe and after each reconnect. */
  subscribed: Subscription;
  /** Refused, or put out by the server. Not after `unsubscribe()`. */
  unsubscribed: TrunklineError;
}

export type { GapReason, Member, Position, PublisherInfo, ResumeRefusal };
