// The names of the channels that are published to, made once for many publications. Bounded; knows no command.

import { RecentMap } from '../../core/ports/recent-map.js';
import type { RedisKeys } from './redis.keys.js';

/** Channels whose names are remembered: about 1 MB. */
const REMEMBERED = 2048;

export interface ChannelNames {
  readonly meta: string;
  readonly stream: string;
  readonly bus: string;
  /** Begins the names of its idempotency keys. */
  readonly idempotency: string;
  /** All of one lie in one slot of a Cluster. */
  readonly partition: number;
}

export class RedisNames {
  private readonly known = new RecentMap<ChannelNames>(REMEMBERED);

  constructor(private readonly keys: RedisKeys) {}

  of(channel: string): ChannelNames {
    const known = this.known.get(channel);
    if (known !== undefined) return known;
    const { keys } = this;
    const made = {
      meta: keys.meta(channel),
      stream: keys.stream(channel),
      bus: keys.bus(channel),
      idempotency: keys.idempotency(channel, ''),
      partition: keys.partitionOf(channel),
    };
    this.known.set(channel, made);
    return made;
  }
}
