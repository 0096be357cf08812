// `npm run sim [-- --seeds 2000] [--steps 1000] [--from 1] [--seed K]`: runs seeds one after another and tells what came of them. A seed that
// fails is shrunk and told as a trace; `--seed` alone always prints its trace.

import { parseArgs } from 'node:util';
import { Coverage } from './world/coverage.js';
import { planOf } from './world/plan.js';
import { run, type Outcome } from './world/run.js';
import { shrink } from './world/shrink.js';
import { describeOutcome, traceOf } from './world/trace.js';

/** Failing seeds after which there is enough to look at. */
const MOST_FAILED = 50;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string', default: '2000' },
      steps: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      'no-shrink': { type: 'boolean', default: false },
    },
  });
  const steps = Number(values.steps);
  if (values.seed !== undefined) return one(Number(values.seed), steps, !values['no-shrink']);
  return many({
    from: Number(values.from),
    count: Number(values.seeds),
    steps,
    shrinks: !values['no-shrink'],
  });
}

async function one(seed: number, steps: number, shrinks: boolean): Promise<number> {
  const outcome = await run(planOf(seed, steps), { steps });
  const failed = outcome.breaches.length > 0;
  const shown = failed && shrinks ? await shrink(outcome, { steps }) : outcome;
  say(traceOf(shown));
  say(describeOutcome(outcome));
  if (shown !== outcome) say(`shrunk to:\n${describeOutcome(shown)}`);
  return failed ? 1 : 0;
}

interface Many {
  readonly from: number;
  readonly count: number;
  readonly steps: number;
  readonly shrinks: boolean;
}

async function many({ from, count, steps, shrinks }: Many): Promise<number> {
  const coverage = new Coverage();
  const failed: Outcome[] = [];
  const started = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  let done = 0;
  let inStorm = 0;
  let inAll = 0;
  for (let seed = from; seed < from + count && failed.length < MOST_FAILED; seed++) {
    const outcome = await run(planOf(seed, steps), { steps });
    coverage.add(outcome.coverage);
    done++;
    inStorm += outcome.stormSteps;
    inAll += outcome.steps;
    if (outcome.breaches.length === 0) continue;
    failed.push(outcome);
    say(describeOutcome(outcome));
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  const [first] = failed;
  if (first !== undefined && shrinks) {
    const shrunk = await shrink(first, { steps });
    say(`\nseed ${first.plan.seed}, shrunk:\n${traceOf(shrunk)}\n${describeOutcome(shrunk)}`);
  }
  say(`\n${coverage.table}\n`);
  say(`${done} seeds: ${done - failed.length} hold, ${failed.length} fail.`);
  say(
    `${seconds.toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of CPU: ${(done / seconds).toFixed(1)} seeds a second, ${Math.round(inAll / seconds)} steps a second (${inStorm} steps while things failed, ${inAll} in all).`,
  );
  return failed.length === 0 ? 0 : 1;
}
