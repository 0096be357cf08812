// How the client is built: an ES module and a CommonJS file for bundlers and Node, readable in a stack trace, and one small
// file for pages that load it as it is.

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here('.'),
  build: {
    // Node 20 and browsers of 2022: private fields stay what they are.
    target: 'es2022',
    outDir: here('./dist'),
    emptyOutDir: true,
    sourcemap: true,
    minify: false,
    lib: { entry: { index: here('./src/index.ts') } },
    rolldownOptions: {
      output: [
        { format: 'es', entryFileNames: 'esm/[name].js' },
        { format: 'cjs', entryFileNames: 'cjs/[name].js' },
        { format: 'es', entryFileNames: 'trunkline.min.js', minify: true },
      ],
    },
  },
  plugins: [
    {
      name: 'commonjs-folder',
      // The package is of type "module"; this makes Node and TypeScript read `cjs/`, declarations too, as CommonJS.
      generateBundle({ format }) {
        if (format !== 'cjs') return;
        this.emitFile({ type: 'asset', fileName: 'cjs/package.json', source: '{ "type": "commonjs" }\n' });
      },
    },
  ],
});
