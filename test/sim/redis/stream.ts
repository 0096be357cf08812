// A stream: entries in the order of their ids, cut at its beginning. Knows no key and no time.

export interface StreamEntry {
  readonly id: string;
  readonly ms: number;
  readonly seq: number;
  /** Names and values in turn. */
  readonly fields: readonly string[];
}

/** Dropped entries that are left in the array before it is made anew. */
const SLACK = 1024;

export class Stream {
  private items: StreamEntry[] = [];
  private head = 0;
  lastMs = 0;
  lastSeq = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  /** False when the id is not above the newest. Returns otherwise what was dropped, oldest first. */
  add(entry: StreamEntry, most: number): readonly StreamEntry[] | false {
    const { ms, seq } = entry;
    if (ms < this.lastMs || (ms === this.lastMs && seq <= this.lastSeq)) return false;
    this.items.push(entry);
    this.lastMs = ms;
    this.lastSeq = seq;
    if (this.length <= most) return NOTHING;
    const end = this.items.length - most;
    const dropped = this.items.slice(this.head, end);
    this.head = end;
    if (end > SLACK && end > most) {
      this.items = this.items.slice(end);
      this.head = 0;
    }
    return dropped;
  }

  /** Takes the newest away again, and gives back what was dropped with it. */
  undoAdd(dropped: readonly StreamEntry[], lastMs: number, lastSeq: number): void {
    this.items.pop();
    this.lastMs = lastMs;
    this.lastSeq = lastSeq;
    if (dropped.length === 0) return;
    this.items = [...dropped, ...this.items.slice(this.head)];
    this.head = 0;
  }

  /** From `from` to `to`, both included, each an id or `-`, `+`. */
  range(from: string, to: string, most: number): StreamEntry[] {
    const [fromMs, fromSeq] = idOf(from, 0);
    const [toMs, toSeq] = idOf(to, Infinity);
    const found: StreamEntry[] = [];
    for (let at = this.firstFrom(fromMs, fromSeq); at < this.items.length && found.length < most; at++) {
      const entry = this.items[at] as StreamEntry;
      if (entry.ms > toMs || (entry.ms === toMs && entry.seq > toSeq)) break;
      found.push(entry);
    }
    return found;
  }

  /** From `from` down to `to`. */
  rangeDown(from: string, to: string, most: number): StreamEntry[] {
    const [fromMs, fromSeq] = idOf(from, Infinity);
    const [toMs, toSeq] = idOf(to, 0);
    const found: StreamEntry[] = [];
    for (let at = this.firstFrom(fromMs, fromSeq + 1) - 1; at >= this.head && found.length < most; at--) {
      const entry = this.items[at] as StreamEntry;
      if (entry.ms < toMs || (entry.ms === toMs && entry.seq < toSeq)) break;
      found.push(entry);
    }
    return found;
  }

  private firstFrom(ms: number, seq: number): number {
    let low = this.head;
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.items[middle] as StreamEntry;
      if (entry.ms < ms || (entry.ms === ms && entry.seq < seq)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const NOTHING: readonly StreamEntry[] = [];

function idOf(text: string, seq: number): readonly [ms: number, seq: number] {
  if (text === '-') return [0, 0];
  if (text === '+') return [Infinity, Infinity];
  const cut = text.indexOf('-');
  return cut < 0 ? [Number(text), seq] : [Number(text.slice(0, cut)), Number(text.slice(cut + 1))];
}
