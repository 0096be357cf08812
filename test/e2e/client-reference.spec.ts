// The reference of the client in docs/ is what the comments of its source say now. typedoc takes some seconds, so it stands here.

import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { clientReference } from '../../scripts/client-reference.mjs';

const FOLDER = 'docs/reference/client';
/** typedoc reads all types of the client; it takes about 5 s alone on a machine. */
const TYPEDOC_MS = 120_000;

let pages: ReadonlyMap<string, string>;

beforeAll(async () => {
  pages = await clientReference();
}, TYPEDOC_MS);

describe('docs/reference/client', () => {
  it('has the pages that typedoc writes, and no others', () => {
    const there = readdirSync(FOLDER).map((name) => `${FOLDER}/${name}`);
    expect(there.toSorted()).toEqual([...pages.keys()].toSorted());
  });

  it('is up to date', () => {
    for (const [path, text] of pages) {
      const same = readFileSync(path, 'utf8') === text;
      expect(same, `${path} is not what the comments say: run "npm run docs"`).toBe(true);
    }
  });

  it('names what an application imports, with what its comments say', () => {
    const text = [...pages.values()].join('\n');
    for (const name of ['### Trunkline', '### Channel', '### useChannel()'])
      expect(text).toContain(`${name}\n`);
    expect(text).toContain('#### publish()');
    expect(text).toContain('Resolves when the message is in the channel.');
  });

  it('depends on no machine and no day', () => {
    const text = [...pages.values()].join('\n');
    expect(text).not.toContain(process.cwd());
    expect(text).not.toMatch(/\b20\d\d-\d\d|Defined in|file:\/\//);
  });
});
