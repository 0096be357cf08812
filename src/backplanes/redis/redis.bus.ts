// The bus in Redis: one subscription for each channel that somebody here listens to, sent in batches. After each break it subscribes
// anew by itself and says which channels may have missed something. It knows no log and no session.

import { TrunklineError } from '../../core/errors.js';
import type { CoreLogger } from '../../core/ports/application.js';
import type { BackplaneListener, PresenceEvent } from '../../core/ports/backplane.js';
import type { Clock, Cancel } from '../../core/ports/time.js';
import type { Cluster, Redis } from 'ioredis';
import { chunksByPlace } from './redis.batches.js';
import { fromRedis, unavailable } from './redis.errors.js';
import type { RedisKeys } from './redis.keys.js';
import { deliveryOf } from './redis.log.js';
import type { RedisOptions } from './redis.options.js';
import { RedisPulse } from './redis.pulse.js';
import type { RedisClient } from './redis.scripts.js';

/** Names in one command: a long one blocks Redis, and in a Cluster all must lie in one slot. */
const BATCH = 512;
/** Batches under way at a time after a reconnect. */
const WIDTH = 4;

export interface BusParts {
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly options: RedisOptions;
  readonly clock: Clock;
  readonly logger: CoreLogger;
  readonly sharded: boolean;
  /** Bus channels of the nodes themselves, always listened to, with who takes what comes. */
  readonly own: ReadonlyMap<string, (payload: string) => void>;
  /** The bus was away and is back. */
  readonly onReturn: () => void;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: TrunklineError) => void;
}

type Verb = 'subscribe' | 'unsubscribe';

export class RedisBus {
  /** Bus name → channel, of what is listened to or about to be. */
  private readonly wanted = new Map<string, string>();
  /** What this turn has asked for, by bus name; the last word counts. */
  private queue = new Map<string, { verb: Verb; waiters: Waiter[] }>();
  private planned = false;
  private listener: BackplaneListener | undefined;
  private readonly pulse: RedisPulse;
  private mending = false;
  private mendAgain = false;
  /** Bus names that may not be subscribed to, or whose channels may have missed something. */
  private readonly torn = new Set<string>();

  constructor(private readonly parts: BusParts) {
    const { client, keys, options, clock, sharded } = parts;
    const [own = ''] = parts.own.keys();
    const onDead = (): void => this.reconnect();
    this.pulse = new RedisPulse({ client, keys, options, clock, sharded, own, onDead });
  }

  get live(): boolean {
    return this.listener !== undefined && this.parts.client.status === 'ready';
  }

  /** Resolves when the connection is there. */
  async start(listener: BackplaneListener): Promise<void> {
    const { client, sharded, own } = this.parts;
    this.listener = listener;
    const hear = (bus: string, payload: string): void => this.hear(bus, payload);
    client.on('message', hear);
    if (sharded) {
      client.on('smessage', hear);
      for (const event of ['subscribersReady', '-subscriber', '+subscriber', '+node', '-node'])
        client.on(event, () => this.broke());
    }
    await client.connect();
    await (client as Redis).subscribe(...own.keys());
    client.on('ready', () => this.broke());
    this.pulse.start();
  }

  stop(): void {
    this.listener = undefined;
    this.pulse.stop();
    this.wanted.clear();
    this.torn.clear();
    for (const { waiters } of this.queue.values()) for (const { reject } of waiters) reject(unavailable());
    this.queue.clear();
    this.parts.client.removeAllListeners('message');
    this.parts.client.disconnect();
  }

  /** Resolves when Redis has confirmed it. */
  subscribe(channel: string): Promise<void> {
    const bus = this.parts.keys.bus(channel);
    if (!this.live) return Promise.reject(unavailable());
    this.wanted.set(bus, channel);
    return this.ask(bus, 'subscribe').catch((error: unknown) => {
      if (this.queue.get(bus)?.verb !== 'subscribe') this.wanted.delete(bus);
      throw error;
    });
  }

  /** Nothing of the channel is handed on from here on. A Redis that is away has forgotten the subscription by itself. */
  async unsubscribe(channel: string): Promise<void> {
    const bus = this.parts.keys.bus(channel);
    if (!this.wanted.delete(bus) || !this.live) return;
    await this.ask(bus, 'unsubscribe').catch(() => {});
  }

  private ask(bus: string, verb: Verb): Promise<void> {
    return new Promise((resolve, reject) => {
      const known = this.queue.get(bus);
      // Asked for both in one turn: whoever waits for the former is told with the latter, as Redis would have done both.
      const waiters = [...(known?.waiters ?? []), { resolve, reject }];
      this.queue.set(bus, { verb, waiters });
      if (this.planned) return;
      this.planned = true;
      this.parts.clock.soon(() => this.flush());
    });
  }

  private flush(): void {
    this.planned = false;
    const { queue } = this;
    this.queue = new Map();
    for (const verb of ['unsubscribe', 'subscribe'] as const) {
      const names = [...queue].filter(([, entry]) => entry.verb === verb).map(([bus]) => bus);
      for (const batch of this.batches(names)) {
        const waiters = batch.flatMap((bus) => queue.get(bus)?.waiters ?? []);
        this.send(verb, batch).then(
          () => waiters.forEach(({ resolve }) => resolve()),
          (error: unknown) => waiters.forEach(({ reject }) => reject(fromRedis(error, 'read'))),
        );
      }
    }
  }

  /** In a Cluster those of one partition go together. */
  private batches(names: readonly string[]): readonly string[][] {
    const { keys, sharded } = this.parts;
    return chunksByPlace(names, (bus) => (sharded ? keys.partitionOf(keys.channelOf(bus)) : 0), BATCH);
  }

  /** A connection that hangs answers nothing: after the time of a command it is given up and made anew. */
  private send(verb: Verb, names: readonly string[]): Promise<unknown> {
    const { client, sharded } = this.parts;
    return this.within(
      sharded
        ? (client as Cluster)[verb === 'subscribe' ? 'ssubscribe' : 'sunsubscribe'](...names)
        : (client as Redis)[verb](...names),
    );
  }

  private async within(call: Promise<unknown>): Promise<unknown> {
    const { clock, options, sharded } = this.parts;
    let cancel: Cancel = () => {};
    const late = new Promise<never>((_resolve, reject) => {
      cancel = clock.after(options.commandTimeoutMs, () => {
        reject(unavailable());
        // Of a Cluster it may be one master that is busy; the pulse tells whether a connection is dead.
        if (!sharded) this.reconnect();
      });
    });
    try {
      return await Promise.race([call, late]);
    } finally {
      cancel();
    }
  }

  private hear(bus: string, payload: string): void {
    const { listener } = this;
    if (listener === undefined) return;
    const channel = this.wanted.get(bus);
    try {
      if (channel === undefined) return this.parts.own.get(bus)?.(payload);
      const kind = payload[0];
      if (kind === '>' || kind === '<') {
        const member = JSON.parse(payload.slice(1)) as PresenceEvent['member'];
        listener.onPresence(channel, { type: kind === '>' ? 'join' : 'leave', member });
        return;
      }
      const told = deliveryOf(payload);
      if (told !== undefined) listener.onPublication(channel, told.epoch, told.delivery);
    } catch (error) {
      this.parts.logger.warn('A message of the bus could not be read.', { channel, error: String(error) });
    }
  }

  /** The connection was lost, or a part of it: everything is subscribed to again, and then compared with the log. */
  private broke(names: Iterable<string> = this.wanted.keys()): void {
    if (this.listener === undefined) return;
    for (const bus of names) this.torn.add(bus);
    this.mendAgain = true;
    if (this.mending) return;
    this.mending = true;
    void this.mend().finally(() => (this.mending = false));
  }

  private async mend(): Promise<void> {
    const { client, own, logger, clock, options } = this.parts;
    while (this.mendAgain && this.listener !== undefined) {
      this.mendAgain = false;
      const names = [...this.torn].filter((bus) => this.wanted.has(bus));
      this.torn.clear();
      const lanes = [...this.lanes(this.batches(names)).values()];
      const done = await Promise.allSettled([
        this.within((client as Redis).subscribe(...own.keys())),
        ...lanes.map((lane) => this.mendLane(lane)),
      ]);
      const failed = done.find((outcome) => outcome.status === 'rejected');
      if (failed === undefined) this.parts.onReturn();
      else if (this.listener !== undefined) {
        // Meanwhile the position check of idle channels finds what is missing.
        logger.warn('The bus could not be subscribed to again.', { error: String(failed.reason) });
        clock.after(options.beatMs, () => this.broke([]));
        return;
      }
    }
  }

  /** What a lane has not come to is torn still. */
  private async mendLane(batches: readonly string[][]): Promise<void> {
    for (let at = 0; at < batches.length; at += WIDTH) {
      // What was left while others were under way would stay on the bus for nobody.
      const some = batches
        .slice(at, at + WIDTH)
        .map((batch) => batch.filter((bus) => this.wanted.has(bus)))
        .filter((batch) => batch.length > 0);
      try {
        await Promise.all(some.map((batch) => this.send('subscribe', batch)));
      } catch (error) {
        for (const bus of batches.slice(at).flat()) this.torn.add(bus);
        throw error;
      }
      this.listener?.onSuspect(some.flat().flatMap((bus) => this.wanted.get(bus) ?? []));
    }
  }

  /** By the master of a Cluster that they go to, so that one that stands still holds up no other. */
  private lanes(batches: readonly string[][]): ReadonlyMap<string, string[][]> {
    const lanes = new Map<string, string[][]>();
    for (const batch of batches) {
      const node = this.pulse.nodeOf(batch[0] ?? '') ?? '';
      const lane = lanes.get(node);
      if (lane === undefined) lanes.set(node, [batch]);
      else lane.push(batch);
    }
    return lanes;
  }

  /** In a Cluster all connections are made anew, also those that are well. */
  reconnect(): void {
    const { client } = this.parts;
    if (this.listener !== undefined && client.status === 'ready') client.disconnect(true);
  }
}
