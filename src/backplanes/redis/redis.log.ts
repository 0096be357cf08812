// The ordered log of channels in Redis: append, read, newest positions. Knows no subscription.

import { TrunklineError } from '../../core/errors.js';
import type {
  AppendOptions,
  Appended,
  Delivery,
  Draft,
  LogSlice,
  ReadOptions,
} from '../../core/ports/backplane.js';
import type { Random } from '../../core/ports/time.js';
import type { Position } from '../../protocol/position.js';
import type { Publication } from '../../protocol/publication.js';
import { fromRedis, unavailable, type Effect } from './redis.errors.js';
import type { RedisKeys } from './redis.keys.js';
import type { RedisOptions } from './redis.options.js';
import { runScript, type RedisClient, type ScriptName, type ScriptReplies } from './redis.scripts.js';

/** 64 bits: two publications of a channel never share an id. */
const ID_BYTES = 8;
/** 72 bits make twelve characters without padding. */
const EPOCH_BYTES = 9;
/** The position outlives the publications by this factor, so that who missed nothing can still resume. */
const META_LIFE_FACTOR = 10;
/** Bytes of publications in one reply, so that a long history does not block Redis. */
const READ_BYTES = 4_194_304;

export interface LogParts {
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly options: RedisOptions;
  readonly random: Random;
  /** Sharded pub/sub of a Cluster. */
  readonly sharded: boolean;
  readonly now: () => number;
}

/** What travels and is kept beside the data of a publication. */
interface Head {
  readonly i: string;
  readonly e: string;
  readonly t: number;
  readonly f?: { readonly user: string; readonly name?: string };
  readonly k?: string;
  /** Session that shall not get its live copy. */
  readonly x?: string;
}

export class RedisLog {
  private pending = 0;

  constructor(private readonly parts: LogParts) {}

  async append(channel: string, draft: Draft, options: AppendOptions): Promise<Appended> {
    const { keys, random, options: own, sharded, now } = this.parts;
    const { history, idempotencyKey, except } = options;
    const id = random.id(ID_BYTES);
    const window = idempotencyKey === undefined ? 0 : own.idempotencyWindowMs;
    const ttl = history?.ttlMs ?? 0;
    const [epoch, offset, first, repeated] = await this.run(
      'publish',
      'write',
      [
        keys.meta(channel),
        keys.stream(channel),
        keys.idempotency(channel, idempotencyKey ?? ''),
        keys.bus(channel),
      ],
      [
        id,
        random.id(EPOCH_BYTES),
        headOf(draft, { id, time: now(), except }),
        draft.data,
        history?.size ?? 0,
        ttl,
        ttl * META_LIFE_FACTOR,
        window,
        sharded ? 'SPUBLISH' : 'PUBLISH',
      ],
    );
    return { position: { epoch, offset: Number(offset), id: first }, duplicate: repeated === 1 };
  }

  async read(channel: string, { after, limit, reverse }: ReadOptions): Promise<LogSlice> {
    const { keys, random, options } = this.parts;
    const [epoch, offset, id, seen, found] = await this.run(
      'read',
      'read',
      [keys.meta(channel), keys.stream(channel)],
      [after, limit, reverse ? 1 : 0, random.id(EPOCH_BYTES), options.emptyTtlMs, READ_BYTES],
    );
    const top = { epoch, offset: Number(offset), id };
    const publications: Publication[] = [];
    for (let at = 0; at + 2 < found.length; at += 3) {
      const [where, head, data] = found.slice(at, at + 3) as [string, string, string];
      publications.push(publicationOf(Number(where), head, data).publication);
    }
    const idAtAfter = after === top.offset ? id || undefined : idOf(seen);
    return { top, idAtAfter, publications };
  }

  /** In the order asked; the library sends them in few pieces. */
  tops(channels: readonly string[]): Promise<readonly Position[]> {
    const { keys, random, options } = this.parts;
    return Promise.all(
      channels.map(async (channel) => {
        const names = [keys.meta(channel), keys.stream(channel)];
        const args = [random.id(EPOCH_BYTES), options.emptyTtlMs];
        const [epoch, offset, id] = await this.run('top', 'read', names, args);
        return { epoch, offset: Number(offset), id };
      }),
    );
  }

  /** Bounded: what waits for a Redis that is slow or away is refused beyond it, not kept. */
  private async run<Name extends ScriptName>(
    name: Name,
    effect: Effect,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<ScriptReplies[Name]> {
    const { client, options } = this.parts;
    if (client.status !== 'ready' || (options.maxPending > 0 && this.pending >= options.maxPending))
      throw unavailable();
    this.pending++;
    try {
      return await runScript(client, name, keys, args);
    } catch (error) {
      throw fromRedis(error, effect);
    } finally {
      this.pending--;
    }
  }
}

function headOf(
  { event, from, key }: Draft,
  { id, time, except }: { id: string; time: number; except: string | undefined },
): string {
  const head: Record<string, unknown> = { i: id, e: event, t: time, f: from, k: key, x: except };
  return JSON.stringify(head);
}

/**
 * `epoch offset previous`, a line break, the head, a line break, the data; `previous` is the id of the publication before, if any.
 * Undefined when it is none of ours.
 */
export function deliveryOf(
  payload: string,
): { readonly epoch: string; readonly delivery: Delivery } | undefined {
  const first = payload.indexOf('\n');
  const second = payload.indexOf('\n', first + 1);
  const [epoch, offset, previous, ...rest] = payload.slice(0, Math.max(0, first)).split(' ');
  if (second < first || epoch === undefined || previous === undefined || rest.length > 0) return undefined;
  const delivery = publicationOf(
    Number(offset),
    payload.slice(first + 1, second),
    payload.slice(second + 1),
    previous || undefined,
  );
  return { epoch, delivery };
}

function publicationOf(offset: number, text: string, data: string, previous?: string): Delivery {
  const head = parseHead(text);
  const { i: id, e: event, t: time, f, k: key, x: except } = head;
  const from = f === undefined ? undefined : { user: f.user, name: f.name };
  return { publication: { offset, id, event, data, from, time, key }, except, previous };
}

function parseHead(text: string): Head {
  try {
    return JSON.parse(text) as Head;
  } catch (cause) {
    throw new TrunklineError('internal', 'The log holds something that is not ours.', { cause });
  }
}

function idOf(head: string): string | undefined {
  return head === '' ? undefined : parseHead(head).i;
}
