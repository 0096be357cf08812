// Says in Redis in which channels a life has entries, before it has them, so that whoever sweeps after it finds them. Knows no entry.

import { chunks } from './redis.batches.js';
import type { RedisKeys } from './redis.keys.js';
import type { RedisOptions } from './redis.options.js';
import { runScript, type RedisClient } from './redis.scripts.js';

/**
 * The names live so many times as long as the entries they lead to. An entry may be prolonged just before its node is cut off, and the
 * whole channel by others that come back first.
 */
export const OUTLIVES = 2;

export interface RegistryParts {
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly options: RedisOptions;
  readonly now: () => number;
}

/**
 * Why no entry of a life L in a channel C becomes a ghost, wherever L is killed. It is written after C was added to the channels of L
 * and L to the lives, in one step (`register`); both names are there when it is.
 *
 * - A sweep of L in C begins with a grave, in one step with what it finds. An entry before it is found; one after it is refused, so
 *   that C may be taken from the channels of L when the sweep is over, whatever was registered meanwhile.
 * - L is taken from the lives only while it has no channels (`forget`, one step on the same two keys). C registered before that is
 *   swept; C registered after that brings L back, and the next beat of a living node buries it again.
 * - Whoever sweeps and dies has taken away no name of anything that was not swept.
 * - L itself takes C away when it has nothing there and nothing under way; an enter that follows registers anew, and its command goes
 *   out after the one that took C away.
 * - Redis lost everything: what was registered counts for one beat only, then it is said again. What is left is an entry in a channel
 *   named just before the loss, of a node killed before its next beat: whoever reads the members of the channel meets a life that
 *   nobody knows, and names it (`meet`).
 */
export class RedisRegistry {
  /** What Redis has been told of this life, to be taken away when nothing is left there. */
  private readonly named = new Set<string>();
  /** What it was told within this beat. */
  private recent = new Map<string, Promise<void>>();
  private since = 0;

  constructor(private readonly parts: RegistryParts) {}

  async register(life: string, channel: string): Promise<void> {
    this.forgetOld();
    const { recent } = this;
    const told = recent.get(channel);
    if (told !== undefined) return told;
    this.named.add(channel);
    const telling = this.tell(life, [channel]);
    recent.set(channel, telling);
    telling.catch(() => recent.delete(channel));
    return telling;
  }

  /** Another life: nothing is known of it. */
  reset(): void {
    this.named.clear();
    this.recent = new Map();
  }

  /** Channels that are not used are named no longer; the others are named again, should Redis have lost it. */
  async refresh(life: string, used: () => ReadonlySet<string>): Promise<void> {
    const { client, keys, options } = this.parts;
    const key = keys.nodeChannels(life);
    const before = used();
    for (const some of chunks([...this.named].filter((channel) => !before.has(channel)))) {
      // One that was entered while an earlier command was under way stays.
      const now = used();
      const idle = some.filter((channel) => !now.has(channel));
      if (idle.length === 0) continue;
      for (const channel of idle) {
        this.named.delete(channel);
        this.recent.delete(channel);
      }
      await client.srem(key, ...idle);
    }
    for (const some of chunks([...before])) {
      for (const channel of some) this.named.add(channel);
      await this.tell(life, some);
    }
    await client.pexpire(key, options.entryTtlMs * OUTLIVES);
  }

  /** A life that has an entry in this channel, and may be in no set. */
  meet(life: string, channel: string): Promise<void> {
    return this.tell(life, [channel]);
  }

  private async tell(life: string, channels: readonly string[]): Promise<void> {
    const { client, keys, options } = this.parts;
    const args = [life, options.entryTtlMs * OUTLIVES, ...channels];
    await runScript(client, 'register', [keys.nodeChannels(life), keys.nodes()], args);
  }

  private forgetOld(): void {
    const now = this.parts.now();
    // A clock that was set back counts as a beat, too.
    if (now >= this.since && now - this.since < this.parts.options.beatMs) return;
    this.since = now;
    this.recent = new Map();
  }
}
