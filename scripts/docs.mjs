// Writes what is told from code: docs/reference/environment.md and .env.example, both from the table of variables, and the reference of
// the client from its comments. Reads the built table, so `npm run build` comes first. Reads no environment.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { clientReference } from './client-reference.mjs';
import { isMain } from './is-main.mjs';
import { projectDir } from './parts.mjs';

/** @typedef {import('../src/config/variables.js').Variable} Variable */

/** Titles of the rooms that own options; a room without a title shows its name. @type {Readonly<Record<string, string>>} */
const TITLES = {
  server: 'Server',
  auth: 'Identity',
  core: 'Sessions',
  limits: 'Rates',
  ws: 'WebSocket',
  ops: 'Operations',
  sse: 'Event streams',
  redis: 'Redis',
};

/** Longest line of a comment in `.env.example`. */
const WIDTH = 110;

/** @param {Variable} variable */
const roomOf = ({ sets = 'server' }) => sets.slice(0, sets.indexOf('.') < 0 ? undefined : sets.indexOf('.'));

/** @param {string} room */
const titleOf = (room) => TITLES[room] ?? room;

/** Rooms in the order they first appear, each with its variables. @param {readonly Variable[]} variables */
function byRoom(variables) {
  /** @type {Map<string, Variable[]>} */
  const rooms = new Map();
  for (const variable of variables) {
    const room = roomOf(variable);
    rooms.set(room, [...(rooms.get(room) ?? []), variable]);
  }
  return rooms;
}

/** How the text is written, in one word. @param {Variable} variable */
function formOf({ sets, reading }) {
  return reading === 'text' && sets?.endsWith('Rate') === true ? 'rate' : reading;
}

/** @param {string} text */
const cell = (text) => text.replaceAll('|', '\\|');

const INTRO = `# Environment

Every variable that Trunkline reads. An empty variable counts as not set. A bad value stops the start and names its variable; an unknown
name that begins with \`TRUNKLINE_\` is told as a warning. \`.env.example\` in the root of the project has the same list, ready to copy.

| form | how it is written |
|---|---|
| text | as it is; blanks around it are cut off |
| number | a whole number |
| list | entries with commas between them; \`none\` for an empty list |
| rate | \`10/1s\`, \`600/m\`, \`5/10s\`: a count for each length of time in \`s\`, \`m\` or \`h\`; \`0\` for no limit |
| switch | \`on\` or \`off\` |

`;

const OUTRO = `
Rates are token buckets: twice the count may come at once. \`TRUNKLINE_HTTP_RATE\` alone counts in fixed windows.

Without a \`TRUNKLINE_JWT_SECRET\` a development secret is used that everybody knows. So with \`NODE_ENV=production\` the start is refused
without a secret of your own, and without \`TRUNKLINE_ALLOWED_ORIGINS\`; \`POST /api/dev/tokens\` does not exist then.
\`TRUNKLINE_TLS_CERT_FILE\` and \`TRUNKLINE_TLS_KEY_FILE\` belong together.

This page is written by \`scripts/docs.mjs\` from \`src/config/variables.ts\`; a test fails when the two part.
`;

/** @param {readonly Variable[]} variables @returns {string} the text of docs/reference/environment.md */
export function environmentPage(variables) {
  /** @type {Set<string>} */
  const used = new Set(variables.map(formOf));
  const forms = ['text', 'number', 'list', 'rate', 'switch'];
  let page = INTRO;
  for (const form of forms)
    if (!used.has(form)) page = page.replace(new RegExp(`^\\| ${form} \\|.*\n`, 'm'), '');
  for (const [room, rows] of byRoom(variables)) {
    page += `## ${titleOf(room)}\n\n| variable | form | default | meaning |\n|---|---|---|---|\n`;
    for (const variable of rows) {
      const { name, example, doc } = variable;
      page += `| \`${name}\` | ${formOf(variable)} | ${example === '' ? '' : `\`${cell(example)}\``} | ${cell(doc)} |\n`;
    }
    page += '\n';
  }
  return page.trimEnd() + '\n' + OUTRO;
}

/** @param {string} text @returns {string[]} comment lines */
function commentOf(text) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = /** @type {string} */ (lines.at(-1));
    if (last !== '' && last.length + word.length + 3 > WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.map((line) => `# ${line}`);
}

const ENV_HEAD = `# All variables of Trunkline, with their defaults. Each is commented out: a file without changes changes nothing.
# Copy it to .env, take away the "#" before what you set, and start with: node --env-file=.env scripts/start.mjs
# What the shell has set already wins over the file. The same list with more words: docs/reference/environment.md
`;

/** @param {readonly Variable[]} variables @returns {string} the text of .env.example */
export function envExample(variables) {
  const rooms = [...byRoom(variables)].map(([room, rows]) => {
    const entries = rows.map(({ name, example, doc }) =>
      [...commentOf(doc), `#${name}=${example}`].join('\n'),
    );
    return `# ── ${titleOf(room)} ──\n\n${entries.join('\n\n')}\n`;
  });
  return `${ENV_HEAD}\n${rooms.join('\n')}`;
}

async function main() {
  const table = join(projectDir, 'dist', 'config', 'variables.js');
  if (!existsSync(table)) {
    console.error('The table of variables is not built. Run "npm run build" first.');
    return 1;
  }
  const { VARIABLES } = /** @type {{ VARIABLES: readonly Variable[] }} */ (
    await import(pathToFileURL(table).href)
  );
  const files = {
    'docs/reference/environment.md': environmentPage(VARIABLES),
    '.env.example': envExample(VARIABLES),
    ...Object.fromEntries(await clientReference()),
  };
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(projectDir, file)), { recursive: true });
    writeFileSync(join(projectDir, file), text);
    console.log(`wrote ${file}`);
  }
  return 0;
}

if (isMain(import.meta.url)) process.exitCode = await main();
