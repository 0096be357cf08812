// One node's presence, signs of life and orders over a real Redis, with an ear on the bus and a clock that can hang. Knows no test.

import { Redis } from 'ioredis';
import { makeClient } from '../../src/backplanes/redis/redis.connection.js';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import { RedisNodes } from '../../src/backplanes/redis/redis.nodes.js';
import { redisOptions, type RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { RedisOrders } from '../../src/backplanes/redis/redis.orders.js';
import { RedisPresence } from '../../src/backplanes/redis/redis.presence.js';
import type { CoreLogger } from '../../src/core/ports/application.js';
import type { ControlMessage } from '../../src/core/ports/backplane.js';
import { SYSTEM_CLOCK, type Cancel, type Clock } from '../../src/core/ports/time.js';
import type { Member } from '../../src/protocol/publication.js';

/** Short, so that tests need not wait; long beside what a busy machine takes for one command. */
export const FAST = { beatMs: 50, nodeTtlMs: 1000, commandTimeoutMs: 400, entryTtlMs: 3000 };

/** The clock of a process that can stand still: what became due meanwhile runs when it goes on. */
export class HangingClock implements Clock {
  private hung: (() => void)[] | undefined;

  now(): number {
    return SYSTEM_CLOCK.now();
  }

  after(ms: number, run: () => void): Cancel {
    let cancelled = false;
    const due = (): void => {
      if (cancelled) return;
      if (this.hung === undefined) run();
      else this.hung.push(due);
    };
    const cancel = SYSTEM_CLOCK.after(ms, due);
    return () => {
      cancelled = true;
      cancel();
    };
  }

  soon(run: () => void): void {
    SYSTEM_CLOCK.soon(run);
  }

  hang(): void {
    this.hung = [];
  }

  goOn(): void {
    const { hung = [] } = this;
    this.hung = undefined;
    for (const run of hung) run();
  }
}

export class RedisLife {
  readonly clock = new HangingClock();
  readonly keys: RedisKeys;
  readonly client;
  readonly presence: RedisPresence;
  readonly nodes: RedisNodes;
  readonly orders: RedisOrders;
  readonly control: ControlMessage[] = [];
  /** What it has said that is worse than a debug line. */
  readonly logged: string[] = [];
  /** Signs of life it has tried to give. */
  beats = 0;

  constructor(
    readonly node: string,
    settings: RedisSettings,
  ) {
    const options = redisOptions.parse({ ...FAST, ...settings });
    const keys = new RedisKeys(options.prefix);
    const { clock } = this;
    const log = (message: string, fields = {}): void =>
      void this.logged.push(`${message} ${JSON.stringify(fields)}`);
    const logger: CoreLogger = { debug: () => {}, warn: log, error: log };
    const client = makeClient('commands', { options, logger, random: () => 0.5 });
    const shared = { client, keys, options, clock, logger };
    this.keys = keys;
    this.client = client;
    this.presence = new RedisPresence({
      client,
      keys,
      options,
      node,
      sharded: false,
      now: () => clock.now(),
    });
    this.orders = new RedisOrders(shared);
    const sadd = client.sadd.bind(client);
    client.sadd = ((key: string, member: string) => {
      if (key === keys.nodes()) this.beats++;
      return sadd(key, member);
    }) as typeof client.sadd;
    this.nodes = new RedisNodes({ ...shared, node, presence: this.presence });
  }

  async start(): Promise<this> {
    await this.client.connect();
    await this.orders.start((message) => void this.control.push(message));
    await this.nodes.start();
    return this;
  }

  async stop(): Promise<void> {
    this.clock.goOn();
    await this.nodes.stop();
    this.orders.stop();
    this.client.disconnect();
  }

  /** As kill -9 does: nothing more is sent, and no timer runs. */
  die(): void {
    this.clock.hang();
    this.client.disconnect();
  }
}

/** Hears a channel's joins and leaves, on a connection that nothing under test touches. */
export class PresenceEar {
  /** As `>ana` and `<ana`. */
  readonly moves: string[] = [];
  readonly members: Member[] = [];

  private constructor(private readonly client: Redis) {}

  static async on(url: string, bus: string): Promise<PresenceEar> {
    const client = new Redis(url);
    client.on('error', () => {});
    const ear = new PresenceEar(client);
    client.on('message', (_channel: string, payload: string) => {
      const member = JSON.parse(payload.slice(1)) as Member;
      ear.members.push(member);
      ear.moves.push(`${payload[0]}${member.user}`);
    });
    await client.subscribe(bus);
    return ear;
  }

  close(): void {
    this.client.disconnect();
  }
}
