// Seeded runs of the whole system in one process: hundreds of histories, each seed that ever failed again, and the proof that a seed is a
// history and not a suggestion.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { driveByTurns, Seal } from './world/drive.js';
import { KINDS, planOf } from './world/plan.js';
import { run, type Outcome } from './world/run.js';
import { shrink } from './world/shrink.js';
import { describeOutcome, traceOf } from './world/trace.js';

const STEPS = 1000;
const SEEDS = 200;
/** Seeds in one test. */
const CHUNK = 40;
const LIMIT_MS = 120_000;
/** Lines of a plan that a run comes to at least. */
const REACHED = 25;

const regressions = JSON.parse(readFileSync(new URL('./seeds.json', import.meta.url), 'utf8')) as {
  seed: number;
  found: string;
}[];

const play = (seed: number): Promise<Outcome> => run(planOf(seed, STEPS), { steps: STEPS });

/** Fails with the shortest history that shows what is wrong. */
async function holds(seed: number): Promise<void> {
  const outcome = await play(seed);
  if (outcome.breaches.length === 0) return;
  const shrunk = await shrink(outcome, { steps: STEPS });
  throw new Error(`${describeOutcome(outcome)}\nshrunk:\n${traceOf(shrunk)}\n${describeOutcome(shrunk)}`);
}

describe('the simulated system', () => {
  for (let from = 1; from <= SEEDS; from += CHUNK)
    it(
      `holds every rule in seeds ${from} to ${from + CHUNK - 1}`,
      async () => {
        for (let seed = from; seed < from + CHUNK; seed++) await holds(seed);
      },
      LIMIT_MS,
    );

  it.each(regressions)('holds in seed $seed: $found', ({ seed }) => holds(seed), LIMIT_MS);
});

describe('a seed', () => {
  const textOf = ({ lines }: Outcome): string => JSON.stringify(lines);

  it(
    'is one history, byte for byte',
    async () => {
      for (const seed of [1, 7, 9, 34, 84, 121])
        expect(textOf(await play(seed))).toBe(textOf(await play(seed)));
    },
    LIMIT_MS,
  );

  it(
    'is the same history when each step waits for a whole turn of the real event loop: nothing is left behind',
    async () => {
      for (const seed of [2, 9, 91]) {
        const slow = await run(planOf(seed, STEPS), { steps: STEPS, drive: driveByTurns });
        expect(textOf(slow)).toBe(textOf(await play(seed)));
      }
    },
    LIMIT_MS,
  );

  it('is another history than the next', async () => {
    expect(textOf(await play(1))).not.toBe(textOf(await play(2)));
  });
});

describe('a run', () => {
  const asked: readonly [string, () => unknown][] = [
    ['setTimeout', () => setTimeout(() => {}, 0)],
    ['setInterval', () => setInterval(() => {}, 1000)],
    ['setImmediate', () => setImmediate(() => {})],
    ['process.nextTick', () => process.nextTick(() => {})],
    ['performance.now', () => performance.now()],
    ['Math.random', () => Math.random()],
  ];

  it.each(asked)('cannot ask the real world for %s', (name, ask) => {
    const seal = new Seal(() => 42);
    seal.close();
    try {
      expect(ask).toThrow(name);
      expect(Date.now()).toBe(42);
    } finally {
      seal.open();
    }
  });

  it('comes to every operation and every fault within a few hundred seeds', () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 300; seed++)
      for (const { kind } of planOf(seed, STEPS).steps.slice(0, REACHED)) seen.add(kind);
    expect([...seen].sort()).toEqual([...KINDS].sort());
  });
});
