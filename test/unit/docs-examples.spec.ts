// The code in docs/ is code: TypeScript passes the compiler with the settings of the project, rules and frames pass their parsers.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseRules } from '../../src/channels/rules-file.js';
import { decodeFrame } from '../../src/protocol/decode.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCS = join(ROOT, 'docs');
/** Reading the types of Nest takes about 4 s of CPU. */
const COMPILE_MS = 120_000;

interface Example {
  readonly page: string;
  readonly text: string;
}

function examples(language: string): Example[] {
  return (
    readdirSync(DOCS, { recursive: true, encoding: 'utf8' })
      // The reference of the client shows signatures, written by typedoc.
      .filter((name) => name.endsWith('.md') && !name.startsWith(join('reference', 'client')))
      .toSorted()
      .flatMap((name) => {
        const text = readFileSync(join(DOCS, name), 'utf8');
        const fences = text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'));
        return [...fences].map(([, body]) => ({ page: `docs/${name}`, text: body ?? '' }));
      })
  );
}

const sources = examples('ts').map(({ page, text }) => ({
  page,
  text,
  file: /^\/\/ (\S+\.ts)\n/.exec(text)?.[1],
}));

/** A place under the root of the sources, as the settings want it. Nothing is written there. */
const PLACE = join(ROOT, 'src', 'of-the-docs');

/** The doors of the package by the names another team imports, at their sources: what was built may be old. */
function doors(): Record<string, string[]> {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>;
  };
  const own = Object.fromEntries(
    Object.entries(exports).flatMap(([name, target]) => {
      if (typeof target === 'string') return [];
      const source = target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts');
      return [[join('trunkline', name), [join(ROOT, source)]]];
    }),
  );
  return { ...own, 'trunkline-client': [join(ROOT, 'client', 'src', 'index.ts')] };
}

/** Diagnostics of the examples alone, each laid over the tree at the path its first line names. */
function compile(): string[] {
  const virtual = new Map(sources.map(({ file = '', text }) => [join(PLACE, file), text]));
  const config = ts.getParsedCommandLineOfConfigFile(
    join(ROOT, 'tsconfig.json'),
    { noEmit: true },
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
        throw new Error(ts.flattenDiagnosticMessageText(messageText, '\n'));
      },
    },
  );
  if (config === undefined) throw new Error('tsconfig.json cannot be read.');
  // The client lies beside the sources of the server.
  const options: ts.CompilerOptions = { ...config.options, rootDir: ROOT, paths: doors() };
  const disk = ts.createCompilerHost(options);
  const host: ts.CompilerHost = { ...disk };
  host.fileExists = (path) => virtual.has(path) || disk.fileExists(path);
  host.readFile = (path) => virtual.get(path) ?? disk.readFile(path);
  host.directoryExists = (path) =>
    [...virtual.keys()].some((file) => dirname(file) === path) || (disk.directoryExists?.(path) ?? true);
  host.getSourceFile = (path, version, ...rest) => {
    const text = virtual.get(path);
    return text === undefined
      ? disk.getSourceFile(path, version, ...rest)
      : ts.createSourceFile(path, text, version);
  };
  const program = ts.createProgram([...virtual.keys()], options, host);
  return [...virtual.keys()].flatMap((path) => {
    const source = program.getSourceFile(path);
    if (source === undefined) return [`${path} was not compiled.`];
    const faults = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return faults.map(
      ({ messageText }) => `${relative(PLACE, path)}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
  });
}

describe('TypeScript in docs/', () => {
  let faults: string[];
  beforeAll(() => {
    faults = compile();
  }, COMPILE_MS);

  it('says in its first line which file it is, each another one', () => {
    expect(sources.length).toBeGreaterThan(8);
    for (const { page, text } of sources) expect(text, page).toMatch(/^\/\/ [a-z-]+\/\S+\.ts\n/);
    expect(new Set(sources.map(({ file }) => file)).size).toBe(sources.length);
  });

  it('passes the compiler', () => {
    expect(faults).toEqual([]);
  });
});

describe('channel rules in docs/', () => {
  const rules = examples('json rules');

  it('are there', () => {
    expect(rules.length).toBeGreaterThan(0);
  });

  it.each(rules.map(({ page, text }) => [page, text] as const))('in %s are taken', (_page, text) => {
    expect(parseRules(text).length).toBeGreaterThan(0);
  });
});

describe('frames in docs/', () => {
  it.each(
    examples('json client').flatMap(({ page, text }) =>
      text
        .trim()
        .split('\n')
        .map((line) => [page, line] as const),
    ),
  )('in %s are read: %s', (_page, line) => {
    expect(decodeFrame(line).ok).toBe(true);
  });

  it.each(
    examples('json server').flatMap(({ page, text }) =>
      text
        .trim()
        .split('\n')
        .map((line) => [page, line] as const),
    ),
  )('in %s are JSON with an event: %s', (_page, line) => {
    expect(JSON.parse(line)).toMatchObject({
      event: expect.any(String) as unknown,
      data: expect.anything() as unknown,
    });
  });
});
