// The rules of a family of channels, and the decision whether an identity may act. Pure; where rules come from is not known here.

import type { GapReason } from '../protocol/publication.js';
import { TrunklineError } from './errors.js';
import type { Rate } from './ports/rate.js';
import { hasCapability, keyAllows, type Capability, type Identity, type Scope } from './identity.js';

export type Access = 'anyone' | 'authenticated' | 'capability' | 'backend' | 'nobody';
export const ACCESS_LEVELS: readonly Access[] = [
  'anyone',
  'authenticated',
  'capability',
  'backend',
  'nobody',
];

/** What happens to a session's outbox when it is over its bound. */
export type Overflow = 'disconnect' | 'drop-oldest' | 'drop-newest' | 'conflate';
export const OVERFLOW_POLICIES: readonly Overflow[] = [
  'disconnect',
  'drop-oldest',
  'drop-newest',
  'conflate',
];

export interface HistoryPolicy {
  /** Publications kept, exactly. */
  readonly size: number;
  /** Milliseconds the log is kept after its last publication. */
  readonly ttlMs: number;
}

export interface ChannelPolicy {
  readonly subscribe: Access;
  readonly publish: Access;
  /** Undefined: as `subscribe`, the handler that guards it included. */
  readonly historyAccess: Access | undefined;
  readonly presence: boolean;
  /** Events that may be published; undefined for any. */
  readonly events: ReadonlySet<string> | undefined;
  /** Events that are passed on live and never kept, such as typing. */
  readonly ephemeral: ReadonlySet<string>;
  readonly history: HistoryPolicy | undefined;
  /** Give a new subscriber the last kept publication, for tickers. */
  readonly replayLast: boolean;
  readonly overflow: Overflow;
  /** Bytes of payload text of one publication. */
  readonly maxBytes: number;
  /** Publishes of users and strangers together, on each instance; undefined: no limit. */
  readonly publishRate: Rate | undefined;
}

/** 16 KiB: a chat line or a tick fits many times; a file does not. */
export const DEFAULT_MAX_BYTES = 16_384;

export const DEFAULT_POLICY: ChannelPolicy = {
  subscribe: 'authenticated',
  publish: 'authenticated',
  historyAccess: undefined,
  presence: false,
  events: undefined,
  ephemeral: new Set(),
  history: undefined,
  replayLast: false,
  overflow: 'disconnect',
  maxBytes: DEFAULT_MAX_BYTES,
  publishRate: undefined,
};

export type Action = Capability;

export function may(identity: Identity, action: Action, channel: string, policy: ChannelPolicy): boolean {
  if (identity.key !== undefined && !keyAllows(identity, SCOPE[action], channel)) return false;
  if (identity.kind === 'backend') return true;
  const access = accessFor(action, policy);
  if (access === 'anyone') return true;
  if (identity.kind === 'anonymous') return false;
  return access === 'authenticated' || (access === 'capability' && hasCapability(identity, action, channel));
}

/** Throws `unauthenticated` or `forbidden`; texts are alike for all channels, so they reveal nothing. */
export function authorize(identity: Identity, action: Action, channel: string, policy: ChannelPolicy): void {
  if (may(identity, action, channel, policy)) return;
  if (identity.kind === 'anonymous') throw new TrunklineError('unauthenticated', 'Authenticate first.');
  throw refused(action);
}

function refused(action: Action): TrunklineError {
  return new TrunklineError('forbidden', `You may not ${VERB[action]} this channel.`);
}

/** What an API key must have for it. */
const SCOPE: Readonly<Record<Action, Scope>> = {
  subscribe: 'read',
  publish: 'publish',
  history: 'read',
  presence: 'presence',
};

const VERB: Readonly<Record<Action, string>> = {
  subscribe: 'subscribe to',
  publish: 'publish to',
  history: 'read the history of',
  presence: 'see who is present in',
};

function accessFor(action: Action, policy: ChannelPolicy): Access {
  if (action === 'publish') return policy.publish;
  return action === 'history' ? (policy.historyAccess ?? policy.subscribe) : policy.subscribe;
}

export const OVERFLOW_GAP: Readonly<Record<Exclude<Overflow, 'disconnect'>, GapReason>> = {
  'drop-oldest': 'overflow',
  'drop-newest': 'overflow',
  conflate: 'conflated',
};
