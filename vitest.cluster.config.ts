import { defineConfig } from 'vitest/config';

/** Failovers of real clusters: minutes, and only with the programs installed. `npm run test:cluster`. */
export default defineConfig({
  test: {
    include: ['apps/**/*.cluster.ts'],
    globalSetup: ['tooling/test/servers.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 1,
  },
});
