// How many ticks a second come in, over the last few seconds. Pure.

/** Long enough that a poll every second gives a steady figure. */
const SPAN_MS = 5000;

export class TickRate {
  private arrivals: number[] = [];
  private begunAt: number | undefined;

  note(now: number): void {
    this.begunAt ??= now;
    this.arrivals.push(now);
  }

  perSecond(now: number): number {
    this.arrivals = this.arrivals.filter((at) => at > now - SPAN_MS);
    // In the first seconds there is less to count over.
    const span = Math.min(SPAN_MS, Math.max(1000, now - (this.begunAt ?? now)));
    return this.arrivals.length / (span / 1000);
  }
}
