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
} from '../../core/ports/backplane.js';
import type { Clock, Random } from '../../core/ports/time.js';
import type { Position } from '../../protocol/position.js';
import type { Member } from '../../protocol/publication.js';
import { RedisBus } from './redis.bus.js';
import { checkRedis } from './redis.checks.js';
import { makeClient } from './redis.connection.js';
import { unavailable } from './redis.errors.js';
import { RedisGather } from './redis.gather.js';
import { RedisKeys } from './redis.keys.js';
import { RedisLog } from './redis.log.js';
import { RedisNodes } from './redis.nodes.js';
import type { RedisOptions } from './redis.options.js';
import { RedisOrders } from './redis.orders.js';
import { RedisPresence } from './redis.presence.js';
import type { RedisClient } from './redis.scripts.js';

export interface RedisBackplaneParts {
  readonly options: RedisOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: CoreLogger;
  /** Makes the connections; an application may hand in its own way. The `bus` one must not resubscribe by itself. */
  readonly connect?: (role: 'commands' | 'bus') => RedisClient;
}

const NODE_ID_BYTES = 9;

/** What exists while the backplane is started. */
interface Running {
  readonly client: RedisClient;
  readonly bus: RedisBus;
  readonly log: RedisLog;
  readonly presence: RedisPresence;
  readonly nodes: RedisNodes;
  readonly orders: RedisOrders;
  readonly gather: RedisGather;
}

export class RedisBackplane implements Backplane {
  readonly name = 'redis';
  private running: Running | undefined;

  constructor(private readonly parts: RedisBackplaneParts) {}

  /** Rejects when Redis cannot be reached: a server without its backplane shall not start. */
  async start(listener: BackplaneListener): Promise<void> {
    if (this.running !== undefined) return;
    const running = this.make((question) => listener.answer?.(question));
    // The library says "Connection is closed" of whatever went wrong, and the cause in an event.
    let trouble: Error | undefined;
    const remember = (error: Error): void => void (trouble = error);
    running.client.on('error', remember);
    try {
      await running.client.connect();
      await running.bus.start(listener);
      await running.orders.start((message) => listener.onControl(message));
      await running.nodes.start();
      this.running = running;
      const { logger } = this.parts;
      void checkRedis({ client: running.client, logger, sharded: running.client instanceof Cluster }).catch(
        () => {},
      );
    } catch (cause) {
      running.bus.stop();
      running.client.disconnect();
      const closed = cause instanceof Error && cause.message === 'Connection is closed.';
      const told = closed ? (trouble ?? cause) : ((cause as Error).cause ?? cause);
      const text = told instanceof Error ? told.message : String(told);
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
    running.bus.stop();
    running.client.disconnect();
  }

  healthy(): boolean {
    return this.running !== undefined && this.running.client.status === 'ready' && this.running.bus.live;
  }

  async append(channel: string, draft: Draft, options: AppendOptions): Promise<Appended> {
    return this.now().log.append(channel, draft, options);
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

  async gather(question: Question): Promise<readonly unknown[]> {
    return this.now().gather.ask(question);
  }

  private now(): Running {
    if (this.running === undefined) throw unavailable();
    return this.running;
  }

  private make(answer: (question: Question) => unknown): Running {
    const { options, clock, random, logger } = this.parts;
    const connect =
      this.parts.connect ??
      ((role) => makeClient(role, { options, logger, random: () => random.fraction() }));
    const keys = new RedisKeys(options.prefix);
    const client = connect('commands');
    const sharded = client instanceof Cluster;
    const node = random.id(NODE_ID_BYTES);
    const log = new RedisLog({ client, keys, options, random, sharded, now: () => clock.now() });
    const presence = new RedisPresence({ client, keys, options, node, sharded });
    const orders = new RedisOrders({ client, keys, options, logger, clock });
    const nodes = new RedisNodes({ client, keys, options, clock, logger, node, presence });
    const living = async (): Promise<number> => (await nodes.list()).length;
    const gather = new RedisGather({ client, keys, clock, node, living });
    const own = new Map<string, (payload: string) => void>([
      [keys.wake(), () => orders.wake()],
      [keys.ask(), (payload) => gather.called(payload, answer)],
      [keys.answers(node), (payload) => gather.answered(payload)],
    ]);
    const onReturn = (): void => orders.wake();
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
    return { client, bus, log, presence, nodes, orders, gather };
  }
}
