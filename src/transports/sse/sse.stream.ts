// One event stream as a link of the core: shared bytes to the socket, a cursor of its own when it has several channels.
// Knows no rule of a channel.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Batch, Mark } from '../../core/batch.js';
import type { Link } from '../../core/ports/link.js';
import type { Clock } from '../../core/ports/time.js';
import type { Session } from '../../core/session.js';
import { NO_CLOSE_CODE } from '../../protocol/codes.js';
import { encodeEntry, joinEntries, MAX_CURSOR_LENGTH } from '../../protocol/cursor.js';
import type { Position } from '../../protocol/position.js';
import { eventText, withId } from './sse.format.js';
import { END_ID } from './sse.tokens.js';

const COMMENT = Buffer.from(':\n\n');
const TERMINAL_FROM = 4000;
const TERMINAL_TO = 4099;

export interface StreamOwner {
  forget(stream: SseStream): void;
  readonly closeTimeoutMs: number;
  readonly clock: Pick<Clock, 'after'>;
}

export class SseStream implements Link {
  readonly transport = 'sse';
  session: Session | undefined;
  /** Nothing answers on an event stream: every beat counts as heard. */
  alive = true;
  /** How the session ended, when it did so before the first byte. */
  closedEarly: { readonly code: number; readonly reason: string } | undefined;
  private socket: Socket | undefined;
  /** What came before the socket was ours; the outbox holds back the rest. */
  private early: Buffer[] = [];
  /** One entry of the cursor for each channel; kept up to date only for a stream with several. */
  private readonly entries = new Map<string, string>();
  private several = false;
  private last: Mark | undefined;
  private waitsForDrain = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly owner: StreamOwner,
  ) {
    // Made here and not where the stream is opened: a listener keeps alive all that its maker could see.
    response.once('close', () => this.gone());
  }

  get bufferedBytes(): number {
    if (this.socket !== undefined) return this.socket.writableLength;
    return this.early.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** The client left before it was answered. */
  get abandoned(): boolean {
    return this.response.destroyed || this.response.req.socket.destroyed;
  }

  /** Where the reader stands in a channel before anything is sent. */
  place(channel: string, position: Position): void {
    this.entries.set(channel, encodeEntry(channel, position));
  }

  /** Forgets where it stands in other channels than these. */
  keepOnly(channels: ReadonlyMap<string, unknown>): void {
    for (const channel of [...this.entries.keys()]) if (!channels.has(channel)) this.entries.delete(channel);
  }

  get cursor(): string {
    return joinEntries(this.entries.values());
  }

  /** The cursor after one more step. */
  step(mark: Mark): string {
    this.place(mark.channel, mark);
    return this.cursor;
  }

  /** The head is out with `first`; from here on the bytes are ours. Chunked coding would cost two more pieces a write. */
  start(first: Buffer): void {
    const { response } = this;
    response.write(first);
    this.several = this.entries.size !== 1;
    // Heartbeats and the outbox judge it from here on, not the silence of an ordinary answer.
    response.req.socket.setTimeout(0);
    // About 1 KiB each, and a token in it, for as long as the stream lives.
    response.req.rawHeaders.length = 0;
    response.req.headers = {};
    const { socket } = response;
    if (socket !== null) this.attach(socket);
    // Behind another request on its connection: the head leaves when its turn comes, just after this event.
    else response.once('socket', (late: Socket) => process.nextTick(() => this.attach(late)));
  }

  private attach(socket: Socket): void {
    this.socket = socket;
    const { early } = this;
    this.early = [];
    if (early.length === 0) return;
    socket.write(Buffer.concat(early));
    this.session?.drained();
  }

  write(batch: Batch): boolean {
    const bytes = this.isSeveral() ? this.stamped(batch) : batch.bytes();
    this.last = batch.mark ?? this.last;
    return this.writeBytes(bytes);
  }

  /** The heartbeat: keeps idle timers of proxies awake, and tells a client that it is not alone. */
  ping(): void {
    this.alive = true;
    if (this.socket?.writableNeedDrain === false) this.socket.write(COMMENT);
  }

  lost(): void {}
  pause(): void {}
  resume(): void {}

  custom(): undefined {
    return undefined;
  }

  /** Tells how the session ended, so that a client can tell a drain from a lost permission, and ends the answer. */
  close(code: number, reason: string): void {
    const { response, socket } = this;
    this.owner.forget(this);
    if (socket === undefined) {
      this.closedEarly = { code, reason };
      if (response.headersSent) response.destroy();
      return;
    }
    const terminal = code >= TERMINAL_FROM && code <= TERMINAL_TO;
    const data = JSON.stringify({ code, reason });
    socket.write(eventText({ event: 'close', data, id: terminal ? END_ID : undefined }));
    response.end();
    // A peer that does not read would keep its last bytes, and us, for as long as it likes.
    const cancel = this.owner.clock.after(this.owner.closeTimeoutMs, () => socket.destroy());
    socket.once('close', cancel);
  }

  /** The connection is over, whoever ended it. */
  private gone(): void {
    this.owner.forget(this);
    this.session?.closed(NO_CLOSE_CODE);
  }

  /** Once several, always: frames of a channel that was left may still be on their way. */
  private isSeveral(): boolean {
    if (this.several || (this.session?.subscriptions.size ?? 0) < 2) return this.several;
    if (this.last !== undefined) this.place(this.last.channel, this.last);
    return (this.several = true);
  }

  private stamped(batch: Batch): Buffer {
    const parts: Buffer[] = [];
    for (const frame of batch.frames()) {
      const { mark, bytes } = frame;
      if (mark === undefined) parts.push(bytes);
      else parts.push(...withId(frame, this.fits(mark) ? this.step(mark) : undefined));
    }
    return Buffer.concat(parts);
  }

  /** A channel that the server added keeps out of a cursor that nobody could send back; it is joined anew at each return. */
  private fits({ channel }: Mark): boolean {
    return this.entries.has(channel) || this.cursor.length + channel.length * 9 < MAX_CURSOR_LENGTH - 60;
  }

  private writeBytes(bytes: Buffer): boolean {
    const { socket } = this;
    if (socket === undefined) {
      this.early.push(bytes);
      return false;
    }
    if (!socket.writable || socket.write(bytes)) return true;
    if (!this.waitsForDrain) {
      this.waitsForDrain = true;
      socket.once('drain', () => {
        this.waitsForDrain = false;
        this.session?.drained();
      });
    }
    return false;
  }
}
