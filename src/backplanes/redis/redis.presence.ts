// Who is in which channel, across nodes: this node's entries as they should be, and the steps that make Redis agree. Knows no bus and
// no time: whoever beats calls `tend`.

import type { PresenceEntry } from '../../core/ports/backplane.js';
import type { Member } from '../../protocol/publication.js';
import { chunks, inBatches } from './redis.batches.js';
import { readEntries, storedOf, wellFormed } from './redis.entries.js';
import { fromRedis, unavailable } from './redis.errors.js';
import type { RedisKeys } from './redis.keys.js';
import type { RedisOptions } from './redis.options.js';
import { RedisRegistry } from './redis.registry.js';
import { runScript, type RedisClient, type ScriptName, type ScriptReplies } from './redis.scripts.js';

/** Steps whose outcome is unknown; about 10 MB. With more of them the node begins a new life instead. */
const MOST_DOUBTS = 50_000;
/**
 * Successes that end a doubt. What was sent on a connection that broke may still be carried out after a success on the next one; a
 * beat later it has been.
 */
const SURE_AFTER = 2;
/** Unknown lives, by channel, that wait for the next beat. */
const MOST_MET = 1000;
/** A replica that becomes the master lacks the writes of so many milliseconds at most. */
const LAG_MS = 30_000;

export interface PresenceParts {
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly options: RedisOptions;
  readonly node: string;
  /** Sharded pub/sub of a Cluster. */
  readonly sharded: boolean;
  readonly now: () => number;
}

interface Place {
  readonly channel: string;
  readonly session: string;
}

interface Doubt extends Place {
  left: number;
}

export class RedisPresence {
  /** What should be in Redis, by channel and session. Bounded by the live sessions, with which its entries end. */
  private readonly own = new Map<string, Map<string, PresenceEntry>>();
  /** Places where Redis may not agree with `own`. */
  private readonly doubts = new Map<string, Doubt>();
  /** The last step of each place that has one under way: a later one waits for it, since a repeated script could be overtaken. */
  private readonly turns = new Map<string, Promise<void>>();
  private readonly registry: RedisRegistry;
  /** Leaves that Redis has confirmed lately, the oldest first. */
  private readonly gone = new Map<string, { readonly place: Place; readonly at: number }>();
  /** Names of lives as last heard, and those that were met without being among them. */
  private lives: ReadonlySet<string> | undefined;
  private readonly met = new Map<string, { readonly life: string; readonly channel: string }>();
  /** An enter was refused because this life was swept. */
  private buried = false;
  private refreshWanted = false;
  private tending = false;
  private stopped = false;
  /** The name that entries carry. */
  private life: string;

  constructor(private readonly parts: PresenceParts) {
    this.life = parts.node;
    this.registry = new RedisRegistry(parts);
  }

  /**
   * This life was swept, or more was in doubt than is remembered: only a new one, and a sweep of this one, leaves no ghosts and loses
   * nobody.
   */
  get lost(): boolean {
    return this.buried || this.full;
  }

  async enter(channel: string, entry: PresenceEntry): Promise<void> {
    if (this.stopped) throw unavailable();
    const place = { channel, session: entry.session };
    const before = this.wanted(place);
    this.want(place, entry);
    try {
      await this.inTurn(place, () => this.store(channel, entry));
    } catch (error) {
      // The caller takes it for not done. It may have been: what he wants now is made true later.
      if (this.wanted(place) === entry) this.want(place, before);
      this.doubt(place);
      throw fromRedis(error, 'read');
    }
  }

  /** One that fails is carried out when Redis is back, whether or not the caller tries again. */
  async exit(channel: string, { session }: PresenceEntry): Promise<void> {
    const place = { channel, session };
    this.want(place, undefined);
    try {
      await this.inTurn(place, () => this.remove(place));
      this.remember(place);
    } catch (error) {
      this.doubt(place);
      throw fromRedis(error, 'read');
    }
  }

  /** The connection was away: a failover may have taken back what was confirmed just before, so the last leaves are made sure of. */
  returned(): void {
    const since = this.parts.now() - LAG_MS;
    for (const { place, at } of this.gone.values()) if (at >= since) this.doubt(place);
    this.gone.clear();
    this.refreshWanted = true;
  }

  private remember(place: Place): void {
    const now = this.parts.now();
    const key = keyOf(place);
    this.gone.delete(key);
    this.gone.set(key, { place, at: now });
    for (const [old, { at }] of this.gone) {
      if (at >= now - LAG_MS && this.gone.size <= MOST_DOUBTS) break;
      this.gone.delete(old);
    }
  }

  async members(channel: string): Promise<readonly Member[]> {
    const { client, keys } = this.parts;
    this.mustBeReady();
    try {
      const { members, lives } = readEntries(await client.hvals(keys.presence(channel)));
      this.meet(channel, lives);
      return members;
    } catch (error) {
      throw fromRedis(error, 'read');
    }
  }

  /** All lives that Redis names now. */
  heardOf(lives: readonly string[]): void {
    this.lives = new Set(lives);
  }

  /** A Redis that lost its data lost the names of lives with it; one that was killed before it could say its name again is named by us. */
  private meet(channel: string, lives: ReadonlySet<string>): void {
    for (const life of lives) {
      const known = this.lives === undefined || this.lives.has(life) || life === this.life;
      if (!known && this.met.size < MOST_MET) this.met.set(`${life}\n${channel}`, { life, channel });
    }
  }

  /** All entries are checked and their lives prolonged at the next `tend`. */
  refreshSoon(): void {
    this.refreshWanted = true;
  }

  /** From here on entries carry this name, the present ones from the next `tend`. What is left under the former one is swept. */
  renew(life: string): void {
    if (life === this.life) return;
    this.life = life;
    this.buried = false;
    this.registry.reset();
    if (this.full) this.doubts.clear();
    this.refreshWanted = true;
  }

  /** Makes sure of what is in doubt, and refreshes when that is due. Rejects when Redis is away; the next call goes on. */
  async tend(): Promise<void> {
    if (this.tending || this.stopped) return;
    this.tending = true;
    try {
      if (this.refreshWanted) await this.refresh();
      const met = [...this.met.values()];
      this.met.clear();
      await inBatches(met, ({ life, channel }) => this.registry.meet(life, channel));
      await inBatches([...this.doubts.values()], (doubt) => this.settle(doubt));
    } finally {
      this.tending = false;
    }
  }

  /** Ends the entries of one life in a channel, and tells the leaves. */
  async sweep(channel: string, life: string): Promise<void> {
    let cursor = '0';
    do {
      const args = [life, cursor, this.verb, this.parts.options.entryTtlMs];
      cursor = await this.run('sweep', this.namesOf(channel, life), args);
    } while (cursor !== '0');
  }

  /** Ends all entries of this node, which stops. */
  async exitAll(): Promise<void> {
    this.stopped = true;
    const places = [...this.doubts.values()].filter((place) => this.wanted(place) === undefined);
    const channels = [...this.own.keys()];
    this.own.clear();
    this.doubts.clear();
    await Promise.allSettled(this.turns.values());
    await inBatches(channels, (channel) => this.sweep(channel, this.life));
    await inBatches(places, (place) => this.remove(place));
  }

  private async refresh(): Promise<void> {
    this.refreshWanted = false;
    try {
      await this.registry.refresh(this.life, () => this.used());
      await inBatches([...this.own.keys()], (channel) => this.refreshChannel(channel));
    } catch (error) {
      this.refreshWanted = true;
      throw error;
    }
  }

  /** Channels where this node has something, or a step under way. */
  private used(): ReadonlySet<string> {
    const open = [...this.doubts.keys(), ...this.turns.keys()];
    return new Set([...this.own.keys(), ...open.map((place) => place.slice(place.indexOf('\n') + 1))]);
  }

  private async refreshChannel(channel: string): Promise<void> {
    const { keys, options } = this.parts;
    const names = [keys.presence(channel), keys.counts(channel)];
    for (const some of chunks([...(this.own.get(channel)?.keys() ?? [])])) {
      const args = [options.entryTtlMs, this.life, ...some];
      const missing = await this.run('refresh', names, args);
      await inBatches(missing, (session) => this.agree({ channel, session }));
    }
  }

  private async settle(doubt: Doubt): Promise<void> {
    await this.agree(doubt);
    doubt.left--;
    const key = keyOf(doubt);
    if (doubt.left <= 0 && this.doubts.get(key) === doubt) this.doubts.delete(key);
  }

  /** Whatever is wanted when its turn has come. */
  private agree(place: Place): Promise<void> {
    return this.inTurn(place, () => {
      const entry = this.wanted(place);
      return entry === undefined ? this.remove(place) : this.store(place.channel, entry);
    });
  }

  private async store(channel: string, entry: PresenceEntry): Promise<void> {
    const { life } = this;
    const { entryTtlMs } = this.parts.options;
    this.mustBeReady();
    await this.registry.register(life, channel);
    const args = [entry.session, wellFormed(entry.user), storedOf(entry, life), entryTtlMs, this.verb];
    if ((await this.run('enter', this.namesOf(channel, life), args)) >= 0) return;
    if (life === this.life) this.buried = true;
    throw unavailable();
  }

  private async remove({ channel, session }: Place): Promise<void> {
    const { keys } = this.parts;
    const names = [keys.presence(channel), keys.counts(channel), keys.bus(channel)];
    await this.run('exit', names, [session, this.verb]);
  }

  private wanted({ channel, session }: Place): PresenceEntry | undefined {
    return this.own.get(channel)?.get(session);
  }

  private want({ channel, session }: Place, entry: PresenceEntry | undefined): void {
    const sessions = this.own.get(channel);
    if (entry === undefined) {
      sessions?.delete(session);
      if (sessions?.size === 0) this.own.delete(channel);
    } else if (sessions === undefined) this.own.set(channel, new Map([[session, entry]]));
    else sessions.set(session, entry);
  }

  private doubt(place: Place): void {
    if (!this.stopped && !this.full) this.doubts.set(keyOf(place), { ...place, left: SURE_AFTER });
  }

  private inTurn(place: Place, step: () => Promise<void>): Promise<void> {
    const key = keyOf(place);
    const turn = (this.turns.get(key) ?? Promise.resolve()).then(step);
    const done = turn.then(
      () => {},
      () => {},
    );
    this.turns.set(key, done);
    void done.then(() => {
      if (this.turns.get(key) === done) this.turns.delete(key);
    });
    return turn;
  }

  private get verb(): string {
    return this.parts.sharded ? 'SPUBLISH' : 'PUBLISH';
  }

  private get full(): boolean {
    return this.doubts.size >= MOST_DOUBTS;
  }

  private namesOf(channel: string, life: string): readonly string[] {
    const { keys } = this.parts;
    return [keys.presence(channel), keys.counts(channel), keys.bus(channel), keys.grave(channel, life)];
  }

  private async run<Name extends ScriptName>(
    name: Name,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<ScriptReplies[Name]> {
    this.mustBeReady();
    return runScript(this.parts.client, name, keys, args);
  }

  /** Nothing waits for a Redis that is away, and no more than is allowed for one that is slow. */
  private mustBeReady(): void {
    const { client, options } = this.parts;
    const full = options.maxPending > 0 && this.turns.size > options.maxPending;
    if (client.status !== 'ready' || full) throw unavailable();
  }
}

function keyOf({ channel, session }: Place): string {
  return `${session}\n${channel}`;
}
