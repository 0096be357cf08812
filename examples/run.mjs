// Runs an example that is written in TypeScript: `node examples/run.mjs progress-updates`. Needs a built server (`npm run build`).

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** The doors of the package: the examples import their sources, and run on what was built. */
const DOORS = new Map([
  [join(HERE, '../src/index.js'), 'trunkline'],
  [join(HERE, '../src/bootstrap.js'), 'trunkline/server'],
  [join(HERE, '../src/config/config.js'), 'trunkline/config'],
]);

/** @param {string} name */
async function bundle(name) {
  const folder = join(HERE, name);
  const input = join(folder, 'main.ts');
  if (!existsSync(input)) throw new Error(`There is no ${name} with a main.ts in examples/.`);
  const made = await rolldown({
    input,
    platform: 'node',
    tsconfig: join(HERE, 'tsconfig.json'),
    plugins: [
      {
        name: 'doors',
        resolveId(source, importer) {
          if (!source.startsWith('.')) return importer === undefined ? null : { id: source, external: true };
          const door = importer === undefined ? undefined : DOORS.get(join(importer, '..', source));
          return door === undefined ? null : { id: door, external: true };
        },
      },
    ],
  });
  // Inside the package, so that `trunkline` is found by its name.
  const file = join(folder, 'dist', 'main.mjs');
  await made.write({ file, format: 'esm' });
  await made.close();
  return file;
}

const [name = ''] = process.argv.slice(2);
await import(pathToFileURL(await bundle(name)).href);
