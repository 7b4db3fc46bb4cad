import { fileURLToPath } from 'node:url';
import { environment } from '../../apps/api/src/env.ts';
import { openApiDocument } from '../../apps/api/src/openapi.ts';
import { workerEnvironment } from '../../apps/worker/src/env.ts';
import { configurationPage } from './configuration.ts';

export interface Output {
  /** Path from the root of the repository. */
  readonly path: string;
  readonly text: () => string;
}

const byName = (record: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Paths and their methods in alphabetical order: that of a module's exports depends on who loads the module. */
function openApiText(): string {
  const document = openApiDocument();
  const paths = byName(document.paths as Record<string, object>);
  const ordered = Object.fromEntries(Object.entries(paths).map(([path, methods]) => [path, byName(methods as object)]));
  return `${JSON.stringify({ ...document, paths: ordered }, null, 2)}\n`;
}

/** Every committed file that a program writes. */
export const outputs: readonly Output[] = [
  { path: 'openapi.json', text: openApiText },
  {
    path: 'docs/operations/configuration.md',
    text: () => configurationPage({ API: environment, worker: workerEnvironment }),
  },
];

export const fileOf = ({ path }: Output): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
