// One WebSocket connection as a link of the core: raw writes of prepared frames, control frames by `ws`. Knows no frame type.

import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Batch } from '../../core/batch.js';
import type { Identity } from '../../core/identity.js';
import type { Link } from '../../core/ports/link.js';
import type { Session } from '../../core/session.js';
import { CLOSE } from '../../protocol/codes.js';
import type { CustomHandlers } from './custom-events.js';
import { textFrame } from './ws.format.js';

interface Receiver {
  /** Opcode of the fragmented message under way, or 0. */
  readonly _fragmented: number;
  /** 0: between frames. */
  readonly _state: number;
  readonly _bufferedBytes: number;
}

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

  /** A message has begun and not ended. `ws` tells only whole messages, so its receiver is asked; the version is pinned. */
  get midMessage(): boolean {
    /* eslint-disable no-underscore-dangle -- private names of `ws`, read only */
    const receiver = (this as unknown as { _receiver?: Receiver })._receiver;
    if (receiver === undefined) return false;
    return receiver._fragmented !== 0 || receiver._state !== 0 || receiver._bufferedBytes > 0;
    /* eslint-enable no-underscore-dangle */
  }

  write(batch: Batch): boolean {
    const { raw } = this;
    if (raw === undefined || !raw.writable) return true;
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
