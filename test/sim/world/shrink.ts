// Makes a plan that fails as short as it can: lines are taken out as long as the same rule is still broken. Knows no rule by name.

import type { Step } from './plan.js';
import { run, type Outcome, type RunOptions } from './run.js';

/** Runs that shrinking may take; a long history needs about a hundred. */
const MOST_RUNS = 400;

/** The outcome of the shortest plan that was found. */
export async function shrink(failed: Outcome, options: RunOptions): Promise<Outcome> {
  const rule = failed.breaches[0]?.rule;
  let best = failed;
  let runs = 0;
  const attempt = async (steps: readonly Step[]): Promise<boolean> => {
    runs++;
    const outcome = await run({ ...failed.plan, steps }, options);
    if (!outcome.breaches.some((breach) => breach.rule === rule)) return false;
    best = outcome;
    return true;
  };
  const enough = (): boolean => runs >= MOST_RUNS;
  await attempt(failed.plan.steps.slice(0, failed.reached));
  for (
    let size = Math.ceil(best.plan.steps.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < best.plan.steps.length && !enough();) {
      const { steps } = best.plan;
      if (!(await attempt([...steps.slice(0, at), ...steps.slice(at + size)]))) at += size;
    }
  }
  return best;
}
