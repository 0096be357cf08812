// Builds server, client and pages. `--if-missing` builds only the parts whose sources changed since they were built.
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { bundleServer } from './bundle.mjs';
import { isMain } from './is-main.mjs';
import { filesBelow, isBuildable, isFresh, PARTS, projectDir, sourceHash, writeStamp } from './parts.mjs';

/** After this many milliseconds a build says that it is at work. */
const QUIET_MS = 2_000;
const ASSET = /\.(lua|html)$/;

/** The build failed, and the compiler has said why. */
export class BuildError extends Error {}

/**
 * Runs a program quietly; what it printed is shown only when it fails.
 * @param {string} command @param {string[]} args @returns {Promise<string>} what it printed
 */
async function run(command, args) {
  const child = spawn(command, args, { cwd: projectDir, stdio: ['ignore', 'pipe', 'pipe'] });
  /** @type {Buffer[]} */
  const printed = [];
  const collect = (/** @type {Buffer} */ chunk) => void printed.push(chunk);
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  /** @type {number | null} */
  const code = await new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', done);
  });
  const text = Buffer.concat(printed).toString('utf8');
  if (code === 0) return text;
  process.stderr.write(text);
  throw new BuildError(`"${[command, ...args].join(' ')}" ended with code ${String(code)}.`);
}

function findCompiler() {
  try {
    const manifest = createRequire(import.meta.url).resolve('typescript/package.json');
    return join(dirname(manifest), 'bin', 'tsc');
  } catch (cause) {
    throw new BuildError('The TypeScript compiler is not installed. Run "npm ci" with dev packages.', {
      cause,
    });
  }
}

/**
 * Writes over what is there and removes what has no source any more, so a server that runs from dist never misses a file.
 */
async function buildServer() {
  const listing = await run(process.execPath, [findCompiler(), '-p', 'tsconfig.json', '--listEmittedFiles']);
  const written = new Set(
    [...listing.matchAll(/^TSFILE: (.+)$/gm)].map(([, file = '']) => resolve(projectDir, file)),
  );
  for (const asset of filesBelow('src').filter((file) => ASSET.test(file))) {
    const target = join(projectDir, 'dist', asset.slice('src/'.length));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(projectDir, asset), target);
    written.add(target);
  }
  for (const file of await bundleServer()) written.add(file);
  const dist = join(projectDir, 'dist');
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && !written.has(file)) rmSync(file);
  }
}

/** @param {import('./parts.mjs').Part} part */
async function buildPart(part) {
  const started = performance.now();
  const notice = setTimeout(() => console.log(`building ${part.name} …`), QUIET_MS);
  try {
    // Taken first: a source that changes during the build leaves the part stale.
    const hash = sourceHash(part);
    if (part.workspace === undefined) await buildServer();
    else await run('npm', ['run', '--silent', 'build', '-w', part.workspace]);
    writeStamp(part, hash);
  } finally {
    clearTimeout(notice);
  }
  console.log(`built ${part.name} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** @param {{ ifMissing?: boolean }} [options] */
export async function build({ ifMissing = false } = {}) {
  for (const part of PARTS) {
    if (!isBuildable(part) || (ifMissing && isFresh(part))) continue;
    await buildPart(part);
  }
}

if (isMain(import.meta.url)) {
  try {
    await build({ ifMissing: process.argv.includes('--if-missing') });
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
