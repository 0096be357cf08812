// docs/security.md has a row for each rule, and what it names as proof exists: files, and titles in them. Knows nothing of what the tests do.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
const RULES = 25;

interface Proof {
  readonly file: string;
  readonly title: string | undefined;
}

/** Each test file that is named, with the title that follows it. */
const proofs: readonly Proof[] = [...PAGE.matchAll(/`(test\/[\w./-]+\.ts)`(?: "([^"]+)")?/g)].map(
  ([, file = '', title]) => ({ file, title }),
);

const rows = new Map(
  [...PAGE.matchAll(/^\| (S\d+) \| ([^|]+) \| ([^|]+) \|$/gm)].map(([, rule = '', , proof = '']) => [
    rule,
    proof,
  ]),
);

describe('docs/security.md', () => {
  it('has one row for each rule, in their order, each with a test', () => {
    const wanted = Array.from({ length: RULES }, (_, index) => `S${index + 1}`);
    expect([...rows.keys()]).toEqual(wanted);
    for (const [rule, proof] of rows) expect(proof, rule).toMatch(/`test\/[\w./-]+\.ts`/);
  });

  it('names test files that exist', () => {
    expect(proofs.length).toBeGreaterThan(60);
    expect(proofs.map(({ file }) => file).filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it('names titles that stand in them', () => {
    const titled = proofs.filter(({ title }) => title !== undefined);
    expect(titled.length).toBeGreaterThan(20);
    const missing = titled.filter(
      ({ file, title = '' }) => !readFileSync(join(ROOT, file), 'utf8').includes(title),
    );
    expect(missing).toEqual([]);
  });

  it('refers only to rules it has', () => {
    const named = [...PAGE.matchAll(/\bS(\d+)\b/g)].map(([, number]) => Number(number));
    expect(named.filter((number) => number < 1 || number > RULES)).toEqual([]);
  });

  it('names every file of test/security', () => {
    const files = readdirSync(join(ROOT, 'test/security')).filter((name) => name.endsWith('.spec.ts'));
    const named = new Set(proofs.map(({ file }) => file));
    expect(files.map((name) => `test/security/${name}`).filter((file) => !named.has(file))).toEqual([]);
  });
});
