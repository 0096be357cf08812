// Where a reader stands in one channel: repeats are dropped, holes are told, and the position never runs ahead of what was handed on.
// Pure: knows no connection and no time.

import type { GapReason } from '../../src/protocol/publication.js';
import type { Gap, Message, Position, Published, SubscribeReply } from './types.js';

export interface SequenceSink {
  message(message: Message): void;
  gap(gap: Gap): void;
}

type Range = readonly [from: number, to: number];

/** Messages held behind a hole that a publish of our own may explain. More: the hole is told. */
const HELD_LIMIT = 1000;
/** What the server left out on purpose; the channel goes on where it was. Any other reason moves the position. */
const LEFT_OUT: ReadonlySet<GapReason> = new Set<GapReason>(['overflow', 'conflated']);
/** The log was replaced: offsets before and after it cannot be compared. */
const REPLACED: ReadonlySet<GapReason> = new Set<GapReason>(['epoch_changed', 'id_mismatch', 'ahead']);

export class Sequence {
  #position: Position | undefined;
  #recoverable = false;
  /** Ranges ahead of the position that the server has told as left out. */
  #told: Range[] = [];
  /** Publishes with `echo: false` that wait for their answer: each may be a hole. */
  #unheard = 0;
  /** Offset → id of publishes with `echo: false`, ahead of the position. */
  #own = new Map<number, string>();
  #held: Message[] = [];
  readonly #channel: string;
  readonly #sink: SequenceSink;

  constructor(channel: string, sink: SequenceSink) {
    this.#channel = channel;
    this.#sink = sink;
  }

  /** What to resume from, when the channel can. */
  get since(): Position | undefined {
    return this.#recoverable ? this.#position : undefined;
  }

  /** Begin at a position the application has kept; undefined forgets. */
  seed(position: Position | undefined): void {
    this.#moveTo(position);
    this.#recoverable = position !== undefined;
  }

  /** The session is over: what is held comes again with the resume. */
  interrupt(): void {
    this.#held = [];
  }

  /** A subscribe was answered. `asked` is the `since` that went with it; `joined` by the server comes without one. */
  enter(reply: SubscribeReply, asked: Position | undefined): void {
    const before = this.#position;
    const { epoch, offset, messages } = reply;
    const here: Position = { epoch, offset, id: reply.id ?? '' };
    this.#held = [];
    this.#recoverable = reply.recoverable;
    if (asked !== undefined && reply.recovered) {
      for (const message of messages) this.#take(message, false);
      this.#tellHole(offset + 1);
      if (offset >= (this.#position?.offset ?? 0)) this.#advance(offset, here.id);
      return;
    }
    this.#moveTo(here);
    if (asked !== undefined) {
      // The last value may come with the refusal: it is no part of what was missed.
      const first = messages[0]?.offset;
      this.#missed(
        asked,
        first === undefined ? here : { ...here, offset: first - 1 },
        reply.reason ?? 'lost',
      );
    }
    // The last value of a channel may come again at each return.
    const seen = asked === undefined && before?.epoch === epoch ? before.offset : 0;
    for (const message of messages)
      if (message.offset === undefined || message.offset > seen) this.#sink.message(message);
  }

  /** The server joined this session by itself, without a `since`: what came meanwhile cannot be asked for any more. */
  joined(reply: SubscribeReply): void {
    const before = this.since;
    this.enter(reply, undefined);
    const here = this.#position;
    if (before === undefined || here === undefined || !reply.recoverable) return;
    if (before.epoch !== here.epoch || before.offset !== here.offset) {
      this.#missed(before, here, before.epoch === here.epoch ? 'lost' : 'epoch_changed');
    }
  }

  accept(message: Message): void {
    this.#take(message, true);
  }

  /** A `gap` push. */
  told(gap: Gap): void {
    const here = this.#position;
    if (here !== undefined) {
      if (LEFT_OUT.has(gap.reason)) this.#told.push([gap.from, gap.to]);
      else if (REPLACED.has(gap.reason) || gap.epoch !== here.epoch) {
        this.#moveTo({ epoch: gap.epoch, offset: gap.to, id: '' });
      } else if (gap.to > here.offset) {
        this.#tellHole(gap.from);
        this.#advance(gap.to, '');
      }
    }
    this.#sink.gap(gap);
    this.#release();
  }

  /** A publish with `echo: false` is on its way: its live copy will not come, so its offset is a hole that is none. */
  beginUnheard(): void {
    this.#unheard++;
  }

  endUnheard(published: Published | undefined): void {
    this.#unheard--;
    const here = this.#position;
    if (published !== undefined && published.epoch === here?.epoch && published.offset > here.offset) {
      this.#own.set(published.offset, published.id);
      this.#passOwn();
    }
    this.#release();
  }

  #take(message: Message, mayHold: boolean): void {
    const { offset, id } = message;
    const here = this.#position;
    if (offset === undefined || here === undefined) return this.#sink.message(message);
    if (offset <= here.offset) return;
    if (mayHold && this.#unheard > 0 && this.#hole(offset) !== undefined) return this.#hold(message);
    this.#tellHole(offset);
    const own = this.#own.get(offset) === id;
    this.#advance(offset, id);
    if (!own) this.#sink.message(message);
  }

  #advance(offset: number, id: string): void {
    this.#position = { epoch: this.#position?.epoch ?? '', offset, id };
    for (const known of this.#own.keys()) if (known <= offset) this.#own.delete(known);
    if (this.#told.length > 0) this.#told = this.#told.filter(([, to]) => to > offset);
    this.#passOwn();
  }

  #passOwn(): void {
    for (;;) {
      const here = this.#position;
      const id = here && this.#own.get(here.offset + 1);
      if (!here || !id) return;
      this.#own.delete(here.offset + 1);
      this.#position = { epoch: here.epoch, offset: here.offset + 1, id };
    }
  }

  #hold(message: Message): void {
    this.#held.push(message);
    if (this.#held.length >= HELD_LIMIT) this.#release(false);
  }

  #release(mayHold = true): void {
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.#take(message, mayHold);
  }

  #moveTo(position: Position | undefined): void {
    this.#position = position;
    this.#told = [];
    this.#own.clear();
    this.#held = [];
  }

  /** What is missing before `next` and neither told by the server nor our own. */
  #hole(next: number): { from: number; to: number; count: number } | undefined {
    let at = (this.#position?.offset ?? 0) + 1;
    if (next <= at) return undefined;
    const hole = { from: 0, to: 0, count: 0 };
    const known: Range[] = [
      ...this.#told,
      ...[...this.#own.keys()].map((own): Range => [own, own]),
      [next, next],
    ];
    for (const [from, to] of known.sort((a, b) => a[0] - b[0])) {
      const end = Math.min(from, next) - 1;
      if (end >= at) {
        hole.from ||= at;
        hole.to = end;
        hole.count += end - at + 1;
      }
      at = Math.max(at, to + 1);
    }
    return hole.count === 0 ? undefined : hole;
  }

  #tellHole(next: number): void {
    const hole = this.#hole(next);
    if (hole !== undefined)
      this.#sink.gap({ channel: this.#channel, epoch: this.#position?.epoch ?? '', ...hole, reason: 'lost' });
  }

  #missed(before: Position, here: Position, reason: GapReason): void {
    const known = before.epoch === here.epoch && here.offset > before.offset && !REPLACED.has(reason);
    const count = known ? here.offset - before.offset : 0;
    const range = { from: count && before.offset + 1, to: count && here.offset };
    this.#sink.gap({ channel: this.#channel, epoch: here.epoch, ...range, count, reason });
  }
}
