// The options of the client, each with its unit and default. Shapes only.

import type { TokenSource } from './connection.js';
import type { Clock, Random } from './time.js';
import type { WebSocketConstructor } from './ws-transport.js';

export interface TrunklineOptions {
  /** The token, or a function that gets one. The function is asked at each connect and before the token ends. Default: none. */
  readonly token?: TokenSource;
  /** The WebSocket class. Default: the platform's. Node 20 has none: give the one of the package `ws`. */
  readonly webSocket?: WebSocketConstructor;
  /** Node with `ws` only: headers of the handshake. When given, even empty, the token goes as `authorization: Bearer`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Shortest wait before a reconnect, in milliseconds. Default 500. */
  readonly minDelayMs?: number;
  /** Longest wait before a reconnect, in milliseconds. Default 20000. */
  readonly maxDelayMs?: number;
  /** Milliseconds a connection must hold before earlier failures are forgotten. Default 10000. */
  readonly stableAfterMs?: number;
  /** Milliseconds to wait for a reply, and for a connection to open. Default 10000. */
  readonly requestTimeoutMs?: number;
  /** Publishes that may wait for the connection; one more rejects with `buffer_full`. 0: none may wait. Default 256. */
  readonly outboundLimit?: number;
  /** Hears of errors when there is no `error` listener. Default: the console. */
  readonly logger?: TrunklineLogger;
  /** For tests. */
  readonly clock?: Clock;
  /** For tests. */
  readonly random?: Random;
}

export interface TrunklineLogger {
  warn(message: string, detail: unknown): void;
}
