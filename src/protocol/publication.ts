// What travels in a channel: publications, members and the results that carry them. Shapes only.

import type { Position } from './position.js';

/** Who published; absent for the backend. */
export interface PublisherInfo {
  readonly user: string;
  readonly name: string | undefined;
}

/** One immutable message of a channel. */
export interface Publication {
  /** 1, 2, 3 … within the epoch; 0 when the channel or the event keeps no history. */
  readonly offset: number;
  /** Random, 64 bits. */
  readonly id: string;
  readonly event: string;
  /** Raw JSON text, exactly as it came in; never parsed and printed again on its way. */
  readonly data: string;
  readonly from: PublisherInfo | undefined;
  /** Milliseconds since 1970 by the clock of the instance that took it. For people, not for order. */
  readonly time: number;
  /** Conflation key: a newer publication with the same key makes an older one worthless. */
  readonly key: string | undefined;
}

/** One user who is present in a channel, however many sessions that user has there. */
export interface Member {
  readonly user: string;
  readonly name: string | undefined;
  readonly connections: number;
  /** Milliseconds since 1970 of the first of the sessions that are there now. */
  readonly since: number;
}

/** Why a resume was refused. */
export type ResumeRefusal = 'epoch_changed' | 'expired' | 'ahead' | 'id_mismatch' | 'too_many';

/** Why publications were left out for a session that stayed connected. */
export type GapReason = ResumeRefusal | 'overflow' | 'conflated' | 'lost';

export interface SubscribeResult extends Position {
  readonly channel: string;
  /** True when the channel keeps history, so a later `since` may succeed. */
  readonly recoverable: boolean;
  readonly recovered: boolean;
  readonly reason: ResumeRefusal | undefined;
  /** Exactly the missed publications in order when `recovered`; without `since`, the last value if the channel replays it. */
  readonly messages: readonly Publication[];
  readonly members: readonly Member[] | undefined;
}

export interface PublishResult extends Position {
  readonly channel: string;
  /** True when the idempotency key had been used: nothing new was published. */
  readonly duplicate: boolean;
}

export interface HistoryResult extends Position {
  readonly channel: string;
  readonly messages: readonly Publication[];
}
