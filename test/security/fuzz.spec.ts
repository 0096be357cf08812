// Searches for texts that break the parsers strangers reach, for 18 s; for longer by hand: npm run fuzz -- --seconds 600.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { TARGETS } from './fuzz/targets.js';

const SECONDS = 18;
const SCRIPT = fileURLToPath(new URL('../../scripts/fuzz.mjs', import.meta.url));

it('no parser breaks, and the search finds the fault that was planted for it', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, '--seconds', String(SECONDS)]);
  process.stdout.write(stdout);
  // It went somewhere with each of them: many texts, and more code than the first of them.
  for (const { name } of TARGETS) {
    const line = stdout.split('\n').find((one) => one.startsWith(`${name}: `)) ?? '';
    const [, runs = '0', , reached = '0'] = /: (\d+) texts, (\d+) kept, (\d+) characters/.exec(line) ?? [];
    expect(Number(runs), line).toBeGreaterThan(300);
    expect(Number(reached), line).toBeGreaterThan(1000);
  }
}, 120_000);
