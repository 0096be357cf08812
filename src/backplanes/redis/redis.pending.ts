// Calls that wait for Redis, counted and bounded: what waits for one that is slow or away is refused beyond the bound, not kept. Knows no
// command.

import { fromRedis, unavailable, type Effect } from './redis.errors.js';
import type { RedisOptions } from './redis.options.js';
import type { RedisClient } from './redis.scripts.js';

export class RedisPending {
  /** Publications that wait in groups count too. */
  count = 0;

  constructor(
    private readonly client: RedisClient,
    private readonly options: Pick<RedisOptions, 'maxPending'>,
  ) {}

  get free(): boolean {
    const { maxPending } = this.options;
    return (maxPending === 0 || this.count < maxPending) && this.client.status === 'ready';
  }

  /** Rejects at once with `unavailable` when there is no room, and with what Redis says otherwise. */
  async run<T>(effect: Effect, call: () => Promise<T>): Promise<T> {
    if (!this.free) throw unavailable();
    this.count++;
    try {
      return await call();
    } catch (error) {
      throw fromRedis(error, effect);
    } finally {
      this.count--;
    }
  }
}
