// Asks every connection of the bus with each beat whether it is heard: a half-open one looks alive for many minutes. Knows no channel
// of an application and no listener.

import type { Cancel, Clock } from '../../core/ports/time.js';
import type { Cluster, Redis } from 'ioredis';
import { PARTITIONS, type RedisKeys } from './redis.keys.js';
import type { RedisOptions } from './redis.options.js';
import type { RedisClient } from './redis.scripts.js';
import { slotOf } from './redis.slots.js';

export interface PulseParts {
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly options: RedisOptions;
  readonly clock: Clock;
  readonly sharded: boolean;
  /** A bus channel that this node listens to anyway. */
  readonly own: string;
  /** A connection does not answer, and nobody has ended it. */
  readonly onDead: () => void;
}

export class RedisPulse {
  private cancel: Cancel | undefined;
  /** Connections that are asked now. */
  private readonly asked = new Set<string>();
  /** Bus channels of a Cluster, one of each partition, with their slots. */
  private readonly probes: readonly { readonly name: string; readonly slot: number }[];

  constructor(private readonly parts: PulseParts) {
    const names = Array.from({ length: parts.sharded ? PARTITIONS : 0 }, (_, at) => parts.keys.pulse(at));
    this.probes = names.map((name) => ({ name, slot: slotOf(tagOf(name)) }));
  }

  start(): void {
    const { clock, options } = this.parts;
    this.cancel = clock.after(options.beatMs, () => {
      this.start();
      this.beat();
    });
  }

  stop(): void {
    this.cancel?.();
  }

  /** The master of a Cluster that a bus channel belongs to. */
  nodeOf(bus: string): string | undefined {
    return this.parts.sharded ? this.ownerOf(slotOf(tagOf(bus))) : undefined;
  }

  private beat(): void {
    const { client, sharded } = this.parts;
    if (client.status !== 'ready') return;
    if (!sharded) {
      this.ask('', () => (client as Redis).ping());
      return;
    }
    this.ask('', () => (client as Cluster).subscribe(this.parts.own));
    for (const [node, name] of this.owners()) this.ask(node, () => this.probe(name));
  }

  /** One bus channel for each node of a Cluster that has partitions. */
  private owners(): ReadonlyMap<string, string> {
    const owners = new Map<string, string>();
    for (const { name, slot } of this.probes) {
      const node = this.ownerOf(slot);
      if (node !== undefined && !owners.has(node)) owners.set(node, name);
    }
    return owners;
  }

  private ownerOf(slot: number): string | undefined {
    return (this.parts.client as Cluster).slots[slot]?.[0];
  }

  /** The library has no PING for these connections. It keeps a list of what was subscribed to, so each is taken back. */
  private async probe(name: string): Promise<void> {
    const cluster = this.parts.client as Cluster;
    await cluster.ssubscribe(name);
    await cluster.sunsubscribe(name);
  }

  /**
   * In a Cluster the library ends one connection that is silent for the time of a command, and makes that one anew. Where it does not,
   * since an application handed it in, all are made anew, for which it is given twice the time. It never does for the one of the classic
   * bus. What comes there comes late otherwise, so it may be as silent as a node: that is longer than most masters stand still.
   */
  private ask(node: string, question: () => Promise<unknown>): void {
    if (this.asked.has(node)) return;
    const { clock, options, sharded, onDead } = this.parts;
    const { commandTimeoutMs, nodeTtlMs } = options;
    const classicMs = sharded ? Math.max(2 * commandTimeoutMs, nodeTtlMs) : commandTimeoutMs;
    this.asked.add(node);
    const cancel = clock.after(node === '' ? classicMs : 2 * commandTimeoutMs, () => {
      this.asked.delete(node);
      onDead();
    });
    // What fails was answered, or its connection has ended, which the bus hears by itself.
    void question()
      .catch(() => {})
      .finally(() => {
        cancel();
        this.asked.delete(node);
      });
  }
}

function tagOf(name: string): string {
  return name.slice(name.indexOf('{') + 1, name.indexOf('}'));
}
