// Orders to all nodes, kept in a stream: a call on the bus says that there are new ones, and the stream says which. A lost call costs
// time and nothing else. Knows no session.

import type { CoreLogger } from '../../core/ports/application.js';
import type { ControlMessage } from '../../core/ports/backplane.js';
import type { Cancel, Clock } from '../../core/ports/time.js';
import { fromRedis, unavailable } from './redis.errors.js';
import type { RedisKeys } from './redis.keys.js';
import type { RedisOptions } from './redis.options.js';
import { runScript, type RedisClient } from './redis.scripts.js';

/** Orders that are kept for nodes that are behind. */
const KEPT = 1000;
/** Orders read at a time. */
const BATCH = 200;

export interface OrdersParts {
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly options: RedisOptions;
  readonly logger: CoreLogger;
  readonly clock: Clock;
}

interface Order {
  readonly id: string;
  readonly text: string;
}

type Hand = (message: ControlMessage) => void;

export class RedisOrders {
  private hand: Hand | undefined;
  private last: Order | undefined;
  /** The newest that were heard, as many as are kept: a stream that lost its end shows its rest again. */
  private readonly heard = new Set<string>();
  /** When this node was last sure to have heard all. */
  private readAt = 0;
  private reading = false;
  private again = false;
  private cancel: Cancel | undefined;

  constructor(private readonly parts: OrdersParts) {}

  /** Orders given before it resolves concern those who were there. Rejects when Redis is away. */
  async start(hand: Hand): Promise<void> {
    const { client, keys } = this.parts;
    try {
      const newest = await client.xrevrange(keys.orders(), '+', '-', 'COUNT', KEPT);
      for (const order of newest.map(orderOf).reverse()) this.note(order);
    } catch (error) {
      throw fromRedis(error, 'read');
    }
    this.readAt = this.parts.clock.now();
    this.hand = hand;
    this.arm();
  }

  stop(): void {
    this.hand = undefined;
    this.cancel?.();
  }

  /** There may be something new. */
  wake(): void {
    this.again = true;
    if (this.reading || this.hand === undefined) return;
    this.reading = true;
    this.readAll().catch((error: unknown) => {
      if (this.hand === undefined) return;
      this.parts.logger.warn('Orders could not be read; they are asked for again.', { error: String(error) });
    });
  }

  /** Comes to this node by the stream, too. */
  async send(message: ControlMessage): Promise<void> {
    const { client, keys, options } = this.parts;
    if (client.status !== 'ready') throw unavailable();
    try {
      const names = [keys.orders(), keys.wake()];
      await runScript(client, 'order', names, [JSON.stringify(message), KEPT, options.entryTtlMs]);
    } catch (error) {
      throw fromRedis(error, 'write');
    }
  }

  private arm(): void {
    this.cancel = this.parts.clock.after(this.parts.options.beatMs, () => {
      this.arm();
      if (this.parts.client.status === 'ready') this.wake();
    });
  }

  private async readAll(): Promise<void> {
    try {
      while (this.again && this.hand !== undefined) {
        this.again = false;
        let more = true;
        while (more) more = await this.readSome();
      }
    } finally {
      this.reading = false;
    }
  }

  /**
   * The last order that was heard is read with the new ones. When it is not there, the stream began anew after a flush or a failover,
   * perhaps with ids below the last one: then it is read from its beginning, and what was heard of it is left out.
   */
  private async readSome(): Promise<boolean> {
    const { client, keys } = this.parts;
    const { last } = this;
    const found = (await client.xrange(keys.orders(), last?.id ?? '-', '+', 'COUNT', BATCH + 1)).map(orderOf);
    if (last !== undefined && keyOf(found[0]) !== keyOf(last)) {
      await this.lookForLoss(last);
      this.last = undefined;
      return true;
    }
    if (last === undefined && this.awayMs >= this.parts.options.entryTtlMs) await this.lookForLoss(last);
    this.readAt = this.parts.clock.now();
    for (const order of found) {
      const isNew = !this.heard.has(keyOf(order));
      this.note(order);
      if (isNew) this.tell(order);
    }
    return found.length > BATCH;
  }

  /**
   * Orders that are gone cannot be known, and so cannot be carried out: somebody has to be told. A stream that is full of what was never
   * heard may have lost what came before it, and so has one that had time to end while this node was away.
   */
  private async lookForLoss(last: Order | undefined): Promise<void> {
    const { client, keys, options, clock, logger } = this.parts;
    const { awayMs } = this;
    const all = (await client.xrange(keys.orders(), '-', '+')).map(orderOf);
    const trimmed = all.length >= KEPT && !all.some((order) => this.heard.has(keyOf(order)));
    this.readAt = clock.now();
    if (!trimmed && awayMs < options.entryTtlMs) return;
    logger.error(
      'Orders to this node may be lost. Give the orders of that time again, or restart this instance.',
      {
        reason: trimmed ? `more than ${KEPT} were given while it was behind` : 'it was away for too long',
        awayMs,
        last: last?.id,
      },
    );
  }

  private get awayMs(): number {
    return this.parts.clock.now() - this.readAt;
  }

  private note(order: Order): void {
    this.last = order;
    const key = keyOf(order);
    this.heard.delete(key);
    this.heard.add(key);
    const [oldest] = this.heard;
    if (this.heard.size > KEPT && oldest !== undefined) this.heard.delete(oldest);
  }

  private tell({ text }: Order): void {
    try {
      this.hand?.(JSON.parse(text) as ControlMessage);
    } catch (error) {
      this.parts.logger.error('An order could not be carried out.', { error: String(error) });
    }
  }
}

function orderOf([id, fields]: [id: string, fields: string[]]): Order {
  return { id, text: fields[1] ?? '' };
}

/** An id may come twice when a stream begins anew. */
function keyOf(order: Order | undefined): string {
  return order === undefined ? '' : `${order.id} ${order.text}`;
}
