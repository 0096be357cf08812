// The port of a transport: frames in, frames out, one end. Request transports answer `subscribe`, `publish` … by frames of their own making.

import type { FrameId } from '../../src/protocol/frames.js';

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

export interface TransportEvents {
  /** The first frame is `welcome`; it marks the session as open. */
  frame(frame: ServerFrame): void;
  /** At most once. 1006 for every end without a code, a refused handshake too. */
  end(code: number, reason: string): void;
  /** Something the other side should not have sent. */
  fault(error: Error): void;
}

export interface Transport {
  /** Only after `welcome`. */
  send(frame: ClientFrame): void;
  /** No event of this transport follows. */
  close(code: number, reason: string): void;
}

/** Throws when the transport cannot work here at all; whatever may be better next time ends by `end`. */
export type OpenTransport = (token: string | undefined, events: TransportEvents) => Transport;
