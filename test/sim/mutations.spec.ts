// A simulator that finds nothing proves nothing: bugs are planted into the shipped classes, and each must be found.

import { afterEach, describe, expect, it } from 'vitest';
import { FULL_MEMORY, MUTATIONS } from './mutations.js';
import { planOf } from './world/plan.js';
import { run } from './world/run.js';

const STEPS = 1000;
/** Seeds within which a planted bug must show. */
const MOST_SEEDS = 2000;
/** Milliseconds; most are found within a few seconds. */
const LIMIT_MS = 120_000;

let undo = (): void => {};
afterEach(() => undo());

/** The first seed that fails, and the rule it breaks. */
async function firstBroken(seeds: number): Promise<{ seed: number; rule: string } | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { breaches } = await run(planOf(seed, STEPS), { steps: STEPS });
    const [first] = breaches;
    if (first !== undefined) return { seed, rule: first.rule };
  }
  return undefined;
}

describe('a planted bug is found', () => {
  for (const [name, plant] of Object.entries(MUTATIONS))
    it(
      name,
      async () => {
        undo = plant();
        expect(await firstBroken(MOST_SEEDS)).toBeDefined();
      },
      LIMIT_MS,
    );
});

describe('what is no bug', () => {
  it('a full memory alone breaks nothing', async () => {
    undo = FULL_MEMORY();
    expect(await firstBroken(60)).toBeUndefined();
  }, 60_000);
});
