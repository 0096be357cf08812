// Publications of one turn of the event loop go to Redis in one call, and each gets its own outcome of it. Knows no draft and no reader.

import type { TrunklineError } from '../../core/errors.js';
import type { Appended } from '../../core/ports/backplane.js';
import { fromRedis, refusedWith, unavailable, unknownOutcome } from './redis.errors.js';
import type { ChannelNames } from './redis.names.js';
import type { RedisOptions } from './redis.options.js';
import type { RedisPending } from './redis.pending.js';
import { runConfirmed, runInOrder, type RedisClient } from './redis.scripts.js';

/** Publications in one call. It holds Redis for less than a millisecond. */
export const GROUP_SIZE = 64;
/** Bytes of payload in one call; a larger publication goes alone. */
export const GROUP_BYTES = 262_144;

export interface GroupsParts {
  readonly client: RedisClient;
  /** Where publications count whose outcome is not known yet. */
  readonly pending: RedisPending;
  readonly options: RedisOptions;
  /** Sharded pub/sub of a Cluster: what goes together must lie in one slot. */
  readonly sharded: boolean;
  /** An epoch for logs that begin. */
  readonly epoch: () => string;
  readonly soon: (run: () => void) => void;
}

export interface GroupItem {
  readonly id: string;
  readonly names: ChannelNames;
  /** Undefined: without an idempotency key. */
  readonly key: string | undefined;
  readonly head: string;
  readonly data: string;
  /** As the script takes them; those with a key have others than those without. */
  readonly numbers: string;
  /** There is nothing that a replica could have: not kept, and no key is remembered. */
  readonly fleeting: boolean;
}

interface Waiting {
  readonly item: GroupItem;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: TrunklineError) => void;
}

class Group {
  readonly items: Waiting[] = [];
  bytes = 0;
  /** `performance.now()` of its first publication; of use only where groups wait for each other. */
  readonly since: number;

  constructor(
    /** The partition of its channels in a Cluster. */
    readonly place: number,
    timed: boolean,
  ) {
    this.since = timed ? performance.now() : 0;
  }

  takes(bytes: number): boolean {
    return this.items.length < GROUP_SIZE && this.bytes + bytes <= GROUP_BYTES;
  }
}

export class RedisGroups {
  /** What this turn brings, by partition in a Cluster. */
  private readonly open = new Map<number, Group>();
  private planned = false;
  private readonly flushSoon = (): void => this.flush();
  /** Full, or of a turn that is over; in the order in which they go. Several only while one waits for replicas. */
  private readonly closed: Group[] = [];
  private confirming = false;
  private readonly verb: string;

  constructor(private readonly parts: GroupsParts) {
    this.verb = parts.sharded ? 'SPUBLISH' : 'PUBLISH';
  }

  /** Publications of a channel are carried out in the order in which they came here. */
  add(item: GroupItem): Promise<Appended> {
    this.parts.pending.count++;
    return new Promise((resolve, reject) => {
      this.groupFor(item).items.push({ item, resolve, reject });
    });
  }

  private groupFor({ names, head, data }: GroupItem): Group {
    const bytes = Buffer.byteLength(data) + head.length;
    const place = this.parts.sharded ? names.partition : 0;
    let group = this.open.get(place);
    if (group !== undefined && !group.takes(bytes)) {
      this.close(group);
      group = undefined;
    }
    if (group === undefined) {
      group = new Group(place, this.parts.options.waitReplicas > 0);
      this.open.set(place, group);
    }
    group.bytes += bytes;
    if (!this.planned) {
      this.planned = true;
      this.parts.soon(this.flushSoon);
    }
    return group;
  }

  private flush(): void {
    this.planned = false;
    for (const group of this.open.values()) this.close(group);
    this.open.clear();
  }

  private close(group: Group): void {
    if (this.parts.options.waitReplicas === 0) {
      void this.send(group);
      return;
    }
    this.closed.push(group);
    if (!this.confirming) void this.sendConfirmed();
  }

  private async send(group: Group): Promise<void> {
    const { items } = group;
    const [keys, args] = this.callOf(items, '0');
    try {
      const call = { name: 'publish', keys, args } as const;
      this.settle(items, await runInOrder(this.parts.client, group.place, call), true);
    } catch (error) {
      this.fail(items, fromRedis(error, 'write'));
    }
  }

  /**
   * One group at a time, while the next gathers: WAIT holds the connection, and two of them behind each other would hold everything else
   * twice as long.
   */
  private async sendConfirmed(): Promise<void> {
    const { client, options } = this.parts;
    this.confirming = true;
    for (let group = this.closed.shift(); group !== undefined; group = this.closed.shift()) {
      const { items } = group;
      if (performance.now() - group.since > options.commandTimeoutMs) {
        this.fail(items, unavailable());
        continue;
      }
      const [keys, args] = this.callOf(items, '1');
      const wait = { replicas: options.waitReplicas, timeoutMs: options.waitTimeoutMs };
      try {
        const { reply, confirmed } = await runConfirmed(client, { name: 'publish', keys, args, ...wait });
        this.settle(items, reply, confirmed >= options.waitReplicas);
      } catch (error) {
        this.fail(items, fromRedis(error, 'write'));
      }
    }
    this.confirming = false;
  }

  private callOf(items: readonly Waiting[], confirmed: string): [keys: string[], args: string[]] {
    const keys: string[] = [];
    const args = [this.verb, this.parts.epoch(), confirmed];
    let run = { numbers: '', at: 0, count: 0 };
    for (const { item } of items) {
      const { names, key, head, data, numbers } = item;
      if (numbers !== run.numbers) run = { numbers, at: args.push('') - 1, count: 0 };
      args[run.at] = `${++run.count} ${numbers}`;
      keys.push(names.meta, names.stream, names.bus);
      if (key !== undefined) keys.push(key);
      args.push(head, data);
    }
    return [keys, args];
  }

  private settle(items: readonly Waiting[], reply: string, confirmed: boolean): void {
    this.parts.pending.count -= items.length;
    let start = 0;
    for (const waiting of items) {
      const end = reply.indexOf('\n', start);
      const line = end < 0 ? reply.slice(start) : reply.slice(start, end);
      start = end + 1;
      settleOne(waiting, line, confirmed);
    }
  }

  private fail(items: readonly Waiting[], error: TrunklineError): void {
    this.parts.pending.count -= items.length;
    for (const { reject } of items) reject(error);
  }
}

/** The line of the script's reply that is about this one. */
function settleOne({ item, resolve, reject }: Waiting, line: string, confirmed: boolean): void {
  const mark = line.charAt(0);
  if (mark === '!') {
    reject(refusedWith(line.slice(1)));
    return;
  }
  if (mark === '?') {
    reject(unknownOutcome('Only a part of it was done.', new Error(line.slice(1))));
    return;
  }
  if (!confirmed && !item.fleeting) {
    reject(unknownOutcome('It was done, but not confirmed by enough replicas.'));
    return;
  }
  if (mark === '=') {
    const [epoch = '', offset, id = ''] = line.slice(1).split(' ');
    resolve({ position: { epoch, offset: Number(offset), id }, duplicate: true });
    return;
  }
  const cut = line.indexOf(' ');
  const position = { epoch: line.slice(0, cut), offset: Number(line.slice(cut + 1)), id: item.id };
  resolve({ position, duplicate: false });
}
