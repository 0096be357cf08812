// The client as npm would install it: every entry by `import` and by `require`, one copy of its classes, types for both, one small page file.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';

const PROJECT = process.cwd();
const require = createRequire(import.meta.url);
const rootOf = (name: string): string => dirname(require.resolve(`${name}/package.json`));

let folder: string;
let app: string;

function run(program: string, args: readonly string[], cwd: string): string {
  return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const node = (...args: readonly string[]): string => run(process.execPath, args, app).trim();

/** Builds beside the project's own dist, packs, and unpacks as the one dependency of an application. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkline-package-'));
  const built = join(folder, 'package');
  const client = join(PROJECT, 'client');
  mkdirSync(built);
  for (const file of ['package.json', 'README.md']) cpSync(join(client, file), join(built, file));
  const vite = join(rootOf('vite'), 'bin', 'vite.js');
  const dist = join(built, 'dist');
  run(process.execPath, [vite, 'build', '--outDir', dist, '--emptyOutDir'], client);
  run(process.execPath, [vite, 'build', '--mode', 'page', '--outDir', dist], client);
  const tsc = join(rootOf('typescript'), 'bin', 'tsc');
  for (const format of ['esm', 'cjs'])
    run(process.execPath, [tsc, '-p', client, '--outDir', join(dist, format, 'types')], PROJECT);
  const packed = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts'], built)) as
    [{ filename: string }] | Record<string, { filename: string }>;
  const [{ filename } = { filename: '' }] = Object.values(packed);

  app = join(folder, 'app');
  const modules = join(app, 'node_modules');
  mkdirSync(join(modules, '@types'), { recursive: true });
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }');
  run('tar', ['-xzf', join(built, filename), '-C', modules], folder);
  run('mv', [join(modules, 'package'), join(modules, 'trunkline-client')], folder);
  for (const name of ['react', 'react-dom', '@types/react', 'csstype'])
    symlinkSync(rootOf(name), join(modules, name));
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SCRIPT = `
  const client = new Trunkline('http://localhost:1');
  const page = renderToString(createElement(TrunklineProvider, { client }, createElement(() => useConnection().state)));
  const shared = sharedTrunkline('http://localhost:1');
  console.log([page, shared instanceof Trunkline, client.state, new TrunklineError('closed', 'x').code].join(' '));
`;
const NAMES = {
  'trunkline-client': 'Trunkline, TrunklineError',
  'trunkline-client/react': 'TrunklineProvider, useConnection',
  'trunkline-client/shared': 'sharedTrunkline',
  react: 'createElement',
  'react-dom/server': 'renderToString',
};

it('works by `import`, with one copy of the classes for all entries', () => {
  const imports = Object.entries(NAMES).map(([from, names]) => `import { ${names} } from '${from}';`);
  writeFileSync(join(app, 'app.mjs'), imports.join('\n') + SCRIPT);
  expect(node('app.mjs')).toBe('idle true idle closed');
});

it('works by `require`, with one copy of the classes for all entries', () => {
  const requires = Object.entries(NAMES).map(([from, names]) => `const { ${names} } = require('${from}');`);
  writeFileSync(join(app, 'app.cjs'), requires.join('\n') + SCRIPT);
  expect(node('app.cjs')).toBe('idle true idle closed');
});

it('needs no React for the entries without hooks', () => {
  const plain = join(folder, 'plain');
  const name = 'node_modules/trunkline-client';
  cpSync(join(app, name), join(plain, name), { recursive: true });
  const load = (entry: string): string =>
    run(
      process.execPath,
      ['--input-type=module', '-e', `await import('${entry}'); console.log('loaded')`],
      plain,
    );
  expect(load('trunkline-client')).toBe('loaded\n');
  expect(load('trunkline-client/shared')).toBe('loaded\n');
  expect(() => load('trunkline-client/react')).toThrow(/Cannot find package 'react'/);
});

it('has a page file of at most 9 kB that needs no bundler, and no other file where a WebSocket works', () => {
  const file = join(app, 'node_modules/trunkline-client/dist/trunkline.min.js');
  const text = readFileSync(file, 'utf8');
  expect(text).not.toMatch(/^import\b/);
  expect(gzipSync(text, { level: 9 }).length).toBeLessThanOrEqual(9000);
  const [, beside = ''] = /import\([`'"](.+?)[`'"]\)/.exec(text) ?? [];
  expect(beside).toBe('./trunkline-request-transports.min.js');
  writeFileSync(
    join(app, 'page.mjs'),
    `import { Trunkline } from 'trunkline-client/trunkline.min.js';
     await import('./node_modules/trunkline-client/dist/${beside}');
     console.log(new Trunkline('http://localhost:1').state);`,
  );
  expect(node('page.mjs')).toBe('idle');
});

it.each(['mts', 'cts'])(
  'has types for an application in TypeScript, .%s',
  (kind) => {
    const name = `typed.${kind}`;
    writeFileSync(
      join(app, name),
      `import { Trunkline, type Message } from 'trunkline-client';
     import { useChannel, usePresence } from 'trunkline-client/react';
     import { sharedTrunkline, type SharedTrunklineOptions } from 'trunkline-client/shared';
     interface Events { message: { text: string } }
     const options: SharedTrunklineOptions = { name: 'ana' };
     const client: Trunkline = sharedTrunkline('', options);
     export async function first(): Promise<Message<{ text: string }> | undefined> {
       for await (const message of client.channel<Events>('chat:lobby').messages({ limit: 5 })) return message;
       return undefined;
     }
     export function View(): string {
       const { messages } = useChannel<Events>('chat:lobby', { limit: 10 });
       // @ts-expect-error -- the events are typed
       messages[0]?.data.nothing;
       return usePresence('chat:lobby').map(({ user }) => user).join();
     }`,
    );
    const tsc = join(rootOf('typescript'), 'bin', 'tsc');
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2022', lib: ['es2023', 'dom'], types: [] },
      ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true },
    };
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [name] }));
    expect(run(process.execPath, [tsc, '-p', '.'], app)).toBe('');
  },
  60_000,
);
