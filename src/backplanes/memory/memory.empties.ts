// Channels that were asked about and have had no publication: only their epoch, so that a position given now still holds at the first.

export interface EmptyBounds {
  /** 0: no limit. */
  readonly maxEmptyChannels: number;
  readonly emptyTtlMs: number;
}

interface EmptyChannel {
  readonly epoch: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export class EmptyChannels {
  /** In order of their end, since all live equally long. */
  private readonly channels = new Map<string, EmptyChannel>();

  constructor(
    private readonly bounds: EmptyBounds,
    private readonly newEpoch: () => string,
  ) {}

  get size(): number {
    return this.channels.size;
  }

  /** The epoch of the channel, which lives on from now; a new one when it is not known. */
  touch(channel: string, now: number): string {
    const epoch = this.take(channel, now);
    const { maxEmptyChannels: most, emptyTtlMs } = this.bounds;
    const oldest = this.channels.keys().next();
    if (most > 0 && this.channels.size >= most && oldest.done !== true) this.channels.delete(oldest.value);
    this.channels.set(channel, { epoch, until: now + emptyTtlMs });
    return epoch;
  }

  /** The same, for the first publication: the channel is not empty any more. */
  take(channel: string, now: number): string {
    const known = this.channels.get(channel);
    this.channels.delete(channel);
    return known !== undefined && known.until > now ? known.epoch : this.newEpoch();
  }

  delete(channel: string): void {
    this.channels.delete(channel);
  }

  sweep(now: number): void {
    for (const [channel, { until }] of this.channels) {
      if (until > now) return;
      this.channels.delete(channel);
    }
  }

  clear(): void {
    this.channels.clear();
  }
}
