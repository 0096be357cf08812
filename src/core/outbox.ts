// The bounded send queue of one session: shared batches while the socket takes them, a backlog while it does not.

import type { GapPush } from '../protocol/frames.js';
import { Backlog, type BacklogBounds } from './backlog.js';
import { OwnBatch, type BatchNode, type Flushable, type Flusher, type Frame } from './batch.js';
import type { Link } from './ports/link.js';
import type { CoreStats } from './stats.js';

/** What all outboxes of an instance share. */
export interface OutboxContext {
  readonly flusher: Flusher;
  readonly bounds: BacklogBounds;
  readonly stats: CoreStats;
}

export interface OutboxOwner {
  readonly link: Link;
  encodeGap(gap: GapPush): Buffer;
  /** The bound is reached and no policy may drop: the session must end. */
  overflowed(): void;
}

/** A batch does not grow over this: it is written before the turn ends, so that a long turn piles up no memory. Bytes. */
const EARLY_FLUSH_BYTES = 262_144;
/** Most bytes joined into one write while a backlog drains. */
const DRAIN_CHUNK_BYTES = 65_536;

export class Outbox implements Flushable {
  private node: BatchNode | undefined;
  private backlog: Backlog | undefined;
  private closed = false;

  constructor(
    private readonly owner: OutboxOwner,
    private readonly context: OutboxContext,
  ) {}

  /** Bytes that wait in the process for this session, the transport's own buffer included. */
  get waitingBytes(): number {
    return (this.node?.size ?? 0) + (this.backlog?.bytes ?? 0) + this.owner.link.bufferedBytes;
  }

  send(frame: Frame): void {
    if (this.closed) return;
    if (this.backlog !== undefined) {
      this.wait(this.backlog, frame);
      return;
    }
    const { flusher, bounds } = this.context;
    const waiting = this.node?.size ?? 0;
    if (waiting > 0 && waiting + frame.bytes.length > Math.min(EARLY_FLUSH_BYTES, bounds.bytes)) {
      this.flush();
      this.send(frame);
      return;
    }
    if (this.node === undefined) flusher.mark(this);
    this.node = (this.node ?? flusher.root).next(frame);
  }

  flush(): void {
    const { node } = this;
    if (node === undefined || this.closed) return;
    this.node = undefined;
    this.context.stats.delivered += node.publications;
    if (!this.owner.link.write(node)) this.block();
  }

  /** The transport takes bytes again. */
  drained(): void {
    const { backlog } = this;
    if (backlog === undefined || this.closed) return;
    while (!backlog.empty) {
      const { frames, publications, gaps } = backlog.take(DRAIN_CHUNK_BYTES);
      this.context.stats.delivered += publications;
      this.context.stats.discontinuities += gaps;
      if (frames.length > 0 && !this.owner.link.write(new OwnBatch(frames))) return;
    }
    this.backlog = undefined;
  }

  /** Writes what the socket still takes and frees the rest. */
  close(): void {
    this.flush();
    this.closed = true;
    this.node = undefined;
    this.backlog = undefined;
  }

  private block(): void {
    this.backlog = new Backlog(this.context.bounds, (gap) => this.owner.encodeGap(gap));
  }

  private wait(backlog: Backlog, frame: Frame): void {
    const taken = backlog.push(frame, this.owner.link.bufferedBytes);
    this.context.stats.dropped += backlog.takeDropped();
    if (taken) return;
    // Nothing may follow the frame that was lost; what waits before it is freed with the session.
    this.closed = true;
    this.backlog = undefined;
    this.owner.overflowed();
  }
}
