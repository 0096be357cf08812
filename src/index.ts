// The public door: all that another team may import. What is not here may change without notice.

export { Channel, OnConnect, OnPublish, OnSubscribe, OnUnsubscribe } from './channels/decorators.js';
export {
  ChannelName,
  ChannelParam,
  EventName,
  Payload,
  SessionId,
  Who,
} from './channels/param-decorators.js';
export type { PayloadSchema } from './channels/schema.pipe.js';
export type { ChannelOptions, HistoryOptions } from './channels/channel-options.js';
export { TRUNKLINE_CONTEXT, type ChannelAct, type ChannelRequest } from './channels/channel-request.js';

export {
  RealtimeService,
  type ChannelView,
  type PublishOptions,
  type SessionView,
  type Settled,
  type StatsView,
} from './core/realtime.service.js';
export type { PublishRequest } from './core/publisher.js';
export type { RevokeOptions } from './core/revocations.js';
export { TrunklineError, type ErrorOptions } from './core/errors.js';
export {
  ANONYMOUS,
  BACKEND,
  CAPABILITIES,
  hasCapability,
  type Capability,
  type CapabilityGrant,
  type Identity,
  type KeyRights,
  type Scope,
} from './core/identity.js';
export type { Access, ChannelPolicy, HistoryPolicy, Overflow } from './core/policy.js';

export { BACKPLANE, CLOCK, RANDOM } from './core/tokens.js';
export type { Cancel, Clock, Random } from './core/ports/time.js';
export type {
  Appended,
  AppendOptions,
  Backplane,
  BackplaneListener,
  ControlMessage,
  Delivery,
  Draft,
  LogSlice,
  PresenceEntry,
  PresenceEvent,
  Question,
  ReadOptions,
  Revocation,
} from './core/ports/backplane.js';

export { parseChannelPattern, type ChannelPattern } from './protocol/channel-pattern.js';
export {
  CLOSE,
  closeAdvice,
  ERRORS,
  isErrorCode,
  type CloseAdvice,
  type CloseName,
  type CloseRow,
  type ErrorCode,
  type ErrorRow,
} from './protocol/codes.js';
export type { ErrorBody, ErrorDetail } from './protocol/frames.js';
export type { Position } from './protocol/position.js';
export type {
  GapReason,
  HistoryResult,
  Member,
  Publication,
  PublisherInfo,
  PublishResult,
  ResumeRefusal,
  SubscribeResult,
} from './protocol/publication.js';

export { Authenticated, BackendOnly, Caller } from './auth/identity.decorators.js';
