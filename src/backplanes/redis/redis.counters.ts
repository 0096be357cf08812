// Counters that all nodes add to, each with an end. Knows nothing of what is counted.

import type { RedisKeys } from './redis.keys.js';
import type { RedisPending } from './redis.pending.js';
import type { RedisClient } from './redis.scripts.js';

export interface CountersParts {
  readonly client: RedisClient;
  readonly pending: RedisPending;
  readonly keys: RedisKeys;
}

export class RedisCounters {
  constructor(private readonly parts: CountersParts) {}

  /** Both commands go out together, the first one only where there is no counter yet. */
  add(name: string, amount: number, ttlMs: number): Promise<number> {
    const { client, pending, keys } = this.parts;
    const key = keys.counter(name);
    return pending.run('write', async () => {
      const [made, sum] = await Promise.all([
        client.set(key, 0, 'PX', ttlMs, 'NX'),
        client.incrby(key, amount),
      ]);
      // It ended between the two, or a Cluster that is being resharded carried them out in the other order.
      if (made === null && sum === amount) await client.pexpire(key, ttlMs);
      return sum;
    });
  }
}
