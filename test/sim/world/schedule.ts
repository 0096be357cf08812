// The order of everything that happens in a run: a heap of events on a virtual clock, one after another. Knows nobody it runs.

import type { Cancel, Clock } from '../../../src/core/ports/time.js';

/** 2026-01-01T00:00:00Z: a time as real ones are, so that rounding faults show. */
export const START_MS = 1_767_225_600_000;

interface Event {
  readonly at: number;
  /** Grows with each event: who is first of those at one time. */
  readonly place: number;
  run: (() => void) | undefined;
}

export class Schedule {
  /** Milliseconds since 1970. */
  now = START_MS;
  steps = 0;
  private readonly heap: Event[] = [];
  private places = 0;
  private turn: (() => void)[] = [];

  /** Runs once at `at`, or now when that is past. */
  at(at: number, run: () => void): Cancel {
    const event: Event = { at: at > this.now ? Math.ceil(at) : this.now, place: ++this.places, run };
    this.push(event);
    return () => void (event.run = undefined);
  }

  /** Runs when what happens now, with all its promises, is through; time stands still. */
  soon(run: () => void): void {
    this.turn.push(run);
  }

  /** One step, or the end of the turn that the one before began. False: nothing is left to do before `end`. */
  step(end: number): boolean {
    if (this.turn.length > 0) {
      const due = this.turn;
      this.turn = [];
      for (const run of due) run();
      return true;
    }
    const event = this.pop(end);
    if (event?.run === undefined) return false;
    this.now = event.at;
    this.steps++;
    event.run();
    return true;
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above] as Event;
      if (isBefore(other, event)) break;
      heap[at] = other;
      at = above;
    }
    heap[at] = event;
  }

  /** Those that were cancelled are passed over. */
  private pop(end: number): Event | undefined {
    for (;;) {
      const first = this.heap[0];
      if (first === undefined || (first.run !== undefined && first.at > end)) return undefined;
      const last = this.heap.pop() as Event;
      if (last !== first) this.sink(last);
      if (first.run !== undefined) return first;
    }
  }

  private sink(event: Event): void {
    const { heap } = this;
    const { length } = heap;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= length) break;
      if (below + 1 < length && isBefore(heap[below + 1] as Event, heap[below] as Event)) below++;
      const other = heap[below] as Event;
      if (isBefore(event, other)) break;
      heap[at] = other;
      at = below;
    }
    heap[at] = event;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.place < b.place);
}

/** The clock of one process: with it, all its timers end. */
export class ProcessClock implements Clock {
  alive = true;

  constructor(private readonly schedule: Schedule) {}

  now(): number {
    return this.schedule.now;
  }

  after(ms: number, run: () => void): Cancel {
    if (!this.alive) return () => {};
    return this.schedule.at(this.schedule.now + ms, () => {
      if (this.alive) run();
    });
  }

  soon(run: () => void): void {
    this.schedule.soon(() => {
      if (this.alive) run();
    });
  }

  end(): void {
    this.alive = false;
  }
}
