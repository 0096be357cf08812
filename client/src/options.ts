// The options of the client, each with its unit and default. Shapes only.

import type { TokenSource } from './connection.js';
import type { ChoiceStorage, Environment } from './environment.js';
import type { Clock, Random } from './time.js';
import type { TransportFactory } from './transport.js';
import type { TransportName } from './transports.js';
import type { WebSocketConstructor } from './ws-transport.js';

export interface TrunklineOptions {
  /** The token, or a function that gets one. The function is asked at each connect and 30 s before the token ends. Default: none. */
  readonly token?: TokenSource;
  /** The WebSocket class. Default: the platform's. Node 20 has none: give the one of the package `ws`. */
  readonly webSocket?: WebSocketConstructor;
  /** The transports to try, the best first. Default: websocket, sse, polling; a WebSocket that the platform lacks is left out. */
  readonly transports?: readonly (TransportName | TransportFactory)[];
  /** Seconds a poll may wait for something new, at most 55. 0: short polls, one or two a second. Default 25. */
  readonly pollSeconds?: number;
  /** For requests. Default: the platform's. */
  readonly fetch?: typeof fetch;
  /** Keeps which transport worked, for an hour. Default: `localStorage` of the page; none in Node. */
  readonly storage?: ChoiceStorage;
  /**
   * Headers of requests and, with the option `webSocket`, of the handshake. When given, even empty, the token goes there as
   * `authorization: Bearer`. The platform's own WebSocket sends none: there the token stays a subprotocol.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /** Shortest wait before a reconnect, in milliseconds. Default 500. */
  readonly minDelayMs?: number;
  /** Longest wait before a reconnect, in milliseconds. Default 20000. */
  readonly maxDelayMs?: number;
  /** Milliseconds a connection must hold before earlier failures are forgotten. Default 10000. */
  readonly stableAfterMs?: number;
  /** Milliseconds to wait for a reply, and for a connection to open: at most 4000 while there is another transport to try. Default 10000. */
  readonly requestTimeoutMs?: number;
  /** Publishes that may wait for the connection; one more rejects with `buffer_full`. 0: none may wait. Default 256. */
  readonly outboundLimit?: number;
  /** Hears of errors when there is no `error` listener. Default: the console. */
  readonly logger?: TrunklineLogger;
  /** Tells when the network or the page comes and goes. Default: the page's own events. */
  readonly environment?: Environment;
  /** For tests. */
  readonly clock?: Clock;
  /** For tests. */
  readonly random?: Random;
}

export interface TrunklineLogger {
  warn(message: string, detail: unknown): void;
}
