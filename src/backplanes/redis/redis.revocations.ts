// Revoked tokens in Redis: one list for all nodes. Each node knows it whole, hears what is added on the bus, compares its tag with each
// beat, and gives back what a Redis has lost. Knows no session and no token.

import type { CoreLogger } from '../../core/ports/application.js';
import type { Revocation } from '../../core/ports/backplane.js';
import type { Cancel, Clock, Random } from '../../core/ports/time.js';
import { fromRedis, unavailable } from './redis.errors.js';
import type { RedisKeys } from './redis.keys.js';
import type { RedisOptions } from './redis.options.js';
import { runScript, type RedisClient } from './redis.scripts.js';

/** Revocations in one call of the script, and asked for in one piece of the list. */
const BATCH = 500;
/** 72 bits: two lists never share a tag. */
const TAG_BYTES = 9;
/** The field of the list that is no revocation; the names of those have a `:`. */
const TAG = 'tag';
const LINE = /^(\d+) (\d+) (.+)$/s;
const SWEEP_EVERY_MS = 60_000;
/** Milliseconds the list keeps what has ended: the clock of one instance may be ahead, and the others still refuse those tokens. */
const AHEAD_MS = 7_200_000;

export interface RevocationsParts {
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly options: RedisOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: CoreLogger;
}

type Hand = (revocations: readonly Revocation[]) => void;

export class RedisRevocations {
  private readonly known = new Map<string, Revocation>();
  /** Of the list that `known` holds; undefined when it is not sure to hold it. */
  private tag: string | undefined;
  private hand: Hand | undefined;
  private checking: Promise<void> | undefined;
  private again = false;
  private sweptAt = 0;
  private cancel: Cancel | undefined;

  constructor(private readonly parts: RevocationsParts) {}

  /** Resolves when all have been handed on. Rejects when Redis is away: nobody may come in unchecked. */
  async start(hand: Hand): Promise<void> {
    this.hand = hand;
    try {
      await this.compare();
    } catch (error) {
      this.hand = undefined;
      throw fromRedis(error, 'read');
    }
    this.arm();
  }

  stop(): void {
    this.hand = undefined;
    this.cancel?.();
  }

  async add(revocation: Revocation): Promise<void> {
    if (this.parts.client.status !== 'ready') throw unavailable();
    try {
      await this.write([[nameOf(revocation), revocation]]);
    } catch (error) {
      throw fromRedis(error, 'write');
    }
    // Here it holds from now on, whatever becomes of the bus.
    this.take([revocation]);
  }

  /** Something was added. Without what this node knows before it, something was missed. */
  heard(payload: string): void {
    // Before the start nobody takes it; then it stands in the list, which is handed on whole.
    if (this.hand === undefined) return;
    const [head = '', ...lines] = payload.split('\n');
    const [before, tag] = head.split(' ');
    this.take(lines.flatMap((line) => parse(line) ?? []));
    if (tag === this.tag) return;
    if (before === this.tag) this.tag = tag;
    else {
      this.tag = undefined;
      this.check();
    }
  }

  /** Something may have been added, or lost. */
  check(): void {
    this.again = true;
    if (this.checking !== undefined || this.hand === undefined) return;
    this.checking = this.checkAll()
      .catch((error: unknown) => {
        if (this.hand === undefined) return;
        this.parts.logger.warn('Revocations could not be compared; they are with the next beat.', {
          error: String(error),
        });
      })
      .finally(() => (this.checking = undefined));
  }

  private arm(): void {
    this.cancel = this.parts.clock.after(this.parts.options.beatMs, () => {
      this.arm();
      if (this.parts.client.status === 'ready') this.check();
    });
  }

  private async checkAll(): Promise<void> {
    while (this.again && this.hand !== undefined) {
      this.again = false;
      await this.compare();
    }
  }

  /** One small question while nothing has changed. */
  private async compare(): Promise<void> {
    const { client, keys } = this.parts;
    const tag = (await client.hget(keys.revocations(), TAG)) ?? '';
    if (tag === this.tag) return;
    // From here on what is heard continues this list, also while it is read.
    this.tag = tag;
    try {
      await this.giveBack(await this.readAll());
    } catch (error) {
      this.tag = undefined;
      throw error;
    }
  }

  /** Name → as it is stored. */
  private async readAll(): Promise<ReadonlyMap<string, Revocation>> {
    const { client, keys } = this.parts;
    const found = new Map<string, Revocation>();
    let cursor = '0';
    do {
      const [next, fields] = await client.hscan(keys.revocations(), cursor, 'COUNT', BATCH);
      for (let at = 0; at < fields.length; at += 2) {
        const name = fields[at] as string;
        const revocation = parse(`${fields[at + 1]} ${name}`);
        if (revocation !== undefined) found.set(name, revocation);
      }
      cursor = next;
    } while (cursor !== '0');
    this.take([...found.values()]);
    return found;
  }

  /** A Redis that came back empty, or that a failover took back in time, learns again what it had kept. */
  private async giveBack(found: ReadonlyMap<string, Revocation>): Promise<void> {
    const now = this.parts.clock.now();
    const lost: [string, Revocation][] = [];
    for (const [name, revocation] of this.known) {
      const { before, until } = found.get(name) ?? { before: -1, until: 0 };
      if (revocation.until > now && (before < revocation.before || until < revocation.until))
        lost.push([name, revocation]);
    }
    for (let at = 0; at < lost.length; at += BATCH) await this.write(lost.slice(at, at + BATCH));
    if (lost.length > 0)
      this.parts.logger.warn('Redis had lost revocations; they were given back.', { count: lost.length });
  }

  private async write(entries: readonly (readonly [name: string, revocation: Revocation])[]): Promise<void> {
    const { client, keys, random, clock } = this.parts;
    const names = [keys.revocations(), keys.revocationEnds(), keys.revoked()];
    const rows = entries.flatMap(([name, { before, until }]) => [name, before, until]);
    await runScript(client, 'revoke', names, [random.id(TAG_BYTES), clock.now() - AHEAD_MS, ...rows]);
  }

  private take(revocations: readonly Revocation[]): void {
    const now = this.parts.clock.now();
    if (now - this.sweptAt >= SWEEP_EVERY_MS) this.sweep(now);
    const fresh = revocations.filter((revocation) => {
      const name = nameOf(revocation);
      const { before, until } = this.known.get(name) ?? { before: -1, until: 0 };
      if (revocation.until <= now || (before >= revocation.before && until >= revocation.until)) return false;
      this.known.set(name, {
        ...revocation,
        before: Math.max(before, revocation.before),
        until: Math.max(until, revocation.until),
      });
      return true;
    });
    if (fresh.length > 0) this.hand?.(fresh);
  }

  private sweep(now: number): void {
    this.sweptAt = now;
    for (const [name, { until }] of this.known) if (until <= now) this.known.delete(name);
  }
}

/** `user:<user>` or `token:<user>`, a tab and the token id: neither may contain a control character. */
function nameOf({ user, tokenId }: Revocation): string {
  return tokenId === undefined ? `user:${user}` : `token:${user}\t${tokenId}`;
}

/** `before until name`. Undefined for the tag, and for what some other version may have put there. */
function parse(line: string): Revocation | undefined {
  const [, before, until, name = ''] = LINE.exec(line) ?? [];
  const cut = name.indexOf(':');
  const kind = name.slice(0, cut);
  const [user = '', tokenId] = name.slice(cut + 1).split('\t');
  if (user === '' || (kind === 'token' ? tokenId === undefined : kind !== 'user')) return undefined;
  return { user, tokenId, before: Number(before), until: Number(until) };
}
