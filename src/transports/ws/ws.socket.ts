// One WebSocket connection as a link of the core: raw writes of prepared frames, control frames by `ws`. Knows no frame type.

import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Batch } from '../../core/batch.js';
import type { Identity } from '../../core/identity.js';
import type { Link } from '../../core/ports/link.js';
import type { Session } from '../../core/session.js';
import { CLOSE } from '../../protocol/codes.js';
import type { Stranger } from '../../limits/strangers.js';
import type { CustomHandlers } from './custom-events.js';
import { textFrame } from './ws.format.js';

interface Receiver {
  /** Opcode of the fragmented message under way, or 0. */
  readonly _fragmented: number;
  /** 0: between frames. */
  readonly _state: number;
  readonly _bufferedBytes: number;
  /** Bytes of one message; read at each. */
  _maxPayload: number;
}

/** What `ws` says of a message over that bound. */
const TOO_LONG = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';

/**
 * State lives on the socket object and its listeners are shared functions, since each closure costs memory ten thousand times.
 * `raw` is the duplex of the upgrade: bytes of whole frames are written to it, so they never mix with the control frames of `ws`.
 */
export class TrunklineSocket extends WebSocket implements Link {
  readonly transport = 'ws';
  raw: Duplex | undefined;
  identity: Identity | undefined;
  session: Session | undefined;
  handlers: CustomHandlers | undefined;
  /** As the limits count it. */
  address: string | undefined;
  /** Set while it has neither identity nor subscription. */
  stranger: Stranger | undefined;
  /** What everybody may send; kept while a stranger may send less. */
  private usualPayload = 0;
  gateway: { forget(client: TrunklineSocket, code: number): void } | undefined;
  /** On `/ws`, where a session answers; other paths belong to gateways of the application. */
  onMainPath = false;
  /** Messages that have arrived whole; with `midMessage` it tells one that never ends. */
  messages = 0;
  /** `messages` when a message was found unfinished at the last look; −1 when none was. */
  unfinishedSince = -1;
  /** False between a ping and its pong. */
  alive = true;
  private waitsForDrain = false;

  get bufferedBytes(): number {
    return this.raw?.writableLength ?? 0;
  }

  /* eslint-disable no-underscore-dangle -- private names of `ws`; one of them is written */
  /** A message has begun and not ended. `ws` tells only whole messages, so its receiver is asked; the version is pinned. */
  get midMessage(): boolean {
    const { receiver } = this;
    if (receiver === undefined) return false;
    return receiver._fragmented !== 0 || receiver._state !== 0 || receiver._bufferedBytes > 0;
  }

  /** Bounds what it may send before a byte of it is kept: `ws` has one bound for all sockets, so its receiver is told. */
  beStranger(stranger: Stranger): void {
    this.stranger = stranger;
    this.once('close', () => stranger.leave());
    this.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === TOO_LONG && this.stranger !== undefined) stranger.isTooMuch(Infinity);
    });
    const { receiver } = this;
    if (receiver === undefined || stranger.takes === 0) return;
    this.usualPayload = receiver._maxPayload;
    receiver._maxPayload = Math.min(stranger.takes, receiver._maxPayload);
  }

  /** Every way out of being a stranger has its answer, and answers are written here. */
  private lookAgain(): void {
    const { session } = this;
    if (session === undefined) return;
    if (session.identity.kind === 'anonymous' && session.subscriptions.size === 0) return;
    this.stranger?.leave();
    this.stranger = undefined;
    if (this.usualPayload > 0 && this.receiver !== undefined) this.receiver._maxPayload = this.usualPayload;
  }

  private get receiver(): Receiver | undefined {
    return (this as unknown as { _receiver?: Receiver })._receiver;
  }
  /* eslint-enable no-underscore-dangle */

  write(batch: Batch): boolean {
    if (this.stranger !== undefined) this.lookAgain();
    const { raw } = this;
    // RFC 6455 §5.5.1: nothing follows a close frame, and `ws` sends one by itself when the peer breaks the protocol.
    if (raw === undefined || !raw.writable || this.readyState !== WebSocket.OPEN) return true;
    if (raw.write(batch.bytes())) return true;
    if (!this.waitsForDrain) {
      this.waitsForDrain = true;
      raw.once('drain', () => {
        this.waitsForDrain = false;
        this.session?.drained();
      });
    }
    return false;
  }

  /** No pong for a whole heartbeat: the peer is gone, or as good as gone. */
  lost(): void {
    // What waits to be read may hold the pong: while the session does not read, silence says nothing about the peer.
    if (this.isPaused) return;
    if (this.session === undefined) this.terminate();
    else this.session.close(CLOSE.heartbeat);
  }

  custom(event: string, data: string): Promise<string> | undefined {
    return this.handlers?.handle(this, event, data);
  }

  /** A team's gateway may write to its client: the text takes the way of all frames, with its bound. */
  override send(data: Parameters<WebSocket['send']>[0], ...rest: unknown[]): void {
    if (this.session === undefined || typeof data !== 'string') {
      (super.send as (...args: unknown[]) => void)(data, ...rest);
      return;
    }
    if (this.handlers?.capture(data) === true) return;
    this.session.send({ bytes: textFrame(data), droppable: undefined });
  }
}
