// `npm start`: builds what is missing, then becomes the server. One process, so signals reach the server itself.
import { existsSync } from 'node:fs';
import { PARTS, isBuildable, isFresh } from './parts.mjs';

const env = new URL('../.env', import.meta.url);
if (existsSync(env)) process.loadEnvFile(env);

// The builder is loaded only when there is something to build: it costs more time than the start.
if (PARTS.some((part) => isBuildable(part) && !isFresh(part))) {
  const { build, BuildError } = await import('./build.mjs');
  try {
    await build({ ifMissing: true });
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
await import(new URL('../dist/start.mjs', import.meta.url).href);
