// The backplane in Redis: the port of core over log, bus, presence, nodes and orders, each in its own file. Knows no hub and no session.

import { Cluster } from 'ioredis';
import { TrunklineError } from '../../core/errors.js';
import type { CoreLogger } from '../../core/ports/application.js';
import type {
  AppendOptions,
  Appended,
  Backplane,
  BackplaneListener,
  ControlMessage,
  Draft,
  LogSlice,
  PresenceEntry,
  Question,
  ReadOptions,
  Revocation,
} from '../../core/ports/backplane.js';
import type { Clock, Random } from '../../core/ports/time.js';
import type { Position } from '../../protocol/position.js';
import type { Member } from '../../protocol/publication.js';
import { RedisBus } from './redis.bus.js';
import { checkRedis } from './redis.checks.js';
import {
  clientDefaults,
  logErrors,
  makeClient,
  type ClientDefaults,
  type ConnectionRole,
} from './redis.connection.js';
import { unavailable } from './redis.errors.js';
import { RedisCounters } from './redis.counters.js';
import { RedisGather } from './redis.gather.js';
import { RedisKept } from './redis.kept.js';
import { RedisKeys } from './redis.keys.js';
import { RedisLog } from './redis.log.js';
import { CalmLogger } from './redis.logger.js';
import { RedisNodes } from './redis.nodes.js';
import type { RedisOptions } from './redis.options.js';
import { RedisOrders } from './redis.orders.js';
import { RedisPending } from './redis.pending.js';
import { RedisPresence } from './redis.presence.js';
import { RedisRevocations } from './redis.revocations.js';
import type { RedisClient } from './redis.scripts.js';
import { tlsTrouble } from './redis.tls.js';

export interface RedisBackplaneParts {
  readonly options: RedisOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: CoreLogger;
  /**
   * Makes the connections, not yet connected; an application may hand in its own way. `defaults` is what ours are made with: keep them, and
   * change what must be other. In a Cluster they are the `redisOptions` of each node.
   */
  readonly connect?: (role: ConnectionRole, defaults: ClientDefaults) => RedisClient;
}

const NODE_ID_BYTES = 9;
const CLOSED = /^(Connection is closed|None of startup nodes is available)/;

/** What exists while the backplane is started. */
interface Running {
  readonly client: RedisClient;
  readonly bus: RedisBus;
  readonly log: RedisLog;
  readonly presence: RedisPresence;
  readonly nodes: RedisNodes;
  readonly orders: RedisOrders;
  readonly revocations: RedisRevocations;
  readonly kept: RedisKept;
  readonly gather: RedisGather;
  readonly counters: RedisCounters;
  /** Redis refuses what is written, since it has become a replica. */
  demoted: boolean;
}

export class RedisBackplane implements Backplane {
  readonly name = 'redis';
  private running: Running | undefined;

  constructor(private readonly parts: RedisBackplaneParts) {}

  /** Rejects when Redis cannot be reached: a server without its backplane shall not start. */
  async start(listener: BackplaneListener): Promise<void> {
    if (this.running !== undefined) return;
    const running = this.make((question) => listener.answer?.(question));
    // The library says that the connection is closed of whatever went wrong, and the cause in an event.
    let trouble: Error | undefined;
    const remember = (error: Error): void => void (trouble = error);
    running.client.on('error', remember);
    try {
      await running.client.connect();
      await running.log.start();
      await running.bus.start(listener);
      await running.orders.start((message) => listener.onControl(message));
      await running.revocations.start((revocations) => listener.onRevocations(revocations));
      await running.nodes.start();
      this.running = running;
      const { logger } = this.parts;
      void checkRedis({ client: running.client, logger, sharded: running.client instanceof Cluster }).catch(
        () => {},
      );
    } catch (cause) {
      running.orders.stop();
      running.revocations.stop();
      running.bus.stop();
      running.client.disconnect();
      const closed = cause instanceof Error && CLOSED.test(cause.message);
      const told = closed ? (trouble ?? cause) : ((cause as Error).cause ?? cause);
      const text =
        (await tlsTrouble(this.parts.options)) ?? (told instanceof Error ? told.message : String(told));
      throw new TrunklineError('unavailable', `Redis cannot be used: ${text}`, { cause });
    } finally {
      running.client.off('error', remember);
    }
  }

  /** The sessions of this node go with it: their leaves are told to the other nodes. */
  async stop(): Promise<void> {
    const { running } = this;
    if (running === undefined) return;
    this.running = undefined;
    await running.nodes.stop();
    running.orders.stop();
    running.revocations.stop();
    running.bus.stop();
    running.client.disconnect();
  }

  healthy(): boolean {
    const { running } = this;
    return running !== undefined && running.client.status === 'ready' && running.bus.live && !running.demoted;
  }

  /** Not `async`: one promise less for the most frequent call. */
  append(channel: string, draft: Draft, options: AppendOptions): Promise<Appended> {
    return this.running?.log.append(channel, draft, options) ?? Promise.reject(unavailable());
  }

  async read(channel: string, options: ReadOptions): Promise<LogSlice> {
    return this.now().log.read(channel, options);
  }

  async tops(channels: readonly string[]): Promise<readonly Position[]> {
    return this.now().log.tops(channels);
  }

  async subscribe(channel: string): Promise<void> {
    return this.now().bus.subscribe(channel);
  }

  async unsubscribe(channel: string): Promise<void> {
    return this.running?.bus.unsubscribe(channel);
  }

  async enter(channel: string, entry: PresenceEntry): Promise<void> {
    return this.now().presence.enter(channel, entry);
  }

  async exit(channel: string, entry: PresenceEntry): Promise<void> {
    return this.now().presence.exit(channel, entry);
  }

  async members(channel: string): Promise<readonly Member[]> {
    return this.now().presence.members(channel);
  }

  async control(message: ControlMessage): Promise<void> {
    return this.now().orders.send(message);
  }

  async revoke(revocation: Revocation): Promise<void> {
    return this.now().revocations.add(revocation);
  }

  async keep(key: string, text: string, ttlMs: number): Promise<void> {
    return this.now().kept.keep(key, text, ttlMs);
  }

  async take(key: string): Promise<string | undefined> {
    return this.now().kept.take(key);
  }

  async tally(name: string, amount: number, ttlMs: number): Promise<number> {
    return this.now().counters.add(name, amount, ttlMs);
  }

  async gather(question: Question): Promise<readonly unknown[]> {
    return this.now().gather.ask(question);
  }

  private now(): Running {
    if (this.running === undefined) throw unavailable();
    return this.running;
  }

  private make(answer: (question: Question) => unknown): Running {
    const { options, clock, random } = this.parts;
    const logger = new CalmLogger(this.parts.logger, () => clock.now());
    const onDemoted = (): void => void (running.demoted = true);
    const parts = { options, logger, random: () => random.fraction(), onDemoted };
    const connect = (role: ConnectionRole): RedisClient => {
      if (this.parts.connect === undefined) return makeClient(role, parts);
      const client = this.parts.connect(role, clientDefaults(role, parts));
      logErrors(client, role, logger);
      return client;
    };
    const client = connect('commands');
    const sharded = client instanceof Cluster;
    const keys = new RedisKeys(options.prefix, databaseOf(client));
    const node = random.id(NODE_ID_BYTES);
    const pending = new RedisPending(client, options);
    const log = new RedisLog({ client, pending, keys, options, random, sharded, clock });
    const presence = new RedisPresence({ client, keys, options, node, sharded, now: () => clock.now() });
    const orders = new RedisOrders({ client, keys, options, logger, clock });
    const revocations = new RedisRevocations({ client, keys, options, logger, clock, random });
    // A new master took a write; the bus may still hear the old one.
    const onSigned = (): void => {
      if (running.demoted) bus.reconnect();
      running.demoted = false;
    };
    const nodes = new RedisNodes({ client, keys, options, clock, logger, node, presence, onSigned });
    const kept = new RedisKept({ client, pending, keys });
    const living = async (): Promise<number> => (await nodes.list()).length;
    const counters = new RedisCounters({ client, pending, keys });
    const gather = new RedisGather({ client, keys, clock, node, living });
    const own = new Map<string, (payload: string) => void>([
      [keys.wake(), () => orders.wake()],
      [keys.revoked(), (payload) => revocations.heard(payload)],
      [keys.ask(), (payload) => gather.called(payload, answer)],
      [keys.answers(node), (payload) => gather.answered(payload)],
    ]);
    const onReturn = (): void => {
      orders.wake();
      revocations.check();
    };
    const bus = new RedisBus({
      client: connect('bus'),
      keys,
      options,
      clock,
      logger,
      sharded,
      own,
      onReturn,
    });
    const rooms = { client, bus, log, presence, nodes, orders, revocations, kept, gather, counters };
    const running: Running = { ...rooms, demoted: false };
    return running;
  }
}

/** A Cluster has one. */
function databaseOf(client: RedisClient): number {
  return client instanceof Cluster ? 0 : (client.options.db ?? 0);
}
