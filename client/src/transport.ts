// The port of a transport: frames in, frames out, one end. Request transports answer `subscribe`, `publish` … by frames of their own making.

import type { FrameId } from '../../src/protocol/frames.js';
import type { Position } from './types.js';

export interface ClientFrame {
  readonly event: string;
  readonly id: FrameId;
  /** JSON text of `data`: made once, so what is sent again is what was sent first. */
  readonly body: string;
}

export interface ServerFrame {
  readonly event: string;
  readonly id?: FrameId;
  readonly data?: unknown;
}

/** A channel the client wants to hear. */
export interface Wanted {
  readonly channel: string;
  /** After the last message handed on; undefined: from now on. */
  readonly since: Position | undefined;
  readonly presence: boolean;
}

export interface TransportEvents {
  /**
   * The first frame is `welcome`; it marks the session as open. A later one says that the session goes on under another name.
   * An `ok` without an id is nothing but a sign of life.
   */
  frame(frame: ServerFrame): void;
  /**
   * At most once. The close codes of the protocol; 1006 for every end that the server did not explain, a refused handshake too.
   * `retryAfterMs` is the time the server named.
   */
  end(code: number, reason: string, retryAfterMs?: number): void;
  /** Something the other side should not have sent. */
  fault(error: Error): void;
}

export interface Transport {
  /** Only after `welcome`. */
  send(frame: ClientFrame): void;
  /** No event of this transport follows. */
  close(code: number, reason: string): void;
}

/**
 * Throws when the transport cannot work here at all; whatever may be better next time ends by `end`. `wanted` tells at any time
 * what the client wants to hear: transports that ask by requests put it into their first one, the others wait for `subscribe`.
 */
export type OpenTransport = (
  token: string | undefined,
  events: TransportEvents,
  wanted: () => readonly Wanted[],
) => Transport;

export interface TransportFactory {
  /** What `trunkline.transport` tells. */
  readonly name: string;
  readonly open: OpenTransport;
}
