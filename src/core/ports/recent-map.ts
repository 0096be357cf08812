// A bounded map that forgets what was not used for the longest time, by halves: a hit moves nothing, which a list in order of use would
// have to. Knows nothing of what it holds.

export class RecentMap<V> {
  private young = new Map<string, V>();
  private old = new Map<string, V>();
  private readonly half: number;

  /** Holds `most` at most, at least two, and always the half of it that was used last. */
  constructor(most: number) {
    this.half = Math.max(1, Math.floor(most / 2));
  }

  /** Entries held; one that is in both halves counts twice. */
  get size(): number {
    return this.young.size + this.old.size;
  }

  /** Counts as a use. */
  get(key: string): V | undefined {
    const found = this.young.get(key);
    if (found !== undefined) return found;
    const older = this.old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  /** As `get`, and no use. */
  peek(key: string): V | undefined {
    return this.young.get(key) ?? this.old.get(key);
  }

  set(key: string, value: V): void {
    if (this.young.size >= this.half && !this.young.has(key)) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(key, value);
  }
}
