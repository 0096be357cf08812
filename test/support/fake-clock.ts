// A clock that moves when a test says so. Knows no test and no part of the server but its port of time.

import type { Cancel, Clock } from '../../src/core/ports/time.js';

/** 2026-01-01T00:00:00Z: a time as real ones are, so that rounding faults show. */
export const START_MS = 1_767_225_600_000;
/** Turns of the loop after which a test is taken to run for ever. */
const MOST_TURNS = 100_000;

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

export class FakeClock implements Clock {
  private time = START_MS;
  private behind = 0;
  private readonly timers = new Set<Timer>();
  private turn: (() => void)[] = [];

  now(): number {
    return this.time - this.behind;
  }

  after(ms: number, run: () => void): Cancel {
    const timer = { at: this.time + Math.max(0, ms), run };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  soon(run: () => void): void {
    this.turn.push(run);
  }

  /** Timers that have not run and were not cancelled. */
  get pending(): number {
    return this.timers.size;
  }

  /** Ends the present turn: runs what was put off to its end. Promises do not move. */
  endTurn(): void {
    const due = this.turn;
    this.turn = [];
    for (const run of due) run();
  }

  /** Lets promises and turns run until nothing moves. Time stands still. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < MOST_TURNS; turns++) {
      await new Promise((done) => setImmediate(done));
      if (this.turn.length === 0) return;
      this.endTurn();
    }
    throw new Error('The turns of the loop do not end.');
  }

  /** The time of day is set anew; timers run when they would have run. */
  setBack(ms: number): void {
    this.behind += ms;
  }

  /** Runs the timers that become due, each at its own time, with everything they set going. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await this.settle();
    for (let next = this.next(end); next !== undefined; next = this.next(end)) {
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.run();
      await this.settle();
    }
    this.time = end;
  }

  private next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers) {
      if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }
}
