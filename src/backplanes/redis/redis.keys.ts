// The names of everything in Redis. All keys of a channel share one hash tag, so that one script may touch them in a Cluster.

import { crc16, slotOf, SLOTS } from './redis.slots.js';

/**
 * Channels are dealt to so many partitions, each with a tag of its own: one command can then subscribe to many bus channels of a
 * Cluster, since they share a slot, and no name from outside chooses a slot.
 */
export const PARTITIONS = 128;

export class RedisKeys {
  /** Begins the bus channels: what is said in one database of a server is heard in all. No prefix has an `@`. */
  private readonly busPrefix: string;

  constructor(
    private readonly prefix: string,
    db = 0,
  ) {
    this.busPrefix = db === 0 ? prefix : `${prefix}:@${db}`;
  }

  /** Hash: `e` epoch, `o` newest offset, `i` its id, `f` oldest kept offset, `a` id before a log that began anew, `m` milliseconds it
   * outlives a question. */
  meta(channel: string): string {
    return this.of('m', channel);
  }

  /** Stream of publications, `<offset>-0`: `h` head, `d` data. One more than the history's size: the id before the oldest. */
  stream(channel: string): string {
    return this.of('s', channel);
  }

  /** String `epoch offset id`: what a publish with this key came to. */
  idempotency(channel: string, key: string): string {
    return `${this.of('k', channel)} ${key}`;
  }

  /** Hash of present sessions: session → JSON `{u, n, s, x}`: user, name, since, node. */
  presence(channel: string): string {
    return this.of('p', channel);
  }

  /** Hash of present users: user → how many of the entries are his, so that nobody has to count them. */
  counts(channel: string): string {
    return this.of('c', channel);
  }

  /** String: a life was swept in this channel, and enters nobody there any more. */
  grave(channel: string, life: string): string {
    return this.of(`d:${life}`, channel);
  }

  /** Bus channel of publications, joins and leaves. */
  bus(channel: string): string {
    return this.of('b', channel, this.busPrefix);
  }

  /** Bus channel of a partition that nobody speaks on: subscribing to it shows that a connection is heard. */
  pulse(partition: number): string {
    return `${this.busPrefix}:{${TAGS[partition]}}:pulse`;
  }

  /** The channel a bus channel is of. */
  channelOf(bus: string): string {
    return bus.slice(bus.indexOf('}:b:') + 4);
  }

  partitionOf(channel: string): number {
    return crc16(channel) % PARTITIONS;
  }

  /**
   * Set of nodes that have said they live. All keys of nodes share one tag: one script writes two of them, and a master of a Cluster
   * that is away lets no node look dead to those whose signs of life lie elsewhere.
   */
  nodes(): string {
    return `${this.prefix}:{nodes}:all`;
  }

  /** String with the TTL of a node's life: the name of the node. */
  node(node: string): string {
    return `${this.prefix}:{nodes}:life:${node}`;
  }

  /** Set of channels in which a node has present sessions. */
  nodeChannels(node: string): string {
    return `${this.prefix}:{nodes}:channels:${node}`;
  }

  /** Held by the node that sweeps after a dead one. */
  sweep(node: string): string {
    return `${this.prefix}:{nodes}:sweep:${node}`;
  }

  /** Stream of orders to all nodes: `o` JSON. */
  orders(): string {
    return `${this.prefix}:{orders}:log`;
  }

  /** Bus channel that says: there are new orders. Shares its tag with the stream, since one script writes both. */
  wake(): string {
    return `${this.busPrefix}:{orders}:wake`;
  }

  /** Hash of revoked tokens: `user:<user>` or `token:<user>\t<jti>` → `before until`, and `tag`, another one after each change. */
  revocations(): string {
    return `${this.prefix}:{revoked}:list`;
  }

  /** Sorted set of the names in that list by their end. All three share a tag, since one script writes them. */
  revocationEnds(): string {
    return `${this.prefix}:{revoked}:ends`;
  }

  /** Bus channel that tells what was added to the list. */
  revoked(): string {
    return `${this.busPrefix}:{revoked}:told`;
  }

  /** String: a short text that is taken once. No tag: each is alone, and in a Cluster they spread over all masters. */
  kept(name: string): string {
    return `${this.prefix}:kept:${name}`;
  }

  /** String: a counter of all nodes. */
  counter(name: string): string {
    return this.of('n', name);
  }

  /** Bus channel of questions to all nodes. */
  ask(): string {
    return `${this.busPrefix}:ask`;
  }

  /** Bus channel of the answers to one node. */
  answers(node: string): string {
    return `${this.busPrefix}:answers:${node}`;
  }

  private of(kind: string, channel: string, prefix = this.prefix): string {
    return `${prefix}:{${TAGS[this.partitionOf(channel)]}}:${kind}:${channel}`;
  }
}

/**
 * Plain numbers as tags crowd some nodes of a Cluster: on six, 27 of 128 on one and 15 on another. These are chosen so that partition
 * n lies in the n-th part of the slots, which is how nodes share them out.
 */
const TAGS: readonly string[] = spreadTags();

function spreadTags(): string[] {
  const tags: string[] = [];
  for (let candidate = 0; tags.filter(Boolean).length < PARTITIONS; candidate++) {
    const tag = candidate.toString(36);
    const part = Math.floor((slotOf(tag) * PARTITIONS) / SLOTS);
    tags[part] ??= tag;
  }
  return tags;
}
