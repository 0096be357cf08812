// The test projects, one a folder of test/. `npm test` runs all of them, `npm run check` the first three.
import { defineConfig } from 'vitest/config';

const PROJECTS = ['unit', 'contract', 'e2e', 'security', 'cluster', 'chaos', 'checker', 'sim'];

export default defineConfig({
  test: {
    environment: 'node',
    pool: 'forks',
    // Two cores are the smallest machine we promise; more workers than cores turn time limits into noise.
    maxWorkers: 2,
    // Milliseconds. A test waits for events, so this is reached only by one that will never end.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    setupFiles: ['test/support/setup.ts'],
    restoreMocks: true,
    projects: PROJECTS.map((name) => ({
      extends: true as const,
      test: { name, include: [`test/${name}/**/*.spec.ts`] },
    })),
  },
});
