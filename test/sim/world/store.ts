// Where the instances of a run keep their log and meet: the shipped Redis backplane over the fake Redis. Knows no core.

import { RedisBackplane } from '../../../src/backplanes/redis/redis.backplane.js';
import { RedisKeys } from '../../../src/backplanes/redis/redis.keys.js';
import { SILENT_LOGGER } from '../../../src/core/ports/application.js';
import type { Backplane } from '../../../src/core/ports/backplane.js';
import type { Clock, Random } from '../../../src/core/ports/time.js';
import type { Position } from '../../../src/protocol/position.js';
import type { FakeRedis } from '../redis/port.js';
import { FakeRedisServer } from '../redis/server.js';
import type { Chance } from './chance.js';
import type { Delay, Network } from './network.js';
import type { Schedule } from './schedule.js';
import { ProcessClock } from './schedule.js';
import { REDIS_OPTIONS } from './settings.js';

/** One publication as the log has it. */
export interface Kept {
  readonly offset: number;
  readonly id: string;
  readonly op: number;
}

export interface Joined {
  readonly backplane: Backplane;
  /** The process is gone. */
  vanish(silent: boolean): void;
}

export const REDIS = 'redis';
const NEAR: Delay = { usual: 2, spike: 60 };

export class Store {
  readonly redis: FakeRedis;
  private readonly keys = new RedisKeys(REDIS_OPTIONS.prefix);

  constructor(
    schedule: Schedule,
    private readonly network: Network,
    chance: Chance,
  ) {
    this.redis = new FakeRedisServer({
      clock: new ProcessClock(schedule),
      random: chance,
      undo: 40,
      scanPage: 3,
    });
  }

  join(node: string, clock: Clock, random: Random): Joined {
    const connector = this.redis.connector(node, {
      open: (caller, ends) => {
        const connection = this.network.open({ client: caller.node, server: REDIS, ends, delay: NEAR });
        return {
          toServer: { send: (deliver) => connection.toServer.send(deliver) },
          toClient: { send: (deliver) => connection.toClient.send(deliver) },
        };
      },
    });
    const backplane = new RedisBackplane({
      options: REDIS_OPTIONS,
      clock,
      random,
      logger: SILENT_LOGGER,
      connect: connector.connect,
    });
    return { backplane, vanish: (silent) => connector.vanish(silent) };
  }

  /** Undefined: nobody has asked about the channel, or it was forgotten. */
  top(channel: string): Position | undefined {
    const [epoch, offset, id] = this.redis.ask('HMGET', this.keys.meta(channel), 'e', 'o', 'i') as (
      string | null
    )[];
    if (epoch == null) return undefined;
    return { epoch, offset: Number(offset), id: id ?? '' };
  }

  /** What a reader may be given, the oldest first: the stream holds one more, of which only the id counts. */
  log(channel: string): readonly Kept[] {
    const oldest = Number(this.redis.ask('HGET', this.keys.meta(channel), 'f'));
    const rows = this.redis.ask('XRANGE', this.keys.stream(channel), '-', '+') as [string, string[]][];
    const all = rows.map(([where, [, head = '', , data = '']]) => ({
      offset: Number(where.split('-')[0]),
      id: (JSON.parse(head) as { i: string }).i,
      op: Number(data),
    }));
    return all.filter(({ offset }) => offset >= oldest);
  }

  users(channel: string): readonly string[] {
    const entries = this.redis.ask('HVALS', this.keys.presence(channel)) as string[];
    return [...new Set(entries.map((text) => (JSON.parse(text) as { u: string }).u))].sort();
  }
}
