// Shared batches: sessions that are sent the same sequence of frames within a turn share one concatenation of its bytes.
// Knows no session and no transport.

import type { Overflow } from './policy.js';

/** One frame on its way out, in the bytes of one wire format. One object per publication and format, shared by all its readers. */
export interface Frame {
  readonly bytes: Buffer;
  /** Undefined for replies and notices, which no policy may drop. */
  readonly droppable: DroppableFrame | undefined;
}

/** What the overflow policy must know of a publication. */
export interface DroppableFrame {
  readonly channel: string;
  readonly epoch: string;
  /** 0 when the publication has no offset. */
  readonly offset: number;
  readonly key: string | undefined;
  readonly overflow: Overflow;
}

/**
 * A place in a tree of sequences: the way from the root spells the frames of this turn in order. A session holds one pointer.
 * With n frames in flight to m sessions this costs n·m pointer steps, one concatenation and m writes, where a send loop costs n·m writes.
 */
export class BatchNode {
  /** Bytes of the whole sequence. */
  readonly size: number;
  /** Publications among the frames, for the delivery count. */
  readonly publications: number;
  private lastFrame: Frame | undefined;
  private lastChild: BatchNode | undefined;
  private children: Map<Frame, BatchNode> | undefined;
  private joined: Buffer | undefined;

  private constructor(
    private readonly parent: BatchNode | undefined,
    private readonly frame: Frame | undefined,
  ) {
    this.size = (parent?.size ?? 0) + (frame?.bytes.length ?? 0);
    this.publications = (parent?.publications ?? 0) + (frame?.droppable === undefined ? 0 : 1);
  }

  static root(): BatchNode {
    return new BatchNode(undefined, undefined);
  }

  /** The node of this sequence plus `frame`; the same object for every session that takes the same step. */
  next(frame: Frame): BatchNode {
    if (this.lastFrame === frame) return this.lastChild as BatchNode;
    let child = this.children?.get(frame);
    if (child === undefined) {
      child = new BatchNode(this, frame);
      if (this.lastChild !== undefined) {
        this.children ??= new Map([[this.lastFrame as Frame, this.lastChild]]);
        this.children.set(frame, child);
      }
    }
    this.lastFrame = frame;
    this.lastChild = child;
    return child;
  }

  /** The bytes of the whole sequence, concatenated once. */
  bytes(): Buffer {
    if (this.joined !== undefined) return this.joined;
    const frame = this.frame as Frame;
    if (this.parent?.frame === undefined) return (this.joined = frame.bytes);
    const parts: Buffer[] = [];
    for (let node: BatchNode | undefined = this; node?.frame !== undefined; node = node.parent) {
      parts.push(node.frame.bytes);
    }
    return (this.joined = Buffer.concat(parts.reverse(), this.size));
  }
}

/** Whatever has something to write at the end of the turn. */
export interface Flushable {
  flush(): void;
}

/** Sessions written to in one go: about 5 ms of system calls, so that 20,000 sockets do not block the loop for 100. */
const SLICE = 1000;

/** Writes once per dirty session at the end of a turn of the event loop; the rest of a large audience in the turns after it. */
export class Flusher {
  root = BatchNode.root();
  private dirty: Flushable[] = [];

  constructor(
    private readonly soon: (run: () => void) => void,
    private readonly onError: (error: unknown) => void = () => {},
  ) {}

  mark(target: Flushable): void {
    this.dirty.push(target);
    if (this.dirty.length === 1) this.soon(this.run);
  }

  private readonly run = (): void => {
    const due = this.dirty.splice(0, SLICE);
    this.root = BatchNode.root();
    if (this.dirty.length > 0) this.soon(this.run);
    for (const target of due) {
      try {
        target.flush();
      } catch (error) {
        // One broken connection must not cost the others their bytes.
        this.onError(error);
      }
    }
  };
}
