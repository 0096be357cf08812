// How the client is built: one ES module and one CommonJS file, nothing bundled from outside the repository.

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here('.'),
  build: {
    // Node 20 and browsers of 2022: private fields stay as they are and are renamed to one letter.
    target: 'es2022',
    outDir: here('./dist'),
    emptyOutDir: true,
    sourcemap: true,
    minify: 'oxc',
    // Library mode leaves the spaces in ES modules for bundlers to take out; a page that loads the file as it is has none.
    rolldownOptions: { output: { minify: true } },
    lib: {
      entry: { index: here('./src/index.ts') },
      formats: ['es', 'cjs'],
      fileName: (format, name) => (format === 'es' ? `esm/${name}.js` : `cjs/${name}.js`),
    },
  },
  plugins: [
    {
      name: 'commonjs-folder',
      // The package is of type "module"; this makes Node and TypeScript read `cjs/`, declarations too, as CommonJS.
      generateBundle({ format }) {
        if (format === 'cjs')
          this.emitFile({ type: 'asset', fileName: 'cjs/package.json', source: '{ "type": "commonjs" }\n' });
      },
    },
  ],
});
