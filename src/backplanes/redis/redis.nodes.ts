// Which nodes live: each gives signs of life, and the living end the presence of the dead. Death is told by the clock of Redis alone.

import type { CoreLogger } from '../../core/ports/application.js';
import type { Cancel, Clock } from '../../core/ports/time.js';
import { fromRedis, unavailable } from './redis.errors.js';
import type { RedisKeys } from './redis.keys.js';
import type { RedisOptions } from './redis.options.js';
import { OUTLIVES } from './redis.registry.js';
import type { RedisPresence } from './redis.presence.js';
import { runScript, type RedisClient } from './redis.scripts.js';

/** Channels swept at a time. */
const SWEEP_BATCH = 100;
/** Entries are refreshed so many times within their life, so that one that fails is no harm. */
const REFRESHES = 3;

export interface NodesParts {
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly options: RedisOptions;
  readonly clock: Clock;
  readonly logger: CoreLogger;
  readonly node: string;
  readonly presence: RedisPresence;
  /** Redis has taken a sign of life, so it takes what is written. */
  readonly onSigned?: () => void;
}

export class RedisNodes {
  /**
   * The name of this node's present life. One whose sign of life has run out may be swept at any moment by somebody slow, so it goes
   * on under a new name: a sweep of the old one cannot touch what is entered under the new one.
   */
  private life: string;
  private lives = 1;
  /** The others know of this life. */
  private known = false;
  /** Beats in a row that this node was heard. One that was away itself judges nobody until the others have had time to be heard. */
  private calm = 0;
  private sinceRefresh = 0;
  private beating: Promise<void> | undefined;
  private burying: Promise<void> | undefined;
  private cancel: Cancel | undefined;
  private stopped = false;
  private readonly onReady = (): void => {
    this.parts.presence.returned();
    this.beat();
  };

  constructor(private readonly parts: NodesParts) {
    this.life = parts.node;
  }

  /** Rejects when Redis does not take the first sign of life. */
  async start(): Promise<void> {
    try {
      await this.sign();
    } catch (error) {
      throw fromRedis(error, 'read');
    }
    this.parts.client.on('ready', this.onReady);
    this.arm();
  }

  /** Ends this node's presence and takes its name away, as far as Redis is there. */
  async stop(): Promise<void> {
    const { client } = this.parts;
    this.stopped = true;
    this.cancel?.();
    client.off('ready', this.onReady);
    try {
      await Promise.race([this.end(), this.lost()]);
    } catch (error) {
      const text = String(error);
      this.parts.logger.warn('This node could not end its presence; the others will.', { error: text });
    }
  }

  /** The names of the nodes that live now, this one included. */
  async list(): Promise<readonly string[]> {
    const { client, keys } = this.parts;
    try {
      const lives = await client.smembers(keys.nodes());
      const names = await Promise.all(lives.map((life) => client.get(keys.node(life))));
      return names.filter((name) => name !== null);
    } catch (error) {
      throw fromRedis(error, 'read');
    }
  }

  private async end(): Promise<void> {
    const { client, keys, presence } = this.parts;
    await Promise.allSettled([this.beating, this.burying]);
    await presence.exitAll();
    await client.del(keys.nodeChannels(this.life));
    await client.srem(keys.nodes(), this.life);
    await client.del(keys.node(this.life));
  }

  /** Rejects when Redis is away: a Cluster keeps what it is asked until it is back, and a stop cannot wait for that. */
  private lost(): Promise<never> {
    const { client } = this.parts;
    return new Promise((_resolve, reject) => {
      if (client.status === 'ready') client.once('close', () => reject(unavailable()));
      else reject(unavailable());
    });
  }

  private arm(): void {
    this.cancel = this.parts.clock.after(this.parts.options.beatMs, () => {
      this.arm();
      this.beat();
    });
  }

  private beat(): void {
    if (this.beating !== undefined || this.stopped) return;
    this.beating = this.beatOnce().finally(() => (this.beating = undefined));
  }

  private async beatOnce(): Promise<void> {
    const { options, presence } = this.parts;
    if (++this.sinceRefresh * options.beatMs * REFRESHES >= options.entryTtlMs) {
      this.sinceRefresh = 0;
      presence.refreshSoon();
    }
    try {
      if (presence.lost) await this.abandon();
      await this.sign();
      this.calm++;
    } catch (error) {
      this.calm = 0;
      this.warn('This node could not give a sign of life.', error);
      return;
    }
    // Neither may hold up the next sign of life.
    presence.tend().catch((error: unknown) => this.warn('Presence could not be refreshed.', error));
    if (this.calm * options.beatMs >= options.nodeTtlMs && this.burying === undefined)
      this.burying = this.buryDead()
        .catch((error: unknown) => this.warn('The presence of a dead node could not be ended.', error))
        .finally(() => (this.burying = undefined));
  }

  private async sign(): Promise<void> {
    const { client, keys, options, node, presence, onSigned } = this.parts;
    const ttl = options.nodeTtlMs;
    if (this.known && (await client.set(keys.node(this.life), node, 'PX', ttl, 'XX')) === null) this.begin();
    if (!this.known) await client.set(keys.node(this.life), node, 'PX', ttl);
    await client.sadd(keys.nodes(), this.life);
    await client.pexpire(keys.nodes(), options.entryTtlMs * OUTLIVES);
    onSigned?.();
    if (this.known) return;
    this.known = true;
    presence.renew(this.life);
  }

  private begin(): void {
    this.known = false;
    this.calm = 0;
    this.life = `${this.parts.node}.${++this.lives}`;
  }

  private async abandon(): Promise<void> {
    await this.parts.client.del(this.parts.keys.node(this.life));
    this.begin();
  }

  private async buryDead(): Promise<void> {
    const { client, keys, options } = this.parts;
    const lives = await client.smembers(keys.nodes());
    this.parts.presence.heardOf(lives);
    for (const life of lives) {
      if (life === this.life || (await client.exists(keys.node(life))) === 1) continue;
      // Two that sweep do no harm; the claim only saves the work. It ends by itself when the one who holds it dies.
      const claim = await client.set(keys.sweep(life), this.life, 'PX', options.nodeTtlMs, 'NX');
      if (claim !== null) await this.bury(life);
    }
  }

  private async bury(life: string): Promise<void> {
    const { client, keys, presence, logger, options } = this.parts;
    const key = keys.nodeChannels(life);
    const names = [key, keys.nodes()];
    let swept = 0;
    while ((await runScript(client, 'forget', names, [life])) === 0) {
      const channels = await client.srandmember(key, SWEEP_BATCH);
      await Promise.all(channels.map((channel) => presence.sweep(channel, life)));
      if (channels.length > 0) await client.srem(key, ...channels);
      await client.pexpire(keys.sweep(life), options.nodeTtlMs);
      swept += channels.length;
    }
    await client.del(keys.sweep(life));
    logger.warn('The presence of a node that is gone was ended.', { node: life, channels: swept });
  }

  private warn(message: string, error: unknown): void {
    if (!this.stopped) this.parts.logger.warn(message, { error: String(error) });
  }
}
