// What the pages of docs/ point at exists: links and anchors, files, variables, metrics, rooms, decisions. Knows nothing of what they say.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { VARIABLES } from '../../src/config/variables.js';
import type { Core } from '../../src/core/core.js';
import { Operations } from '../../src/core/operations.js';
import { CoreStats } from '../../src/core/stats.js';
import { Metrics } from '../../src/ops/metrics.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCS = join(ROOT, 'docs');

interface Page {
  /** Relative to the project. */
  readonly name: string;
  readonly text: string;
  /** The text without its fenced blocks. */
  readonly prose: string;
}

const pages: readonly Page[] = readdirSync(DOCS, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .toSorted()
  .map((name) => {
    const text = readFileSync(join(DOCS, name), 'utf8');
    return { name: `docs/${name}`, text, prose: text.replaceAll(/^```.*?^```$/gms, '') };
  });

function page(name: string): Page {
  const found = pages.find((one) => one.name === name);
  if (found === undefined) throw new Error(`There is no ${name}.`);
  return found;
}

/** Anchors as GitHub makes them. */
function anchorsOf(file: string): ReadonlySet<string> {
  const text = readFileSync(file, 'utf8').replaceAll(/^```.*?^```$/gms, '');
  const anchors = new Set<string>();
  for (const [, title = ''] of text.matchAll(/^#{1,6} (.+)$/gm)) {
    const base = title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = base;
    for (let twin = 1; anchors.has(anchor); twin++) anchor = `${base}-${twin}`;
    anchors.add(anchor);
  }
  return anchors;
}

function linksOf({ prose }: Page): string[] {
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '');
}

function faultOfLink(from: string, target: string): string | undefined {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? join(ROOT, from) : join(ROOT, dirname(from), path);
  if (!existsSync(file)) return `${target}: there is no ${relative(ROOT, file)}`;
  if (anchor !== undefined && !anchorsOf(file).has(anchor)) return `${target}: there is no such heading`;
  return undefined;
}

describe.each(pages.map((one) => [one.name, one] as const))('%s', (name, one) => {
  it('has links that lead somewhere', () => {
    const local = linksOf(one).filter((target) => !/^https?:/.test(target));
    expect(local.map((target) => faultOfLink(name, target)).filter((fault) => fault !== undefined)).toEqual(
      [],
    );
  });

  it('names files that exist', () => {
    const named = [...one.prose.matchAll(/`([\w.-]+(?:\/[\w.-]+)+\.(?:ts|mjs|cjs|json|md))`/g)].map(
      ([, path]) => path ?? '',
    );
    const missing = named.filter(
      (path) => !['', 'src', 'docs'].some((base) => existsSync(join(ROOT, base, path))),
    );
    expect(missing).toEqual([]);
  });

  it('names variables that exist', () => {
    const known = new Set(VARIABLES.map((variable) => variable.name));
    const named = [...one.text.matchAll(/\bTRUNKLINE_[A-Z][A-Z_]*[A-Z]\b/g)].map(([variable]) => variable);
    // The export of that name is no variable.
    const unknown = named.filter((variable) => !known.has(variable) && variable !== 'TRUNKLINE_CONTEXT');
    expect(unknown).toEqual([]);
  });

  it('begins with one title', () => {
    expect(one.text).toMatch(/^# \S/);
    expect([...one.prose.matchAll(/^# /gm)]).toHaveLength(1);
  });
});

describe('docs/README.md', () => {
  it('leads to every page', () => {
    const reached = new Set(linksOf(page('docs/README.md')).map((target) => `docs/${target.split('#')[0]}`));
    const others = pages.map(({ name }) => name).filter((name) => name !== 'docs/README.md');
    expect(others.filter((name) => !reached.has(name))).toEqual([]);
  });
});

describe('docs/decisions', () => {
  const decisions = pages.filter(({ name }) => name.startsWith('docs/decisions/'));

  it('are numbered without holes, in the file name and in the title', () => {
    const numbers = decisions.map(({ name, text }) => [
      Number(name.slice(15, 19)),
      Number(/^# (\d+)\. /.exec(text)?.[1]),
    ]);
    expect(numbers).toEqual(decisions.map((_, index) => [index + 1, index + 1]));
  });

  it.each(decisions.map(({ name, text }) => [name, text] as const))(
    '%s has context, choice and price, in half a page',
    (_name, text) => {
      const parts = [...text.matchAll(/^\*\*(\w+)\.\*\* /gm)].map(([, part]) => part);
      expect(parts).toEqual(['Context', 'Choice', 'Price']);
      expect(text.split(/\s+/).length).toBeLessThan(300);
    },
  );
});

describe('docs/guides/deploy.md', () => {
  it('lists the metrics that are served, no more and no less', async () => {
    const hub = { sessionCount: 0, userCount: 0, channels: () => [], all: () => [] };
    const core = {
      stats: new CoreStats(),
      hub,
      revocations: { size: 0 },
      draining: false,
      healthy: () => true,
    } as unknown as Core;
    const served = [
      ...(await new Metrics(new Operations(core)).text()).matchAll(/^# HELP (trunkline_\w+) /gm),
    ];
    const told = [...page('docs/guides/deploy.md').prose.matchAll(/^\| `(trunkline_\w+)` \|/gm)];
    const names = (matches: RegExpExecArray[]): string[] => matches.map(([, name]) => name ?? '').toSorted();
    expect(names(told)).toEqual(names(served));
  });
});

describe('docs/architecture.md', () => {
  it('has a row for every room, and no row for a room that does not exist', () => {
    const rows = [...page('docs/architecture.md').prose.matchAll(/^\| (`[^|]+`) \| [^|]+ \| [^|]+ \|$/gm)];
    const told = rows.flatMap(([, cell]) =>
      [...(cell ?? '').matchAll(/`([\w.]+?)(?:\/\*)?`/g)].map(([, name]) => name ?? ''),
    );
    const entries = readdirSync(join(ROOT, 'src'));
    expect(entries.filter((name) => !told.includes(name))).toEqual([]);
    expect(told.filter((name) => !entries.includes(name))).toEqual([]);
  });
});
