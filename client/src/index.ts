// All that an application may import.

export { Channel } from './channel.js';
export type {
  ChannelEventMap,
  ChannelOptions,
  HistoryOptions,
  MemberChange,
  MessageOf,
  PublishOptions,
  SubscribeOptions,
} from './channel.js';
export type { TokenSource } from './connection.js';
export type { ConnectionState, StateChange } from './connection-machine.js';
export type { Off } from './emitter.js';
export { TrunklineError, type TrunklineErrorCode } from './errors.js';
export type { TrunklineLogger, TrunklineOptions } from './options.js';
export type { Cancel, Clock, Random } from './time.js';
export { Trunkline, type TrunklineEventMap } from './trunkline.js';
export type {
  Gap,
  GapReason,
  HistoryPage,
  Member,
  Message,
  Position,
  Published,
  PublisherInfo,
  ResumeRefusal,
  Subscription,
} from './types.js';
export type { WebSocketConstructor, WebSocketLike } from './ws-transport.js';
