// Made-up prices for development: a few symbols, each with a tick now and then. Knows no Nest but its two moments, and no real market.

import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import type { Cancel, Clock, PublishOptions, Random } from '../../index.js';

/** Where each begins, and where it is drawn back to. */
const SYMBOLS: ReadonlyMap<string, number> = new Map([
  ['ACME', 120],
  ['GLOBEX', 48],
  ['INITECH', 310],
  ['UMBRELLA', 75],
]);

/** Milliseconds between two ticks of one symbol: about six ticks a second in all. */
const SHORTEST_MS = 300;
const LONGEST_MS = 1000;
/** A step is at most this part of the price. */
const STEP = 0.004;
/** Part of the way back to where it began; without it, a server that runs for weeks shows prices near 0. */
const PULL = 0.01;

export interface PricesFeedSettings {
  readonly publish: (
    channel: string,
    event: string,
    data: object,
    options: PublishOptions,
  ) => Promise<unknown>;
  readonly clock: Pick<Clock, 'after'>;
  readonly random: Pick<Random, 'fraction'>;
  /** Hears why a tick was not taken. */
  readonly onError: (error: unknown) => void;
}

export class PricesFeed implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly prices = new Map(SYMBOLS);
  private readonly timers = new Map<string, Cancel>();
  private stopped = false;

  constructor(private readonly settings: PricesFeedSettings) {}

  /** All modules are there by now, and the server is about to listen. */
  onApplicationBootstrap(): void {
    for (const symbol of SYMBOLS.keys()) void this.tick(symbol);
  }

  /** No timer is left, and no tick begins any more. */
  onModuleDestroy(): void {
    this.stopped = true;
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
  }

  /** The next tick waits for the end of this one, so a slow backplane cannot make them pile up. */
  private async tick(symbol: string): Promise<void> {
    const { publish, clock, random, onError } = this.settings;
    try {
      await publish(`prices:${symbol}`, 'tick', { price: this.step(symbol) }, { key: symbol });
    } catch (error) {
      onError(error);
    }
    if (this.stopped) return;
    const delayMs = SHORTEST_MS + random.fraction() * (LONGEST_MS - SHORTEST_MS);
    this.timers.set(
      symbol,
      clock.after(delayMs, () => void this.tick(symbol)),
    );
  }

  /** The next price, in whole cents. The first is where the symbol begins. */
  private step(symbol: string): number {
    const origin = SYMBOLS.get(symbol) ?? 0;
    const price = this.prices.get(symbol) ?? origin;
    const move = price * STEP * (2 * this.settings.random.fraction() - 1) + (origin - price) * PULL;
    this.prices.set(symbol, Math.max(1, price + move));
    return Math.round(price * 100) / 100;
  }
}
