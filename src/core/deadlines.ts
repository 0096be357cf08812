// Many deadlines, one timer: keys in buckets of time. A timer per session would cost 200 bytes and a list each.

import type { Clock } from './ports/time.js';

/** Width of a bucket in milliseconds: a deadline is served at most this late. */
export const BUCKET_MS = 200;

export class Deadlines<T> {
  private readonly buckets = new Map<number, Set<T>>();
  private readonly bucketOf = new Map<T, number>();
  private ticking = false;
  private stopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly onDue: (item: T) => void,
  ) {}

  /** Sets the one deadline of `item`, in place of an earlier one. */
  set(item: T, at: number): void {
    this.clear(item);
    const bucket = Math.ceil(at / BUCKET_MS);
    let members = this.buckets.get(bucket);
    if (members === undefined) this.buckets.set(bucket, (members = new Set()));
    members.add(item);
    this.bucketOf.set(item, bucket);
    this.tick();
  }

  clear(item: T): void {
    const bucket = this.bucketOf.get(item);
    if (bucket === undefined) return;
    this.bucketOf.delete(item);
    const members = this.buckets.get(bucket);
    members?.delete(item);
    if (members?.size === 0) this.buckets.delete(bucket);
  }

  stop(): void {
    this.stopped = true;
    this.buckets.clear();
    this.bucketOf.clear();
  }

  private tick(): void {
    if (this.ticking || this.stopped || this.buckets.size === 0) return;
    this.ticking = true;
    this.clock.after(BUCKET_MS, () => {
      this.ticking = false;
      this.serve();
      this.tick();
    });
  }

  private serve(): void {
    const now = Math.floor(this.clock.now() / BUCKET_MS);
    for (const [bucket, members] of [...this.buckets]) {
      if (bucket > now) continue;
      this.buckets.delete(bucket);
      for (const item of members) {
        // One that was served before it may have cleared or moved it.
        if (this.bucketOf.get(item) !== bucket) continue;
        this.bucketOf.delete(item);
        this.onDue(item);
      }
    }
  }
}
