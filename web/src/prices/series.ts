// The prices of one symbol over the last minutes. Pure; knows no page and no server.

export interface Point {
  /** Milliseconds since 1970 by this machine's clock. */
  readonly time: number;
  readonly price: number;
  /** The connection was away before it: what lies between is not known. */
  readonly broken: boolean;
}

/** What the board and the chart look back on. */
export const WINDOW_MS = 120_000;
/** Ticks closer together than this share a point: on a chart of 1,000 pixels it is less than half a pixel. */
const STEP_MS = 50;

export class Series {
  first: number | undefined;
  private list: Point[] = [];
  private breakNext = false;

  get points(): readonly Point[] {
    return this.list;
  }

  get last(): Point | undefined {
    return this.list.at(-1);
  }

  /** True until the first tick after a break: what the price is now is not known. */
  get interrupted(): boolean {
    return this.breakNext;
  }

  /** Times may come a little out of order where the clocks are corrected; the line never runs backwards. */
  add(at: number, price: number): void {
    const last = this.last;
    const time = Math.max(at, last?.time ?? at);
    this.first ??= price;
    const broken = this.breakNext && last !== undefined;
    this.breakNext = false;
    const shares = last !== undefined && !broken && time - last.time < STEP_MS;
    if (shares) this.list[this.list.length - 1] = { ...last, price };
    else this.list.push({ time, price, broken });
  }

  /** The next point does not follow from the last one. */
  interrupt(): void {
    this.breakNext = true;
  }

  /** Forgets what is older than the window, but for the one point that the line enters it with. */
  trim(now: number): void {
    const from = now - WINDOW_MS;
    const firstInside = this.list.findIndex((point) => point.time >= from);
    const keep = firstInside < 0 ? this.list.length - 1 : firstInside - 1;
    if (keep > 0) this.list.splice(0, keep);
  }

  /** Moves all points: the first guess of the clocks' difference was wrong. */
  shift(ms: number): void {
    this.list = this.list.map((point) => ({ ...point, time: point.time + ms }));
  }
}
