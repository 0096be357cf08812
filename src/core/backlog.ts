// Frames that wait for one session whose socket is full: bounded, with the overflow policies and the gaps they owe. Knows no socket.

import type { GapPush } from '../protocol/frames.js';
import type { DroppableFrame, Frame, Mark } from './batch.js';
import { OVERFLOW_GAP } from './policy.js';
import { isReplaced } from './resume.js';

export interface BacklogBounds {
  /** Bytes; Infinity for none. */
  readonly bytes: number;
  readonly messages: number;
}

export interface BacklogOutput {
  readonly frames: readonly Frame[];
  readonly publications: number;
  readonly gaps: number;
}

interface Entry {
  /** Grows with each entry: who is before whom. */
  readonly place: number;
  readonly frame: Frame;
  readonly lane: Lane;
  previous: Entry | undefined;
  next: Entry | undefined;
  lanePrevious: Entry | undefined;
  laneNext: Entry | undefined;
  /** What was left out just before this frame: of its channel, or of several before a reply. */
  gapsBefore: GapPush[] | undefined;
}

/** The waiting frames of one channel. */
interface Lane {
  first: Entry | undefined;
  last: Entry | undefined;
  /** What was left out after the last waiting frame. */
  gapAtEnd: GapPush | undefined;
  /** Newest waiting frame of each key, for conflation only. */
  newest: Map<string, Entry> | undefined;
}

export class Backlog {
  bytes = 0;
  messages = 0;
  /** Publications dropped since the last call of `takeDropped`. */
  private dropped = 0;
  private first: Entry | undefined;
  private last: Entry | undefined;
  private readonly lanes = new Map<string, Lane>();
  /** Replies and notices. A gap is told before a later one of these too, since it may begin the channel anew. */
  private readonly replies: Lane = {
    first: undefined,
    last: undefined,
    gapAtEnd: undefined,
    newest: undefined,
  };
  private places = 0;

  constructor(
    private readonly bounds: BacklogBounds,
    private readonly encodeGap: (gap: GapPush) => Buffer,
  ) {}

  get empty(): boolean {
    return this.first === undefined && this.lanes.size === 0;
  }

  takeDropped(): number {
    const count = this.dropped;
    this.dropped = 0;
    return count;
  }

  /** `outside` is what the transport holds already. False: the bound is reached and no policy may make room. */
  push(frame: Frame, outside: number): boolean {
    const info = frame.droppable;
    const lane = info === undefined ? undefined : this.lane(info.channel);
    if (lane !== undefined && info?.overflow === 'conflate') this.dropSameKey(lane, info);
    if (this.fits(frame, outside)) {
      this.append(frame, lane);
      return true;
    }
    if (info === undefined || lane === undefined || info.overflow === 'disconnect') return false;
    if (info.overflow !== 'drop-newest') {
      while (lane.first !== undefined && !this.fits(frame, outside)) this.drop(lane.first, lane);
      // The newest value is what conflation promises, and its bytes are shared by all who wait for it: one more for each channel.
      if (info.overflow === 'conflate' || this.fits(frame, outside)) {
        this.append(frame, lane);
        return true;
      }
    }
    this.dropped++;
    const gap = gapOf(info);
    lane.gapAtEnd = lane.gapAtEnd === undefined ? gap : mergeGaps(lane.gapAtEnd, gap);
    return true;
  }

  /** Takes frames from the front, about `maxBytes` of them, each gap in its place. */
  take(maxBytes: number): BacklogOutput {
    const frames: Frame[] = [];
    let size = 0;
    let publications = 0;
    let gaps = 0;
    const gap = (push: GapPush): void => {
      frames.push(gapFrame(push, this.encodeGap(push)));
      gaps++;
    };
    while (this.first !== undefined && size < maxBytes) {
      const entry = this.first;
      entry.gapsBefore?.forEach(gap);
      frames.push(entry.frame);
      size += entry.frame.bytes.length;
      if (entry.frame.droppable !== undefined) publications++;
      this.unlink(entry);
    }
    if (this.first === undefined) {
      for (const lane of this.lanes.values()) if (lane.gapAtEnd !== undefined) gap(lane.gapAtEnd);
      this.lanes.clear();
    }
    return { frames, publications, gaps };
  }

  private fits(frame: Frame, outside: number): boolean {
    return (
      this.messages < this.bounds.messages && this.bytes + outside + frame.bytes.length <= this.bounds.bytes
    );
  }

  private lane(channel: string): Lane {
    let lane = this.lanes.get(channel);
    if (lane === undefined) {
      lane = { first: undefined, last: undefined, gapAtEnd: undefined, newest: undefined };
      this.lanes.set(channel, lane);
    }
    return lane;
  }

  private append(frame: Frame, channelLane: Lane | undefined): void {
    const lane = channelLane ?? this.replies;
    const entry: Entry = {
      place: this.places++,
      frame,
      lane,
      previous: this.last,
      next: undefined,
      lanePrevious: lane.last,
      laneNext: undefined,
      gapsBefore: channelLane === undefined ? this.takeEndGaps() : listOf(lane.gapAtEnd),
    };
    if (this.last === undefined) this.first = entry;
    else this.last.next = entry;
    this.last = entry;
    this.bytes += frame.bytes.length;
    this.messages++;
    if (lane.last === undefined) lane.first = entry;
    else lane.last.laneNext = entry;
    lane.last = entry;
    lane.gapAtEnd = undefined;
    if (frame.droppable?.overflow === 'conflate')
      (lane.newest ??= new Map()).set(keyOf(frame.droppable), entry);
  }

  private takeEndGaps(): GapPush[] | undefined {
    let gaps: GapPush[] | undefined;
    for (const lane of this.lanes.values()) {
      if (lane.gapAtEnd === undefined) continue;
      (gaps ??= []).push(lane.gapAtEnd);
      lane.gapAtEnd = undefined;
    }
    return gaps;
  }

  private dropSameKey(lane: Lane, info: DroppableFrame): void {
    const older = lane.newest?.get(keyOf(info));
    if (older !== undefined) this.drop(older, lane);
  }

  private drop(entry: Entry, lane: Lane): void {
    const info = entry.frame.droppable as DroppableFrame;
    const gaps = [...(entry.gapsBefore ?? []), gapOf(info)];
    const heir = this.heirOf(entry);
    for (const gap of gaps.reverse()) {
      if (heir === undefined) lane.gapAtEnd = mergeGaps(gap, lane.gapAtEnd);
      else prepend((heir.gapsBefore ??= []), gap);
    }
    this.dropped++;
    this.unlink(entry);
  }

  /** Who comes next and must have the gap before it: the next of the channel, or a reply between. */
  private heirOf(entry: Entry): Entry | undefined {
    let reply = this.replies.first;
    while (reply !== undefined && reply.place < entry.place) reply = reply.laneNext;
    const { laneNext } = entry;
    if (reply === undefined || laneNext === undefined) return reply ?? laneNext;
    return reply.place < laneNext.place ? reply : laneNext;
  }

  private unlink(entry: Entry): void {
    if (entry.previous === undefined) this.first = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === undefined) this.last = entry.previous;
    else entry.next.previous = entry.previous;
    this.bytes -= entry.frame.bytes.length;
    this.messages--;
    const { lane } = entry;
    if (entry.lanePrevious === undefined) lane.first = entry.laneNext;
    else entry.lanePrevious.laneNext = entry.laneNext;
    if (entry.laneNext === undefined) lane.last = entry.lanePrevious;
    else entry.laneNext.lanePrevious = entry.lanePrevious;
    const info = entry.frame.droppable;
    if (lane.newest !== undefined && info !== undefined && lane.newest.get(keyOf(info)) === entry) {
      lane.newest.delete(keyOf(info));
    }
  }
}

/** Where a reader stands after a gap; undefined for one of events without offsets, which moves nobody. */
export function gapMark({ channel, epoch, to, reason }: GapPush): Mark | undefined {
  return to > 0 || isReplaced(reason) ? { channel, epoch, offset: to, id: '' } : undefined;
}

export function gapFrame(push: GapPush, bytes: Buffer): Frame {
  return { bytes, droppable: undefined, mark: gapMark(push) };
}

/** A publication without a key conflates with all others of its channel that have none. */
function keyOf(info: DroppableFrame): string {
  return info.key ?? '';
}

function gapOf(info: DroppableFrame): GapPush {
  const reason = info.overflow === 'disconnect' ? 'overflow' : OVERFLOW_GAP[info.overflow];
  return {
    type: 'gap',
    channel: info.channel,
    epoch: info.epoch,
    from: info.offset,
    to: info.offset,
    count: 1,
    reason,
  };
}

function listOf(gap: GapPush | undefined): GapPush[] | undefined {
  return gap === undefined ? undefined : [gap];
}

/** Puts `gap` before those that are there, joined with the one of its channel. */
function prepend(gaps: GapPush[], gap: GapPush): void {
  const at = gaps.findIndex(({ channel }) => channel === gap.channel);
  if (at < 0) gaps.unshift(gap);
  else gaps[at] = mergeGaps(gap, gaps[at]);
}

/** `earlier` lies just before `later`. Events without offset widen the count and no range. */
function mergeGaps(earlier: GapPush, later: GapPush | undefined): GapPush {
  if (later === undefined) return earlier;
  const count = earlier.count + later.count;
  const reason = earlier.reason === later.reason ? later.reason : 'overflow';
  if (earlier.to === 0 || earlier.epoch !== later.epoch) return { ...later, count, reason };
  if (later.to === 0) return { ...earlier, count, reason };
  return {
    ...later,
    from: Math.min(earlier.from, later.from),
    to: Math.max(earlier.to, later.to),
    count,
    reason,
  };
}
