// Short texts in Redis that one of all nodes may take, once. Plain commands: each is one step by itself. Knows not what the texts mean.

import { fromRedis, unavailable } from './redis.errors.js';
import type { RedisKeys } from './redis.keys.js';
import type { RedisOptions } from './redis.options.js';
import type { RedisClient } from './redis.scripts.js';

export interface KeptParts {
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly options: RedisOptions;
}

export class RedisKept {
  private asked = 0;

  constructor(private readonly parts: KeptParts) {}

  async keep(key: string, text: string, ttlMs: number): Promise<void> {
    const { client, keys } = this.parts;
    await this.bounded('write', () => client.set(keys.kept(key), text, 'PX', ttlMs));
  }

  /** GETDEL is never sent again by itself: a reply that was lost took the text with it. */
  async take(key: string): Promise<string | undefined> {
    const { client, keys } = this.parts;
    return (await this.bounded('read', () => client.getdel(keys.kept(key)))) ?? undefined;
  }

  /** What waits for a Redis that is slow or away is refused beyond the bound, not kept. */
  private async bounded<T>(effect: 'read' | 'write', run: () => Promise<T>): Promise<T> {
    const { client, options } = this.parts;
    const within = options.maxPending === 0 || this.asked < options.maxPending;
    if (!within || client.status !== 'ready') throw unavailable();
    this.asked++;
    try {
      return await run();
    } catch (error) {
      throw fromRedis(error, effect);
    } finally {
      this.asked--;
    }
  }
}
