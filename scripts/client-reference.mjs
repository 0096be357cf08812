// Writes docs/reference/client/ from the comments of the client's three entries, by typedoc. Knows nothing of what they say.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectDir } from './parts.mjs';

/** Page → the entry it is made of, and the name an application imports. */
const ENTRIES = [
  { page: 'index', source: 'client/src/index.ts', door: 'trunkline-client' },
  { page: 'react', source: 'client/src/react/index.ts', door: 'trunkline-client/react' },
  { page: 'shared', source: 'client/src/shared/index.ts', door: 'trunkline-client/shared' },
];

/** Sections that only repeat the signature above them, and headings that say nothing. */
const REPEATS = new Set([
  'Parameters',
  'Type Parameters',
  'Returns',
  'Overrides',
  'Inherited from',
  'Extends',
  'Extended by',
]);
const EMPTY_HEADINGS = new Set([
  'Accessors',
  'Call Signature',
  'Constructor',
  'Constructors',
  'Get Signature',
  'Methods',
  'Properties',
]);

/** @param {string} out */
const options = (out) => ({
  plugin: ['typedoc-plugin-markdown'],
  entryPoints: ENTRIES.map(({ source }) => join(projectDir, source)),
  basePath: join(projectDir, 'client', 'src'),
  tsconfig: join(projectDir, 'client', 'tsconfig.json'),
  outputs: [{ name: 'markdown', path: out }],
  // Nothing that changes without the interface: no version, no line numbers, no place on a disk.
  readme: 'none',
  disableSources: true,
  hideGenerator: true,
  excludePrivate: true,
  excludeInternal: true,
  sort: ['source-order'],
  logLevel: 'Error',
  // Options of the plugin.
  outputFileStrategy: 'modules',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  expandParameters: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  propertyMembersFormat: 'table',
  tableColumnSettings: {
    hideDefaults: true,
    hideInherited: true,
    hideModifiers: true,
    hideOverrides: true,
    hideSources: true,
    leftAlignHeaders: true,
  },
});

/** @returns {Promise<ReadonlyMap<string, string>>} page, as `docs/reference/client/index.md`, → its text */
export async function clientReference() {
  const { Application } = await import('typedoc');
  const out = mkdtempSync(join(tmpdir(), 'trunkline-reference-'));
  try {
    const app = await Application.bootstrapWithPlugins(
      /** @type {Parameters<typeof Application.bootstrapWithPlugins>[0]} */ (options(out)),
    );
    const project = await app.convert();
    if (project === undefined) throw new Error('typedoc could not read the sources of the client.');
    await app.generateOutputs(project);
    if (app.logger.hasErrors()) throw new Error('typedoc could not write the reference of the client.');
    return new Map(
      ENTRIES.map(({ page, door }) => [
        `docs/reference/client/${page}.md`,
        polish(readFileSync(join(out, `${page}.md`), 'utf8'), door),
      ]),
    );
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** @param {string} text @param {string} door */
function polish(text, door) {
  const linked = new Set([...text.matchAll(/\]\((?:\w+\.md)?#([\w-]+)\)/g)].map(([, id]) => id));
  const cleaned = text
    .replace(/^# .*$/m, `# ${door}`)
    .replaceAll('__namedParameters', 'options')
    .replaceAll('( \\| ', '(')
    .replaceAll(/<a id="([^"]+)"><\/a> /g, (anchor, /** @type {string} */ id) =>
      linked.has(id) ? anchor : '',
    )
    .replaceAll(/\| - (?=\|)/g, '| ')
    .replaceAll(/\n\*\*\*\n/g, '\n')
    .replaceAll(/ +$/gm, '');
  const blocks = cleaned.split(/^(?=#{1,6} )/m).map(trimBlock);
  const [head = '', ...rest] = blocks;
  const note = `Written from the comments of the source by \`npm run docs\`; a test fails when the two part.`;
  return `${head.trimEnd()}\n\n${note}\n\n${rest.join('')}`.replaceAll(/\n{3,}/g, '\n\n').trimEnd() + '\n';
}

/** One heading with what stands under it. @param {string} block */
function trimBlock(block) {
  const title = /^#+ (.+)$/m.exec(block)?.[1] ?? '';
  const described = /\| Description\s*\|/.test(block);
  const plain = block.replaceAll(/^(#.*|\|.*|)$/gm, '').trim();
  if (REPEATS.has(title) && !described && (title !== 'Returns' || !/\s[a-z]+\s[a-z]+\s/i.test(plain)))
    return '';
  // What is left under a class or an interface is one level: its members.
  return EMPTY_HEADINGS.has(title) ? block.replace(/^#+ .+\n+/, '') : block.replace(/^#{5,6} /, '#### ');
}
