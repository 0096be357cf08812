// Short texts in Redis that one of all nodes may take, once. Plain commands: each is one step by itself. Knows not what the texts mean.

import type { RedisKeys } from './redis.keys.js';
import type { RedisPending } from './redis.pending.js';
import type { RedisClient } from './redis.scripts.js';

export interface KeptParts {
  readonly client: RedisClient;
  readonly pending: RedisPending;
  readonly keys: RedisKeys;
}

export class RedisKept {
  constructor(private readonly parts: KeptParts) {}

  async keep(key: string, text: string, ttlMs: number): Promise<void> {
    const { client, pending, keys } = this.parts;
    await pending.run('write', () => client.set(keys.kept(key), text, 'PX', ttlMs));
  }

  /** GETDEL is never sent again by itself: a reply that was lost took the text with it. */
  async take(key: string): Promise<string | undefined> {
    const { client, pending, keys } = this.parts;
    return (await pending.run('read', () => client.getdel(keys.kept(key)))) ?? undefined;
  }
}
