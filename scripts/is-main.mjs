// Tells a script that was started from one that another file imports.
import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** @param {string} url the caller's `import.meta.url` */
export function isMain(url) {
  const started = process.argv[1];
  return started !== undefined && existsSync(started) && realpathSync(started) === fileURLToPath(url);
}
