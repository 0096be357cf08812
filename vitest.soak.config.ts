// The long runs, which `npm test` leaves out: `npm run soak`.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'node',
    pool: 'forks',
    maxWorkers: 1,
    setupFiles: ['test/support/setup.ts'],
    include: ['test/soak/**/*.soak.ts'],
  },
});
