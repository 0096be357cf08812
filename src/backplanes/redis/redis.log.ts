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
import type { Clock, Random } from '../../core/ports/time.js';
import type { Position } from '../../protocol/position.js';
import type { Publication } from '../../protocol/publication.js';
import { chunksByPlace } from './redis.batches.js';
import { unavailable } from './redis.errors.js';
import { RedisGroups } from './redis.groups.js';
import type { RedisKeys } from './redis.keys.js';
import { RedisNames } from './redis.names.js';
import type { RedisOptions } from './redis.options.js';
import type { RedisPending } from './redis.pending.js';
import { runScript, type RedisClient, type ScriptName, type ScriptReplies } from './redis.scripts.js';

/** 64 bits: two publications of a channel never share an id. */
const ID_BYTES = 8;
/** 72 bits make twelve characters without padding. */
const EPOCH_BYTES = 9;
/** The position outlives the publications by this factor, so that who missed nothing can still resume. */
const META_LIFE_FACTOR = 10;
/** Bytes of publications in one reply, so that a long history does not block Redis. */
const READ_BYTES = 4_194_304;
/** Channels in one question for their newest positions. It holds Redis for about 0.3 ms. */
const TOPS = 128;

export interface LogParts {
  readonly client: RedisClient;
  readonly pending: RedisPending;
  readonly keys: RedisKeys;
  readonly options: RedisOptions;
  readonly random: Random;
  /** Sharded pub/sub of a Cluster. */
  readonly sharded: boolean;
  readonly clock: Pick<Clock, 'now' | 'soon'>;
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
  private readonly names: RedisNames;
  private readonly groups: RedisGroups;
  /** The same for most publications. */
  private numbers = { size: -1, ttlMs: -1, window: -1, text: '' };

  constructor(private readonly parts: LogParts) {
    const { client, pending, keys, options, random, sharded, clock } = parts;
    const epoch = (): string => random.id(EPOCH_BYTES);
    this.names = new RedisNames(keys);
    const soon = (run: () => void): void => clock.soon(run);
    this.groups = new RedisGroups({ client, pending, options, sharded, epoch, soon });
  }

  /** Refuses what this Redis cannot do. */
  async start(): Promise<void> {
    const { client, options, sharded } = this.parts;
    if (options.waitReplicas === 0) return;
    // WAIT has no key, so nothing leads it to the node that took the publication.
    if (sharded)
      throw new Error('Replicas cannot be waited for in a Cluster. Set min-replicas-to-write there.');
    await client.wait(0, 1);
  }

  append(channel: string, draft: Draft, options: AppendOptions): Promise<Appended> {
    if (!this.parts.pending.free) return Promise.reject(unavailable());
    const { random, options: own, clock } = this.parts;
    const { history, idempotencyKey, except } = options;
    const names = this.names.of(channel);
    const id = random.id(ID_BYTES);
    const window = idempotencyKey === undefined ? 0 : own.idempotencyWindowMs;
    return this.groups.add({
      id,
      names,
      key: window === 0 ? undefined : `${names.idempotency}${idempotencyKey}`,
      head: headOf(draft, { id, time: clock.now(), except }),
      data: draft.data,
      numbers: this.numbersOf(history, window),
      fleeting: window === 0 && (history?.size ?? 0) === 0,
    });
  }

  async read(channel: string, { after, limit, reverse }: ReadOptions): Promise<LogSlice> {
    const { keys, random, options } = this.parts;
    const [epoch, offset, id, seen, found] = await this.run(
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

  /** In the order asked. Many in one call; in a Cluster those of one partition. */
  async tops(channels: readonly string[]): Promise<readonly Position[]> {
    const { keys, sharded } = this.parts;
    const tops: Position[] = [];
    const partitionOf = (place: number): number =>
      sharded ? keys.partitionOf(channels[place] as string) : 0;
    const parts = chunksByPlace(channels.keys(), partitionOf, TOPS);
    await Promise.all(
      parts.map(async (places) => {
        const found = await this.topsOf(places.map((place) => channels[place] as string));
        places.forEach((place, at) => (tops[place] = found[at] as Position));
      }),
    );
    return tops;
  }

  private async topsOf(channels: readonly string[]): Promise<readonly Position[]> {
    const { keys, random, options } = this.parts;
    const names = channels.flatMap((channel) => [keys.meta(channel), keys.stream(channel)]);
    const lines = await this.run('top', names, [random.id(EPOCH_BYTES), options.emptyTtlMs]);
    return lines.split('\n').map((line) => {
      const [epoch = '', offset, id = ''] = line.split(' ');
      return { epoch, offset: Number(offset), id };
    });
  }

  private run<Name extends ScriptName>(
    name: Name,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<ScriptReplies[Name]> {
    const { client, pending } = this.parts;
    return pending.run('read', () => runScript(client, name, keys, args));
  }

  private numbersOf(history: AppendOptions['history'], window: number): string {
    const { size = 0, ttlMs = 0 } = history ?? {};
    const { numbers: last } = this;
    if (last.size === size && last.ttlMs === ttlMs && last.window === window) return last.text;
    const life = Math.max(ttlMs * META_LIFE_FACTOR, this.parts.options.positionTtlMs);
    const text = `${size} ${ttlMs} ${life} ${window}`;
    this.numbers = { size, ttlMs, window, text };
    return text;
  }
}

/** By hand, for a third of the time: this is the most frequent text of a server. The id stands first, where the script looks for it. */
function headOf(
  { event, from, key }: Draft,
  { id, time, except }: { id: string; time: number; except: string | undefined },
): string {
  let text = `{"i":"${id}","e":${JSON.stringify(event)},"t":${time}`;
  if (from !== undefined) {
    text += `,"f":{"user":${JSON.stringify(from.user)}`;
    text += from.name === undefined ? '}' : `,"name":${JSON.stringify(from.name)}}`;
  }
  if (key !== undefined) text += `,"k":${JSON.stringify(key)}`;
  if (except !== undefined) text += `,"x":${JSON.stringify(except)}`;
  return `${text}}`;
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
