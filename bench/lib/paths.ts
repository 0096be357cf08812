// Where the bench's own files are; knows nothing of what is in them.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This file runs as `bench/dist/lib/paths.js`. */
export const benchDir = fileURLToPath(new URL('../..', import.meta.url));
export const projectDir = join(benchDir, '..');
export const loadDir = join(benchDir, 'load');
export const cacheDir = join(benchDir, 'dist', 'load');
export const resultsDir = join(benchDir, 'results');
