// `npm run sim`: bundles the simulator with the code it runs into one file and starts it, since thousands of runs want plain JavaScript.
import 'reflect-metadata';
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = fileURLToPath(new URL('../../node_modules/.cache/trunkline-sim/', import.meta.url));
mkdirSync(folder, { recursive: true });
const file = `${folder}sim-${process.pid}.mjs`;
const bundle = await rolldown({
  input: fileURLToPath(new URL('./main.ts', import.meta.url)),
  cwd: root,
  platform: 'node',
  tsconfig: `${root}tsconfig.base.json`,
  external: /^(?!@oxc-project)[@a-z]/,
  plugins: [
    {
      name: 'own-places',
      // Scripts are read from beside the file that names them, also when it is in the bundle.
      transform: (code, id) =>
        code.includes('import.meta.url')
          ? { code: code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href)), map: null }
          : null,
    },
  ],
});
await bundle.write({ file, format: 'esm', sourcemap: true, codeSplitting: false });
await bundle.close();
try {
  const { main } = /** @type {typeof import('./main.js')} */ (await import(pathToFileURL(file).href));
  process.exitCode = await main(process.argv.slice(2));
} finally {
  rmSync(file, { force: true });
  rmSync(`${file}.map`, { force: true });
}
