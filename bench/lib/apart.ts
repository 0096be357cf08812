// What scenarios that stand apart from the others share: flags that are whole numbers, and the file of their results. Measures nothing.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { BenchError } from './bench-error.js';
import type { Pinning } from './cpus.js';
import { describeMachine, describeVersions } from './machine.js';
import { projectDir, resultsDir } from './paths.js';

/** Flag → whole numbers above 0, several with commas between; undefined for a flag that was not given. Throws a BenchError. */
export function wholeNumbers<Name extends string>(
  args: readonly string[],
  names: readonly Name[],
): Partial<Record<Name, readonly number[]>> {
  const fault = `${names.map((name) => `--${name}`).join(', ')} take whole numbers above 0`;
  try {
    const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
    const { values } = parseArgs({ args: [...args], options });
    const found = Object.entries(values).map(
      ([name, text]) => [name, String(text).split(',').map(Number)] as const,
    );
    if (found.flatMap(([, numbers]) => numbers).some((value) => !Number.isInteger(value) || value < 1))
      throw new Error(fault);
    return Object.fromEntries(found) as unknown as Partial<Record<Name, readonly number[]>>;
  } catch (error) {
    throw new BenchError(error instanceof Error ? error.message : String(error));
  }
}

export interface Result {
  readonly scenario: string;
  readonly plan: object;
  /** A run with another plan is kept where git does not see it. */
  readonly standard: object;
  readonly pinning: Pinning | undefined;
  /** Of libraries beside those of every run. */
  readonly versions?: Readonly<Record<string, string>>;
  readonly rest: Readonly<Record<string, unknown>>;
}

export function saveResult({ scenario, plan, standard, pinning, versions = {}, rest }: Result): void {
  const file = join(resultsDir, ...(isDeepStrictEqual(plan, standard) ? [] : ['local']), `${scenario}.json`);
  const result = {
    scenario,
    date: new Date().toISOString(),
    machine: describeMachine(),
    versions: { ...describeVersions(), ...versions },
    cores: pinning ?? 'not pinned',
    settings: plan,
    ...rest,
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`\nwritten to ${relative(projectDir, file)}`);
}
