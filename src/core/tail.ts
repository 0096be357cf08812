// The newest publications of channels in memory, so that thousands who come back at one time ask the log once for each channel and not
// once for each client. What is held is a copy: bounded, and dropped at any doubt. Knows no session and no log.

import type { Position } from '../protocol/position.js';
import type { Publication } from '../protocol/publication.js';
import type { LogSlice } from './ports/backplane.js';

export interface TailBounds {
  /** Publications of one channel. 0: none are held. */
  readonly messages: number;
  /** Bytes of all channels together. */
  readonly bytes: number;
}

/** Bytes of a publication beside its payload: the object, its id, its strings. Measured as 280 to 320. */
const OVERHEAD_BYTES = 300;
/** Share of all bytes that one channel may hold. */
const LARGEST_SHARE = 1 / 16;

/** All tails of one instance; those that have not grown for the longest time make room. */
export class Tails {
  private readonly used = new Set<Tail>();
  private bytes = 0;

  constructor(readonly bounds: TailBounds) {}

  get size(): number {
    return this.bytes;
  }

  /** `tail` has grown, or shrunk when negative. */
  grew(tail: Tail, bytes: number): void {
    this.bytes += bytes;
    this.used.delete(tail);
    if (tail.size === 0) return;
    this.used.add(tail);
    if (this.bytes <= this.bounds.bytes) return;
    for (const oldest of this.used) {
      oldest.clear();
      if (this.bytes <= this.bounds.bytes) return;
    }
  }
}

interface Point {
  readonly offset: number;
  /** Empty when it is not known. */
  readonly id: string;
}

/** What one channel had last, without a hole up to its position. */
export class Tail {
  size = 0;
  /** By the clock of this instance: when the newest came. Publications have the time of the instance that took them. */
  grownAt = -Infinity;
  private held: Publication[] = [];
  /** The publication before the first that is held. */
  private base: Point = { offset: 0, id: '' };

  constructor(
    private readonly tails: Tails,
    /** Publications the log keeps: a copy must not know more than the log. */
    private readonly most: number,
  ) {}

  /** `before`: the position that `publication` follows. */
  add(before: Point, publication: Publication, now: number): void {
    const most = Math.min(this.most, this.tails.bounds.messages);
    if (most === 0) return;
    this.grownAt = now;
    if (this.held.length === 0) this.base = { offset: before.offset, id: before.id };
    this.held.push(publication);
    let grown = weigh(publication);
    const heaviest = this.tails.bounds.bytes * LARGEST_SHARE;
    while (this.held.length > most || this.size + grown > heaviest) {
      const [first] = this.held.splice(0, 1);
      if (first === undefined) break;
      grown -= weigh(first);
      this.base = { offset: first.offset, id: first.id };
    }
    this.resize(grown);
  }

  /** What was read from the log after `since`, up to `top`. Taken when it reaches further back than what is held. */
  seed(since: Point, { top, publications, idAtAfter }: LogSlice, now: number): void {
    const first = publications[0];
    if (first === undefined || publications.at(-1)?.offset !== top.offset) return;
    if (first.offset !== since.offset + 1 || (this.held.length > 0 && this.base.offset <= since.offset))
      return;
    this.clear();
    let before: Point = { offset: since.offset, id: idAtAfter ?? '' };
    for (const publication of publications) {
      this.add(before, publication, now);
      before = publication;
    }
  }

  /** What the log would answer to somebody at `since`; undefined when only the log can tell. `top`: where the channel stands. */
  after(since: Position, top: Position): LogSlice | undefined {
    const last = this.held.at(-1);
    if (last?.offset !== top.offset || since.epoch !== top.epoch) return undefined;
    if (since.offset < this.base.offset || since.offset > top.offset) return undefined;
    const index = since.offset - this.base.offset;
    const seen = index === 0 ? this.base : this.held[index - 1];
    if (since.id !== '' && seen?.id !== since.id) return undefined;
    return { top, idAtAfter: seen?.id || undefined, publications: this.held.slice(index) };
  }

  /** The newest, when it stands at `offset`. */
  last(offset: number): Publication | undefined {
    const last = this.held.at(-1);
    return last?.offset === offset ? last : undefined;
  }

  clear(): void {
    if (this.held.length === 0) return;
    this.held = [];
    this.resize(-this.size);
  }

  private resize(bytes: number): void {
    this.size += bytes;
    this.tails.grew(this, bytes);
  }
}

/** Most payloads are ASCII, one byte a character. */
function weigh({ data, event }: Publication): number {
  return data.length + event.length + OVERHEAD_BYTES;
}
