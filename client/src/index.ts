// All that an application may import.

export { Channel } from './channel.js';
export type { ChannelOptions } from './channel.js';
export type { TokenSource } from './connection.js';
export type { ConnectionState, StateChange } from './connection-machine.js';
export type { Off } from './emitter.js';
export type { ChoiceStorage, Environment, EnvironmentEvents } from './environment.js';
export { TrunklineError, type TrunklineErrorCode } from './errors.js';
export type { LoopOptions } from './messages-iterator.js';
export type { TrunklineLogger, TrunklineOptions } from './options.js';
export type { Cancel, Clock, Random } from './time.js';
export type {
  ClientFrame,
  OpenTransport,
  ServerFrame,
  Transport,
  TransportEvents,
  TransportFactory,
  Wanted,
} from './transport.js';
export type { TransportName } from './transports.js';
export { Trunkline, type TrunklineEventMap } from './trunkline.js';
export type {
  ChannelEventMap,
  Gap,
  GapReason,
  HistoryOptions,
  HistoryPage,
  Hold,
  Member,
  MemberChange,
  Message,
  MessageOf,
  MessagesOptions,
  Position,
  Published,
  PublisherInfo,
  PublishOptions,
  ResumeRefusal,
  SubscribeOptions,
  Subscription,
} from './types.js';
export type { WebSocketConstructor, WebSocketLike } from './ws-transport.js';
