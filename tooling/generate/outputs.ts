import { fileURLToPath } from 'node:url';
import { models, operations, streams } from '@enterprise-access/domain';
import { sdkFiles } from '@enterprise-access/sdk-gen';
import { environment } from '../../apps/api/src/env.ts';
import { openApiDocument } from '../../apps/api/src/openapi.ts';
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

const sdk = sdkFiles({ operations, streams, models });

/** Folders in which everything is written by a program: what no output names is left over. */
export const generatedFolders = ['packages/sdk/src/generated', 'docs/sdk'];

/** Every committed file that a program writes. */
export const outputs: readonly Output[] = [
  { path: 'openapi.json', text: openApiText },
  { path: 'docs/operations/configuration.md', text: () => configurationPage(environment) },
  ...sdk.code.map(({ path, text }) => ({ path: `packages/sdk/src/generated/${path}`, text: () => text })),
  ...sdk.docs.map(({ path, text }) => ({ path: `docs/sdk/${path}`, text: () => text })),
];

export const fileOf = ({ path }: Pick<Output, 'path'>): string =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url));
