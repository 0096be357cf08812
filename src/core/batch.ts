// Shared batches: sessions that are sent the same sequence of frames within a turn share one concatenation of its bytes.
// Knows no session and no transport.

import type { Position } from '../protocol/position.js';
import type { Overflow } from './policy.js';

/** One frame on its way out, in the bytes of one wire format. One object per publication and format, shared by all its readers. */
export interface Frame {
  readonly bytes: Buffer;
  /** Undefined for replies and notices, which no policy may drop. */
  readonly droppable: DroppableFrame | undefined;
  /** Where a reader of that channel stands after this frame; absent when it moves nobody. */
  readonly mark?: Mark | undefined;
}

/** A position of one channel. */
export interface Mark extends Position {
  readonly channel: string;
}

/** Frames that go to a transport in one write, in order. */
export interface Batch {
  /** Their bytes in one piece; the same object for all sessions that are sent the same. */
  bytes(): Buffer;
  frames(): readonly Frame[];
  /** The last of their marks. */
  readonly mark: Mark | undefined;
}

/** What the overflow policy must know of a publication. Offset 0 when it has none. */
export interface DroppableFrame extends Mark {
  readonly key: string | undefined;
  readonly overflow: Overflow;
}

/**
 * A place in a tree of sequences: the way from the root spells the frames of this turn in order. A session holds one pointer.
 * With n frames in flight to m sessions this costs n·m pointer steps, one concatenation and m writes, where a send loop costs n·m writes.
 */
export class BatchNode implements Batch {
  /** Bytes of the whole sequence. */
  readonly size: number;
  /** Publications among the frames, for the delivery count. */
  readonly publications: number;
  readonly mark: Mark | undefined;
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
    this.mark = frame?.mark ?? parent?.mark;
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
    return (this.joined = joinBytes(this.frames(), this.size));
  }

  frames(): Frame[] {
    const frames: Frame[] = [];
    for (let node: BatchNode | undefined = this; node?.frame !== undefined; node = node.parent) {
      frames.push(node.frame);
    }
    return frames.reverse();
  }
}

/** Frames of one session alone, for example out of its backlog. */
export class OwnBatch implements Batch {
  readonly mark: Mark | undefined;

  constructor(private readonly list: readonly Frame[]) {
    this.mark = list.findLast((frame) => frame.mark !== undefined)?.mark;
  }

  bytes(): Buffer {
    return joinBytes(this.list);
  }

  frames(): readonly Frame[] {
    return this.list;
  }
}

function joinBytes(frames: readonly Frame[], size?: number): Buffer {
  return Buffer.concat(
    frames.map((frame) => frame.bytes),
    size,
  );
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
