// The simulated prices by a clock of the test's own: how often, how far, what happens when a tick fails, and that nothing is left at the end.

import { describe, expect, it } from 'vitest';
import type { PublishOptions } from '../../src/core/realtime.service.js';
import { PricesFeed } from '../../src/domains/prices/prices.feed.js';
import { FakeClock } from '../support/fake-clock.js';
import { SeededRandom } from '../support/seeded-random.js';

interface Tick {
  readonly channel: string;
  readonly event: string;
  readonly price: number;
  readonly key: string | undefined;
  readonly at: number;
}

interface World {
  readonly feed: PricesFeed;
  readonly clock: FakeClock;
  readonly ticks: Tick[];
  readonly errors: unknown[];
}

/** `answer` is what the backplane does with a tick. */
function world(answer: () => Promise<unknown> = () => Promise.resolve(), seed = 1): World {
  const clock = new FakeClock();
  const ticks: Tick[] = [];
  const errors: unknown[] = [];
  const publish = (
    channel: string,
    event: string,
    data: object,
    { key }: PublishOptions,
  ): Promise<unknown> => {
    const { price } = data as { price: number };
    ticks.push({ channel, event, price, key, at: clock.now() });
    return answer();
  };
  const random = new SeededRandom(seed);
  const feed = new PricesFeed({ publish, clock, random, onError: (error) => errors.push(error) });
  return { feed, clock, ticks, errors };
}

const of = (ticks: readonly Tick[], symbol: string): Tick[] =>
  ticks.filter(({ channel }) => channel === `prices:${symbol}`);
const SYMBOLS = ['ACME', 'GLOBEX', 'INITECH', 'UMBRELLA'];
const HOUR_MS = 3_600_000;

describe('simulated prices', () => {
  it('do nothing before the application is up', async () => {
    const { clock, ticks } = world();
    await clock.advance(60_000);
    expect([ticks, clock.pending]).toEqual([[], 0]);
  });

  it('tell each symbol at once, so that whoever comes finds a last value', async () => {
    const { feed, clock, ticks } = world();
    feed.onApplicationBootstrap();
    await clock.settle();
    expect(ticks.map(({ channel, event, key }) => [channel, event, key])).toEqual(
      SYMBOLS.map((symbol) => [`prices:${symbol}`, 'tick', symbol]),
    );
  });

  it('tick each symbol every 300 to 1000 ms, by one timer each', async () => {
    const { feed, clock, ticks } = world();
    feed.onApplicationBootstrap();
    await clock.advance(60_000);
    expect(clock.pending).toBe(SYMBOLS.length);
    for (const symbol of SYMBOLS) {
      const times = of(ticks, symbol).map(({ at }) => at);
      const pauses = times.slice(1).map((at, index) => at - (times[index] ?? 0));
      expect(pauses.length, symbol).toBeGreaterThan(59);
      expect(Math.min(...pauses), symbol).toBeGreaterThanOrEqual(300);
      expect(Math.max(...pauses), symbol).toBeLessThanOrEqual(1000);
      expect(new Set(pauses).size, symbol).toBeGreaterThan(30);
    }
  });

  it('move in small steps of whole cents, and stay where they can be believed', async () => {
    const { feed, clock, ticks } = world();
    feed.onApplicationBootstrap();
    await clock.advance(HOUR_MS);
    for (const symbol of SYMBOLS) {
      const prices = of(ticks, symbol).map(({ price }) => price);
      const origin = prices[0] ?? 0;
      expect(new Set(prices).size, symbol).toBeGreaterThan(100);
      prices.forEach((price, index) => {
        expect(Math.abs(price * 100 - Math.round(price * 100)), symbol).toBeLessThan(1e-6);
        const step = Math.abs(price - (prices[index - 1] ?? price));
        expect(step, symbol).toBeLessThan(price * 0.01);
        expect(price, symbol).toBeGreaterThan(origin * 0.7);
        expect(price, symbol).toBeLessThan(origin * 1.3);
      });
    }
  });

  it('are the same for the same chance, and others for another', async () => {
    const run = async (seed: number): Promise<Tick[]> => {
      const { feed, clock, ticks } = world(undefined, seed);
      feed.onApplicationBootstrap();
      await clock.advance(5000);
      return ticks;
    };
    expect(await run(7)).toEqual(await run(7));
    expect(await run(8)).not.toEqual(await run(7));
  });

  it('go on when a tick is refused, and say why', async () => {
    const away = new Error('The backplane is away.');
    const { feed, clock, ticks, errors } = world(() => Promise.reject(away));
    feed.onApplicationBootstrap();
    await clock.advance(3000);
    expect(of(ticks, 'ACME').length).toBeGreaterThanOrEqual(3);
    expect(errors).toEqual(ticks.map(() => away));
  });

  it('wait for a slow backplane, instead of piling up ticks', async () => {
    const answers: (() => void)[] = [];
    const { feed, clock, ticks } = world(() => new Promise<void>((resolve) => answers.push(resolve)));
    feed.onApplicationBootstrap();
    await clock.advance(60_000);
    expect([ticks.length, clock.pending]).toEqual([SYMBOLS.length, 0]);
    for (const answer of answers.splice(0)) answer();
    await clock.advance(1000);
    expect(ticks).toHaveLength(2 * SYMBOLS.length);
  });

  it('leave no timer when the application ends', async () => {
    const { feed, clock, ticks } = world();
    feed.onApplicationBootstrap();
    await clock.advance(5000);
    feed.onModuleDestroy();
    const before = ticks.length;
    expect(clock.pending).toBe(0);
    await clock.advance(5000);
    expect(ticks).toHaveLength(before);
  });

  it('begin no tick when the last one ends after the application did', async () => {
    const answers: (() => void)[] = [];
    const { feed, clock, ticks } = world(() => new Promise<void>((resolve) => answers.push(resolve)));
    feed.onApplicationBootstrap();
    await clock.settle();
    feed.onModuleDestroy();
    for (const answer of answers) answer();
    await clock.advance(5000);
    expect([ticks.length, clock.pending]).toEqual([SYMBOLS.length, 0]);
  });
});
