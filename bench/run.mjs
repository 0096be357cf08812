// Compiles the benchmarks and hands over to them; knows no scenario. Plain JavaScript, because Node 20 runs no TypeScript.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');

const build = spawnSync(process.execPath, [tsc, '-p', here], { stdio: 'inherit' });
if (build.status !== 0) process.exit(build.status ?? 1);

/** @type {unknown} */
const built = await import(new URL('dist/main.js', import.meta.url).href);
const { main } = /** @type {typeof import('./main.js')} */ (built);
process.exitCode = await main(process.argv.slice(2));
