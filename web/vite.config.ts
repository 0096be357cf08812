// How the pages are built: one static folder, dist, that needs no inline script and no inline style. Knows no server code.

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
// Only `npm run dev` uses this: the pages come from vite, everything else from a running server.
const server = process.env['TRUNKLINE_DEV_SERVER'] ?? 'http://localhost:3000';

export default defineConfig({
  root: here('.'),
  base: './',
  resolve: { alias: { 'trunkline-client': here('../client/src/index.ts') } },
  build: {
    outDir: here('./dist'),
    emptyOutDir: true,
    target: 'es2022',
    // `default-src 'self'` forbids data: addresses, so even the smallest asset stays a file.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: [here('./index.html'), here('./prices.html'), here('./notifications.html')],
    },
  },
  server: {
    proxy: { '/api': server, '/sse': server, '/poll': server, '/ws': { target: server, ws: true } },
  },
});
