// `npm start`: builds what is missing, then becomes the server. One process, so signals reach the server itself.
import { build, BuildError } from './build.mjs';

try {
  await build({ ifMissing: true });
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(error.message);
  process.exit(1);
}
await import(new URL('../dist/main.js', import.meta.url).href);
