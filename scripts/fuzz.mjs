// `npm run fuzz -- --seconds 600 --seed 7`: bundles the search for texts that break parsers with the code it searches into one file, since
// V8's counters are quick to read only where little else is loaded, and starts it. Knows no parser.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { projectDir } from './parts.mjs';

const folder = join(projectDir, 'node_modules/.cache/trunkline-fuzz');
mkdirSync(folder, { recursive: true });
const file = join(folder, `fuzz-${process.pid}.mjs`);
const bundle = await rolldown({
  input: join(projectDir, 'test/security/fuzz/main.ts'),
  cwd: projectDir,
  platform: 'node',
  tsconfig: join(projectDir, 'tsconfig.base.json'),
  external: /^(?!@oxc-project)[@a-z]/,
});
await bundle.write({ file, format: 'esm', codeSplitting: false });
await bundle.close();
/** @type {unknown} */
const built = await import(pathToFileURL(file).href);
const { main } = /** @type {typeof import('../test/security/fuzz/main.js')} */ (built);
rmSync(file);
process.exitCode = main(process.argv.slice(2));
