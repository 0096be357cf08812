// The shapes an application sees. Payloads are parsed here; on the server they stay text.

import type { Position } from '../../src/protocol/position.js';
import type { GapReason, Member, PublisherInfo, ResumeRefusal } from '../../src/protocol/publication.js';

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

export type { GapReason, Member, Position, PublisherInfo, ResumeRefusal };
