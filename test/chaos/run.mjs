// `npm run chaos`: loads the harness as it is, without a compile step. Plain JavaScript, because Node 20 runs no TypeScript.
import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';

const loader = await createServer({
  configFile: false,
  root: fileURLToPath(new URL('../..', import.meta.url)),
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
  appType: 'custom',
  logLevel: 'error',
});
const { main } = /** @type {typeof import('./main.js')} */ (
  await loader.ssrLoadModule('/test/chaos/main.ts')
);
process.exit(await main(process.argv.slice(2)));
