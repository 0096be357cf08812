// What repeats itself is told seldom: once in a time for each kind, with how often it came since. Knows no log.

interface Told {
  readonly at: number;
  untold: number;
}

export class Seldom {
  private readonly told = new Map<string, Told>();

  /** `most`: kinds that are remembered, so that one that differs each time does not fill the memory. */
  constructor(
    private readonly everyMs: number,
    private readonly most = 100,
  ) {}

  /** Undefined: it was told a moment ago. Otherwise tell it now; how often it came since it was told, this time left out. */
  due(kind: string, nowMs: number): number | undefined {
    const before = this.told.get(kind);
    // A clock that is set back must not silence it.
    if (before !== undefined && nowMs >= before.at && nowMs - before.at < this.everyMs) {
      before.untold++;
      return undefined;
    }
    if (before === undefined && this.told.size >= this.most) this.told.clear();
    this.told.set(kind, { at: nowMs, untold: 0 });
    return before?.untold ?? 0;
  }
}
