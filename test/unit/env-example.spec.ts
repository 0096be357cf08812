// `.env.example` and the reference of variables say what the code reads: same names, same words, and defaults that are the defaults.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { environmentPage, envExample } from '../../scripts/docs.mjs';
import { loadConfig } from '../../src/config/config.js';
import { VARIABLES } from '../../src/config/variables.js';

const RUN = 'is not what scripts/docs.mjs writes: run "node scripts/docs.mjs"';
const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

const example = read('.env.example');
/** Every entry taken out of its comment, as a reader does who sets all of them. */
const allSet = example.replaceAll(/^#([A-Z_]+=)/gm, '$1');
const defaults = loadConfig({});

describe('.env.example', () => {
  it('names every variable once, and nothing else', () => {
    const names = [...example.matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name ?? '');
    expect(names.toSorted()).toEqual(VARIABLES.map(({ name }) => name).toSorted());
  });

  it.each(VARIABLES.map(({ name, doc }) => [name, doc] as const))(
    'explains %s in the words of the table',
    (name, doc) => {
      const paragraph = example.split('\n\n').find((part) => part.includes(`\n#${name}=`)) ?? '';
      const comment = [...paragraph.matchAll(/^# (.+)$/gm)].map(([, line]) => line).join(' ');
      expect(comment).toBe(doc);
    },
  );

  it('sets nothing as it stands, since every entry is commented out', () => {
    expect(parseEnv(example)).toEqual({});
  });

  it('gives the defaults when every entry is set', () => {
    const env = parseEnv(allSet);
    expect(Object.keys(env)).toHaveLength(VARIABLES.length);
    expect(loadConfig(env)).toEqual(defaults);
  });

  it('is what the table of variables says', () => {
    expect(example === envExample(VARIABLES), `.env.example ${RUN}`).toBe(true);
  });
});

describe('docs/reference/environment.md', () => {
  it('is what the table of variables says', () => {
    const page = read('docs/reference/environment.md');
    expect(page === environmentPage(VARIABLES), `docs/reference/environment.md ${RUN}`).toBe(true);
  });
});
