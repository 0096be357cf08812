// The kept publications of one channel and its position. Its offsets are one run without holes; it reads no clock and knows no bus.

import type { Position } from '../../protocol/position.js';
import type { Publication } from '../../protocol/publication.js';
import type { LogSlice, ReadOptions } from '../../core/ports/backplane.js';

/** The position outlives the publications by this factor, so that who missed nothing can still resume. */
const META_LIFE_FACTOR = 10;
/** Milliseconds it does so at least: whoever listens asks every ten seconds at the latest. */
const META_LEAST_MS = 60_000;
/** Freed places at the front before the list is moved up; half of the list at most. */
const COMPACT_AT = 64;

export class ChannelLog {
  top: Position;
  /** Read or written since the store last looked for a channel to forget. */
  used = true;
  private ttlMs = 0;
  private keptUntil = 0;
  private knownUntil = 0;
  private kept: (Publication | undefined)[] = [];
  private head = 0;
  /** Id of the publication just before the oldest kept one; '' when there was none. */
  private anchorId = '';

  constructor(readonly epoch: string) {
    this.top = { epoch, offset: 0, id: '' };
  }

  get length(): number {
    return this.kept.length - this.head;
  }

  /** Nothing of the channel is known any more at `now`. */
  forgotten(now: number): boolean {
    return this.knownUntil <= now;
  }

  append(publication: Publication, history: { readonly size: number; readonly ttlMs: number }): Position {
    this.kept.push(publication);
    while (this.length > history.size) this.trimOldest();
    this.top = { epoch: this.epoch, offset: publication.offset, id: publication.id };
    this.ttlMs = history.ttlMs;
    this.keptUntil = publication.time + history.ttlMs;
    this.touch(publication.time);
    return this.top;
  }

  /** A question about the channel lengthens the life of its position, never of its publications. */
  touch(now: number): void {
    this.used = true;
    this.knownUntil = now + Math.max(this.ttlMs * META_LIFE_FACTOR, META_LEAST_MS);
  }

  /** Publications live and die together: the whole log ends when its last publication is too old. */
  expire(now: number): void {
    if (this.keptUntil <= now) this.clear();
  }

  clear(): void {
    this.kept = [];
    this.head = 0;
    this.anchorId = this.top.id;
  }

  read({ after, limit, reverse }: ReadOptions): LogSlice {
    const publications = reverse ? this.before(after, limit) : this.following(after, limit);
    return { top: this.top, idAtAfter: this.idAt(after), publications };
  }

  /** Takes the newest publications away, `count` or all that are kept, as a failover that lost writes does. */
  loseLast(count: number): void {
    const lost = Math.min(count, this.length);
    this.kept.length -= lost;
    const newest = this.length > 0 ? this.kept[this.kept.length - 1] : undefined;
    this.top = { epoch: this.epoch, offset: this.top.offset - lost, id: newest?.id ?? this.anchorId };
  }

  private get oldest(): number {
    return this.top.offset - this.length + 1;
  }

  private trimOldest(): void {
    this.anchorId = (this.kept[this.head] as Publication).id;
    this.kept[this.head] = undefined;
    this.head++;
    if (this.head < COMPACT_AT || this.head * 2 < this.kept.length) return;
    this.kept = this.kept.slice(this.head);
    this.head = 0;
  }

  private idAt(offset: number): string | undefined {
    if (offset === this.top.offset) return this.top.id || undefined;
    const { oldest } = this;
    if (offset === oldest - 1) return this.anchorId || undefined;
    return offset < oldest ? undefined : this.kept[this.head + offset - oldest]?.id;
  }

  private following(after: number, limit: number): readonly Publication[] {
    const start = this.head + Math.max(0, after + 1 - this.oldest);
    return this.kept.slice(start, start + limit) as Publication[];
  }

  private before(end: number, limit: number): readonly Publication[] {
    const stop = end > 0 ? Math.min(this.kept.length, this.head + end - this.oldest) : this.kept.length;
    if (stop <= this.head) return [];
    return (this.kept.slice(Math.max(this.head, stop - limit), stop) as Publication[]).reverse();
  }
}
