// The frames of subprotocol `trunkline.v1` as types: what a client may ask, and what the server pushes and replies. Shapes only.

import type { ErrorCode } from './codes.js';
import type { Position } from './position.js';
import type {
  GapReason,
  HistoryResult,
  Member,
  Publication,
  PublishResult,
  SubscribeResult,
} from './publication.js';

export const SUBPROTOCOL = 'trunkline.v1';
/** Prefix of the subprotocol entry that carries a token: `bearer.<jwt>`. Never echoed. */
export const BEARER_SUBPROTOCOL = 'bearer.';
/** Name of the cookie that may carry a token. */
export const TOKEN_COOKIE = 'trunkline_token';
export const PROTOCOL_VERSION = 1;

/** Marks a request; returns in its reply. A string of 1–64 characters or a safe integer. */
export type FrameId = string | number;

export type Command =
  | { readonly type: 'authenticate'; readonly token: string }
  | {
      readonly type: 'subscribe';
      readonly channel: string;
      readonly since: Position | undefined;
      readonly presence: boolean;
    }
  | { readonly type: 'unsubscribe'; readonly channel: string }
  | PublishCommand
  | HistoryCommand
  | { readonly type: 'presence'; readonly channel: string }
  | { readonly type: 'ping' }
  /** An event of the application; `data` is raw JSON text. */
  | { readonly type: 'custom'; readonly event: string; readonly data: string };

export interface PublishCommand {
  readonly type: 'publish';
  readonly channel: string;
  readonly event: string;
  /** Raw JSON text. */
  readonly data: string;
  readonly key: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** False spares the sender its own live copy. */
  readonly echo: boolean;
}

export interface HistoryCommand {
  readonly type: 'history';
  readonly channel: string;
  readonly since: Position | undefined;
  readonly limit: number;
  readonly reverse: boolean;
}

export const HISTORY_LIMIT = 300;

/** One thing that is wrong with the data of a request; `path` is dotted, '' for the whole. */
export interface ErrorDetail {
  readonly path: string;
  readonly message: string;
}

export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retry: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly details?: readonly ErrorDetail[] | undefined;
}

export type Decoded =
  | { readonly ok: true; readonly id: FrameId | undefined; readonly command: Command }
  | { readonly ok: false; readonly id: FrameId | undefined; readonly error: ErrorBody };

/** What a command came to. `custom` carries raw JSON text, since it came from the application. */
export type CommandResult =
  | { readonly type: 'authenticate'; readonly user: string; readonly expiresAt: number }
  | { readonly type: 'subscribe'; readonly result: SubscribeResult }
  | { readonly type: 'unsubscribe'; readonly channel: string }
  | { readonly type: 'publish'; readonly result: PublishResult }
  | { readonly type: 'history'; readonly result: HistoryResult }
  | { readonly type: 'presence'; readonly channel: string; readonly members: readonly Member[] }
  | { readonly type: 'ping'; readonly time: number }
  | { readonly type: 'custom'; readonly data: string };

export interface WelcomePush {
  readonly type: 'welcome';
  readonly session: string;
  readonly user: string | undefined;
  readonly heartbeatMs: number;
  readonly version: number;
  /** Name of the server process that holds the session. For people; it means nothing to a client. */
  readonly instance: string | undefined;
}

/**
 * `from` and `to` are the first and last offset left out, `count` how many; the reader stands at `to` of `epoch` afterwards.
 * Both are 0 when the channel keeps no offsets.
 */
export interface GapPush {
  readonly type: 'gap';
  readonly channel: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly reason: GapReason;
}

export type Push =
  | WelcomePush
  | {
      readonly type: 'message';
      readonly channel: string;
      readonly epoch: string;
      readonly publication: Publication;
    }
  | { readonly type: 'join' | 'leave'; readonly channel: string; readonly member: Member }
  | GapPush
  | { readonly type: 'subscribed'; readonly result: SubscribeResult }
  | {
      readonly type: 'unsubscribed';
      readonly channel: string;
      readonly code: ErrorCode;
      readonly message: string;
    }
  | { readonly type: 'expiring'; readonly expiresAt: number }
  | { readonly type: 'reconnect'; readonly afterMs: number; readonly reason: string }
  /** An event of the application to one session; `data` is raw JSON text. */
  | { readonly type: 'custom'; readonly event: string; readonly data: string };
