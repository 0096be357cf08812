// `npm test`: everything a change must pass, in one order, up to the first failure. Arguments are handed to vitest.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from './parts.mjs';
import { ensureSystem } from './system.mjs';

const TYPED = [
  'tsconfig.json',
  'tsconfig.test.json',
  'client/tsconfig.json',
  'web/tsconfig.json',
  'bench/tsconfig.json',
];
const CRUISED = ['src', 'client', 'web', 'test', 'bench', 'scripts', 'examples'];

/** @param {string} path */
const isThere = (path) => existsSync(join(projectDir, path));
/** @param {string} tool @param {string[]} args */
const bin = (tool, ...args) => [join(projectDir, 'node_modules', '.bin', tool), ...args];

/** Name of a step, and the commands it is made of. @type {[string, string[][]][]} */
const STEPS = [
  ['build', [[process.execPath, 'scripts/build.mjs', '--if-missing']]],
  ['format', [bin('prettier', '--check', '--log-level', 'warn', '.')]],
  ['lint', [bin('oxlint', '--type-aware', '--deny-warnings', '--report-unused-disable-directives')]],
  ['types', TYPED.filter(isThere).map((config) => bin('tsc', '-p', config, '--noEmit'))],
  [
    'boundaries',
    [bin('depcruise', ...CRUISED.filter(isThere)), [process.execPath, 'scripts/check-env-reads.mjs']],
  ],
  ['tests', [bin('vitest', 'run', ...process.argv.slice(2))]],
];

/** @param {string[]} command */
function passes([program = '', ...args]) {
  const { status, error } = spawnSync(program, args, { cwd: projectDir, stdio: 'inherit' });
  if (error !== undefined) console.error(error.message);
  return status === 0;
}

/** @param {number} since */
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

function main() {
  const missing = ensureSystem();
  for (const line of missing) console.error(line);
  if (missing.length > 0) return 1;

  const start = performance.now();
  for (const [name, commands] of STEPS) {
    const stepStart = performance.now();
    console.log(`\n── ${name}`);
    if (!commands.every(passes)) {
      console.error(`── ${name} failed after ${seconds(stepStart)}`);
      return 1;
    }
    console.log(`── ${name} passed in ${seconds(stepStart)}`);
  }
  console.log(`\nAll passed in ${seconds(start)}.`);
  return 0;
}

process.exitCode = main();
