// Counters that all nodes add to, each with an end. Knows nothing of what is counted.

import { fromRedis } from './redis.errors.js';
import type { RedisKeys } from './redis.keys.js';
import type { RedisClient } from './redis.scripts.js';

export class RedisCounters {
  constructor(
    private readonly client: RedisClient,
    private readonly keys: RedisKeys,
  ) {}

  /** Both commands go out together, the first one only where there is no counter yet. */
  async add(name: string, amount: number, ttlMs: number): Promise<number> {
    const key = this.keys.counter(name);
    try {
      const [made, sum] = await Promise.all([
        this.client.set(key, 0, 'PX', ttlMs, 'NX'),
        this.client.incrby(key, amount),
      ]);
      // It ended between the two, or a Cluster that is being resharded carried them out in the other order.
      if (made === null && sum === amount) await this.client.pexpire(key, ttlMs);
      return sum;
    } catch (error) {
      throw fromRedis(error, 'write');
    }
  }
}
