import { dirname } from 'node:path';
import type { CreateNodesV2 } from 'nx/src/project-graph/plugins/index.js';

/** Adds the target `test` to every workspace: runs its test files with the repository's test runner. */
export const createNodesV2: CreateNodesV2 = [
  '{apps,packages,tooling}/*/package.json',
  (files) =>
    files.map((file) => {
      const root = dirname(file);
      const test = { command: `vitest run --passWithNoTests ${root}/`, options: { cwd: '{workspaceRoot}' } };
      return [file, { projects: { [root]: { targets: { test } } } }];
    }),
];
