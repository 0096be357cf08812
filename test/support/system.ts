// Where the programs are that tests drive from outside: a browser, and Python with websockets. Starts none of them.
import { findChromium, findPython, findSlowHttpTest } from '../../scripts/system.mjs';

/** The program of a Chromium or Chrome: CHROME_PATH, else the first on the PATH. */
export function chromiumPath(): string {
  return orThrow(findChromium(), 'No Chromium or Chrome was found; `npm test` says how to get one.');
}

/** A Python 3 that can import `websockets`. */
export function pythonPath(): string {
  return orThrow(
    findPython(),
    'No Python 3 with the module "websockets" was found; `npm test` says how to get it.',
  );
}

export function slowHttpTestPath(): string {
  return orThrow(findSlowHttpTest(), 'No slowhttptest was found; `npm test` says how to get it.');
}

function orThrow(path: string | undefined, message: string): string {
  if (path === undefined) throw new Error(message);
  return path;
}
