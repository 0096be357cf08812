// The bus in Redis: one subscription for each channel that somebody here listens to, sent in batches. After each break it subscribes
// anew by itself and says which channels may have missed something. It knows no log and no session.

import { TrunklineError } from '../../core/errors.js';
import type { CoreLogger } from '../../core/ports/application.js';
import type { BackplaneListener, PresenceEvent } from '../../core/ports/backplane.js';
import type { Clock, Cancel } from '../../core/ports/time.js';
import type { Cluster, Redis } from 'ioredis';
import { fromRedis, unavailable } from './redis.errors.js';
import type { RedisKeys } from './redis.keys.js';
import { deliveryOf } from './redis.log.js';
import type { RedisOptions } from './redis.options.js';
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
  private cancelBeat: Cancel | undefined;
  private mending = false;
  private mendAgain = false;

  constructor(private readonly parts: BusParts) {}

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
    this.beat();
  }

  stop(): void {
    this.listener = undefined;
    this.cancelBeat?.();
    this.wanted.clear();
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
  private batches(names: readonly string[]): string[][] {
    const groups = new Map<number, string[]>();
    for (const bus of names) {
      const partition = this.parts.sharded ? this.parts.keys.partitionOf(this.parts.keys.channelOf(bus)) : 0;
      const group = groups.get(partition);
      if (group === undefined) groups.set(partition, [bus]);
      else group.push(bus);
    }
    const batches: string[][] = [];
    for (const group of groups.values())
      for (let at = 0; at < group.length; at += BATCH) batches.push(group.slice(at, at + BATCH));
    return batches;
  }

  /** A connection that hangs answers nothing: after the time of a command it is given up and made anew. */
  private async send(verb: Verb, names: readonly string[]): Promise<void> {
    const { client, sharded, clock, options } = this.parts;
    let cancel: Cancel = () => {};
    const late = new Promise<never>((_resolve, reject) => {
      cancel = clock.after(options.commandTimeoutMs, () => {
        reject(unavailable());
        this.reconnect();
      });
    });
    const call = sharded
      ? (client as Cluster)[verb === 'subscribe' ? 'ssubscribe' : 'sunsubscribe'](...names)
      : (client as Redis)[verb](...names);
    try {
      await Promise.race([call, late]);
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
  private broke(): void {
    if (this.listener === undefined) return;
    this.mendAgain = true;
    if (this.mending) return;
    this.mending = true;
    void this.mend().finally(() => (this.mending = false));
  }

  private async mend(): Promise<void> {
    while (this.mendAgain && this.listener !== undefined) {
      this.mendAgain = false;
      try {
        await (this.parts.client as Redis).subscribe(...this.parts.own.keys());
        const batches = this.batches([...this.wanted.keys()]);
        for (let at = 0; at < batches.length; at += WIDTH) {
          const some = batches.slice(at, at + WIDTH);
          await Promise.all(some.map((batch) => this.send('subscribe', batch)));
          const channels = some.flat().flatMap((bus) => this.wanted.get(bus) ?? []);
          this.listener?.onSuspect(channels);
        }
        this.parts.onReturn();
      } catch (error) {
        // The next `ready` begins anew; until then the position check of idle channels finds what is missing.
        this.parts.logger.warn('The bus could not be subscribed to again.', { error: String(error) });
        return;
      }
    }
  }

  /** A half-open connection looks alive for many minutes; a PING that is not answered ends it. */
  private beat(): void {
    const { clock, options, client, sharded } = this.parts;
    this.cancelBeat = clock.after(options.beatMs, () => {
      if (this.listener === undefined) return;
      this.beat();
      if (sharded || client.status !== 'ready') return;
      let answered = false;
      clock.after(options.commandTimeoutMs, () => {
        if (!answered) this.reconnect();
      });
      (client as Redis).ping().then(
        () => (answered = true),
        () => (answered = true),
      );
    });
  }

  private reconnect(): void {
    const { client, sharded } = this.parts;
    if (this.listener !== undefined && !sharded && client.status === 'ready')
      (client as Redis).disconnect(true);
  }
}
