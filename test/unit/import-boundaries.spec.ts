// Proves that each rule on imports truly fails: a small house that obeys them all, and one planted violation a rule.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise, type ICruiseOptions, type IFlattenedRuleSet } from 'dependency-cruiser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { envReadsIn, findEnvReads } from '../../scripts/check-env-reads.mjs';

type Files = Readonly<Record<string, string>>;
interface Config extends IFlattenedRuleSet {
  readonly options: ICruiseOptions;
}

const CONFIG_NAME = '.dependency-cruiser.cjs';
const CONFIG_FILE = fileURLToPath(new URL(`../../${CONFIG_NAME}`, import.meta.url));
const LEAF = 'export const leaf = 1;\n';

const use = (...paths: string[]): string => paths.map((path) => `import '${path}';\n`).join('') + LEAF;
const useType = (path: string): string =>
  `import type { leaf } from '${path}';\nexport type Leaf = typeof leaf;\n`;
const stub = (path: string): Files => ({
  [`node_modules/${path}/package.json`]: JSON.stringify({
    name: path,
    version: '1.0.0',
    exports: './index.js',
  }),
  [`node_modules/${path}/index.js`]: LEAF,
});

/** Every import the table allows, each at least once. */
const CLEAN: Files = {
  'package.json': JSON.stringify({
    type: 'module',
    dependencies: { '@nestjs/common': '1.0.0' },
    devDependencies: { vitest: '1.0.0' },
  }),
  ...stub('@nestjs/common'),
  ...stub('vitest'),
  ...stub('stranger'),
  'src/main.ts': use('./app.module.js'),
  'src/app.module.ts': use(
    './config/config.js',
    './backplanes/memory/memory.js',
    './transports/ws/ws.js',
    './api/api.js',
    './ops/ops.js',
    './console/console.js',
    './domains/chat/chat.js',
    './core/core.module.js',
  ),
  'src/index.ts': [
    "export { leaf } from './core/hub.js';",
    "export { leaf as frames } from './protocol/frames.js';",
    "export { leaf as channel } from './channels/channel.js';",
    "export { leaf as who } from './auth/identity.decorator.js';",
    '',
  ].join('\n'),
  'src/protocol/codes.ts': LEAF,
  'src/protocol/frames.ts': use('./codes.js'),
  'src/core/ports/backplane.ts': useType('../../protocol/frames.js'),
  'src/core/errors.ts': use('../protocol/codes.js'),
  'src/core/tokens.ts': LEAF,
  'src/core/hub.ts': use('./errors.js') + "import type {} from './ports/backplane.js';\n",
  'src/core/realtime.service.ts': use('./hub.js'),
  'src/core/core.module.ts': use('@nestjs/common', './hub.js'),
  'src/channels/channel.ts': use('../core/hub.js', '../protocol/frames.js', '@nestjs/common'),
  'src/backplanes/memory/memory.ts': use('../../core/errors.js', './memory.options.js', 'node:crypto'),
  'src/backplanes/memory/memory.options.ts': LEAF,
  'src/backplanes/redis/redis.ts': useType('../../protocol/frames.js'),
  'src/auth/verifier.ts': use('../core/errors.js', '../protocol/codes.js'),
  'src/auth/identity.decorator.ts': use('@nestjs/common'),
  'src/limits/bucket.ts': use('../core/errors.js', '../core/tokens.js'),
  'src/transports/ws/ws.ts': use(
    '../../core/hub.js',
    '../../protocol/frames.js',
    '../../auth/verifier.js',
    '../../limits/bucket.js',
  ),
  'src/transports/sse/sse.ts': use('../../core/hub.js'),
  'src/api/api.ts': use(
    '../core/realtime.service.js',
    '../auth/verifier.js',
    '../limits/bucket.js',
    '../protocol/codes.js',
  ),
  'src/ops/ops.ts': use('../core/errors.js', '../core/realtime.service.js', '../auth/verifier.js'),
  'src/console/console.ts': use('../core/realtime.service.js', '../auth/verifier.js'),
  'src/config/config.ts': use('../backplanes/memory/memory.options.js', './names.js'),
  'src/config/names.ts': LEAF,
  'src/domains/chat/chat.ts': use('../../index.js', './rooms.js', '@nestjs/common'),
  'src/domains/chat/rooms.ts': LEAF,
  'src/domains/prices/prices.ts': use('../../index.js'),
  'client/src/index.ts': use('./socket.js', '../../src/protocol/frames.js'),
  'client/src/socket.ts': LEAF,
  'web/src/page.ts': use('../../client/src/index.js'),
  'examples/smallest.ts': use('../src/index.js'),
  'test/unit/some.spec.ts': use('vitest', '../../src/core/hub.js', '../../src/backplanes/memory/memory.js'),
};

interface Violation {
  readonly rule: string;
  readonly told: string;
  readonly files: Files;
}

const VIOLATIONS: readonly Violation[] = [
  {
    rule: 'protocol-imports-nothing',
    told: 'a room',
    files: { 'src/protocol/bad.ts': useType('../auth/verifier.js') },
  },
  {
    rule: 'protocol-imports-nothing',
    told: 'an npm package',
    files: { 'src/protocol/bad.ts': use('@nestjs/common') },
  },
  {
    rule: 'protocol-imports-nothing',
    told: 'a Node module',
    files: { 'src/protocol/bad.ts': use('node:crypto') },
  },
  { rule: 'core-row', told: 'core → auth', files: { 'src/core/bad.ts': use('../auth/verifier.js') } },
  {
    rule: 'core-row',
    told: 'core → backplanes, as a type',
    files: { 'src/core/bad.ts': useType('../backplanes/redis/redis.js') },
  },
  { rule: 'core-row', told: 'core → app.module', files: { 'src/core/bad.ts': useType('../app.module.js') } },
  { rule: 'core-knows-no-nest', told: 'core → Nest', files: { 'src/core/bad.ts': use('@nestjs/common') } },
  {
    rule: 'core-knows-no-nest',
    told: 'core → Nest, as a type',
    files: { 'src/core/bad.ts': useType('@nestjs/common') },
  },
  {
    rule: 'channels-row',
    told: 'channels → auth',
    files: { 'src/channels/bad.ts': use('../auth/verifier.js') },
  },
  {
    rule: 'backplanes-row',
    told: 'backplane → hub',
    files: { 'src/backplanes/redis/bad.ts': useType('../../core/hub.js') },
  },
  {
    rule: 'backplanes-row',
    told: 'backplane → auth',
    files: { 'src/backplanes/redis/bad.ts': use('../../auth/verifier.js') },
  },
  {
    rule: 'backplanes-apart',
    told: 'redis → memory',
    files: { 'src/backplanes/redis/bad.ts': useType('../memory/memory.js') },
  },
  { rule: 'auth-row', told: 'auth → hub', files: { 'src/auth/bad.ts': use('../core/hub.js') } },
  { rule: 'auth-row', told: 'auth → limits', files: { 'src/auth/bad.ts': use('../limits/bucket.js') } },
  { rule: 'limits-row', told: 'limits → hub', files: { 'src/limits/bad.ts': useType('../core/hub.js') } },
  {
    rule: 'transports-row',
    told: 'transport → backplane',
    files: { 'src/transports/ws/bad.ts': useType('../../backplanes/memory/memory.js') },
  },
  {
    rule: 'transports-row',
    told: 'transport → channels',
    files: { 'src/transports/ws/bad.ts': use('../../channels/channel.js') },
  },
  { rule: 'transports-apart', told: 'sse → ws', files: { 'src/transports/sse/bad.ts': use('../ws/ws.js') } },
  { rule: 'api-row', told: 'api → hub', files: { 'src/api/bad.ts': use('../core/hub.js') } },
  { rule: 'ops-row', told: 'ops → hub', files: { 'src/ops/bad.ts': use('../core/hub.js') } },
  { rule: 'ops-row', told: 'ops → protocol', files: { 'src/ops/bad.ts': use('../protocol/codes.js') } },
  {
    rule: 'console-row',
    told: 'console → limits',
    files: { 'src/console/bad.ts': use('../limits/bucket.js') },
  },
  {
    rule: 'index-row',
    told: 'the door → api',
    files: { 'src/index.ts': "export { leaf } from './api/api.js';\n" },
  },
  {
    rule: 'index-row',
    told: 'the door → auth beyond decorators',
    files: { 'src/index.ts': "export { leaf } from './auth/verifier.js';\n" },
  },
  {
    rule: 'domains-row',
    told: 'domain → core',
    files: { 'src/domains/chat/bad.ts': useType('../../core/hub.js') },
  },
  {
    rule: 'domains-apart',
    told: 'chat → prices',
    files: { 'src/domains/chat/bad.ts': useType('../prices/prices.js') },
  },
  { rule: 'config-row', told: 'config → core', files: { 'src/config/bad.ts': use('../core/hub.js') } },
  {
    rule: 'client-row',
    told: 'client → core',
    files: { 'client/src/bad.ts': useType('../../src/core/hub.js') },
  },
  {
    rule: 'client-row',
    told: 'client → an npm package',
    files: { 'client/src/bad.ts': use('@nestjs/common') },
  },
  { rule: 'client-row', told: 'client → a Node module', files: { 'client/src/bad.ts': use('node:events') } },
  {
    rule: 'client-react-row',
    told: 'hooks → another npm package',
    files: { 'client/src/react/bad.ts': use('@nestjs/common') },
  },
  { rule: 'web-row', told: 'web → src', files: { 'web/src/bad.ts': use('../../src/protocol/codes.js') } },
  {
    rule: 'web-row',
    told: 'web → the inside of the client',
    files: { 'web/src/bad.ts': use('../../client/src/socket.js') },
  },
  { rule: 'examples-row', told: 'example → core', files: { 'examples/bad.ts': use('../src/core/hub.js') } },
  {
    rule: 'no-circle',
    told: 'two files that import each other',
    files: { 'src/core/bad.ts': use('./worse.js'), 'src/core/worse.ts': use('./bad.js') },
  },
  {
    rule: 'no-circle',
    told: 'three files, types only',
    files: {
      'src/core/bad.ts': useType('./worse.js') + LEAF,
      'src/core/worse.ts': useType('./worst.js') + LEAF,
      'src/core/worst.ts': useType('./bad.js') + LEAF,
    },
  },
  {
    rule: 'room-without-a-row',
    told: 'a new room imports',
    files: { 'src/attic/bad.ts': use('../core/hub.js') },
  },
  {
    rule: 'import-of-room-without-a-row',
    told: 'a new room is imported',
    files: { 'src/attic/bad.ts': LEAF, 'src/other.module.ts': use('./attic/bad.js') },
  },
  {
    rule: 'one-barrel',
    told: 'a re-export of all',
    files: { 'src/core/bad.ts': "export * from './hub.js';\n" },
  },
  {
    rule: 'one-barrel',
    told: 'a re-export of a type',
    files: { 'src/core/bad.ts': "export type { leaf } from './hub.js';\n" },
  },
  {
    rule: 'no-index-file',
    told: 'an index.ts inside a room',
    files: { 'src/core/index.ts': LEAF, 'src/core/bad.ts': use('./index.js') },
  },
  {
    rule: 'declared-packages-only',
    told: 'a dev package at run time',
    files: { 'src/api/bad.ts': use('vitest') },
  },
  {
    rule: 'declared-packages-only',
    told: 'an undeclared package',
    files: { 'src/api/bad.ts': use('stranger') },
  },
  {
    rule: 'resolvable',
    told: 'an import that leads nowhere',
    files: { 'src/api/bad.ts': use('./nowhere.js') },
  },
];

const folders: string[] = [];
let config: Config;

function plant(files: Files): string {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-imports-'));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** The names of the rules that are broken in `entries` and what they import, each once. */
async function brokenRules(files: Files, entries: readonly string[]): Promise<string[]> {
  const folder = plant(files);
  const { output } = await cruise([...entries], {
    ...config.options,
    baseDir: folder,
    validate: true,
    ruleSet: config,
  });
  if (typeof output === 'string') throw new Error('dependency-cruiser answered with text.');
  return [...new Set(output.summary.violations.map(({ rule }) => rule.name))];
}

beforeAll(() => {
  // A copy, so that nothing around the real file can help a rule to match.
  const folder = plant({});
  cpSync(CONFIG_FILE, join(folder, CONFIG_NAME));
  config = createRequire(join(folder, CONFIG_NAME))(`./${CONFIG_NAME}`) as Config;
});

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

describe('imports between rooms', () => {
  it('passes a house that obeys the table', async () => {
    expect(await brokenRules(CLEAN, ['src', 'client', 'web', 'examples', 'test'])).toEqual([]);
  });

  it.each(VIOLATIONS)('$rule stops $told', async ({ rule, files }) => {
    expect(await brokenRules({ ...CLEAN, ...files }, Object.keys(files))).toEqual([rule]);
  });

  it('has a planted violation for every rule, and every rule is an error', () => {
    const rules = config.forbidden ?? [];
    expect(new Set(rules.map(({ name }) => name))).toEqual(new Set(VIOLATIONS.map(({ rule }) => rule)));
    expect(rules.filter(({ severity }) => severity !== 'error')).toEqual([]);
  });
});

describe('reads of the environment', () => {
  it.each([
    ['process.env.PORT', 'const port = process.env.PORT;'],
    ["process['env']", "const env = process['env'];"],
    ['globalThis.process.env', 'const env = globalThis.process.env;'],
    ['an optional chain', 'const env = process?.env;'],
    ['destructuring', 'const { env: variables } = process;'],
    ['an import of env', "import { env } from 'node:process';"],
  ])('finds %s', (_told, line) => {
    expect(envReadsIn('some.ts', `// first line\n${line}\n`)).toEqual([2]);
  });

  it.each([
    ['a comment', '// process.env.PORT'],
    ['a text', "const hint = 'set process.env.PORT';"],
    ['another object', 'const env = options.env; const { pid } = process;'],
  ])('leaves %s alone', (_told, line) => {
    expect(envReadsIn('some.ts', line)).toEqual([]);
  });

  it('allows them in src/config only', () => {
    const read = 'export const port = process.env.PORT;\n';
    const folder = plant({
      'src/config/config.ts': read,
      'src/api/api.ts': `\n${read}`,
      'src/main.ts': LEAF,
    });
    expect(findEnvReads(join(folder, 'src'))).toEqual([join('api', 'api.ts:2')]);
  });
});
