import { defineConfig } from 'vitest/config';
import ByDuration from './tooling/test/sequencer.ts';

export default defineConfig({
  test: {
    include: ['apps/**/*.test.ts', 'packages/**/*.test.ts', 'tooling/**/*.test.ts'],
    globalSetup: ['tooling/test/servers.ts'],
    reporters: process.env.CI ? ['default', './tooling/test/slowest.ts'] : ['default'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    maxConcurrency: 2,
    // Both workers keep what they have imported and compiled; no file changes what another one sees.
    isolate: false,
    sequence: { sequencer: ByDuration },
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**/*.ts'],
      exclude: ['**/*.test.ts', '**/testing.ts', '**/testing-pool.ts', '**/servers/supervise.ts'],
      reporter: ['text-summary'],
      thresholds: { lines: 90 },
    },
  },
});
