// How the client is built: for bundlers and Node, each entry as an ES module and as CommonJS, readable in a stack trace, with common
// code in common files; and, in the mode `page`, the main entry as one small file for pages that load it as it is, with a second one
// beside it that is loaded only when a page needs requests in the place of a WebSocket.

import { fileURLToPath } from 'node:url';
import { defineConfig, type BuildEnvironmentOptions, type Plugin } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const ENTRIES = {
  index: here('./src/index.ts'),
  react: here('./src/react/index.ts'),
  shared: here('./src/shared/index.ts'),
};

const commonJsFolder: Plugin = {
  name: 'commonjs-folder',
  // The package is of type "module"; this makes Node and TypeScript read `cjs/`, declarations too, as CommonJS.
  generateBundle({ format }) {
    if (format !== 'cjs') return;
    this.emitFile({ type: 'asset', fileName: 'cjs/package.json', source: '{ "type": "commonjs" }\n' });
  },
};

/** Frameworks that render on the server learn by it that hooks run in the browser. */
const banner = ({ name }: { name: string }): string => (name === 'react' ? "'use client';" : '');

const packageBuild: BuildEnvironmentOptions = {
  emptyOutDir: true,
  minify: false,
  lib: { entry: ENTRIES },
  rolldownOptions: {
    // The application's own React; two copies in one page do not work.
    external: ['react'],
    output: [
      {
        format: 'es',
        entryFileNames: 'esm/[name].js',
        chunkFileNames: 'esm/[name].js',
        minifyInternalExports: false,
        banner,
      },
      {
        format: 'cjs',
        entryFileNames: 'cjs/[name].js',
        chunkFileNames: 'cjs/[name].js',
        minifyInternalExports: false,
        banner,
      },
    ],
  },
};

const pageBuild: BuildEnvironmentOptions = {
  // It runs after the other and into the same folder.
  emptyOutDir: false,
  minify: true,
  lib: { entry: { trunkline: ENTRIES.index }, formats: ['es'] },
  rolldownOptions: {
    // What both files need lies in the first, so there are two and no third.
    preserveEntrySignatures: 'allow-extension',
    output: {
      entryFileNames: '[name].min.js',
      chunkFileNames: 'trunkline-[name].min.js',
      minify: true,
      comments: false,
    },
  },
};

export default defineConfig(({ mode }) => ({
  root: here('.'),
  build: {
    // Node 20 and browsers of 2022: private fields stay what they are.
    target: 'es2022',
    outDir: here('./dist'),
    sourcemap: true,
    ...(mode === 'page' ? pageBuild : packageBuild),
  },
  plugins: [commonJsFolder],
}));
