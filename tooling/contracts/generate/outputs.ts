import { fileURLToPath } from 'node:url';
import { noticesText, sbomText } from '@enterprise-access/checks/release';
import { models, operations, streams } from '@enterprise-access/domain';
import { environment } from '../../../apps/api/src/env.ts';
import { openApiDocument } from '../../../apps/api/src/openapi/document.ts';
import { workerEnvironment } from '../../../apps/worker/src/env.ts';
import { sdkFiles } from '../sdk/index.ts';
import { configurationPage } from './configuration.ts';
import { lintIgnoreText, type Paths } from './lint-ignore.ts';

export interface Output {
  /** Path from the root of the repository. */
  readonly path: string;
  readonly text: () => string;
}

const openApiText = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`;

const sdk = sdkFiles({ operations, streams, models });

/** Folders with generated files only: files that are not outputs are stale. */
export const generatedFolders = ['packages/sdk/src/generated', 'docs/sdk'];

/** All generated files that are committed. */
export const outputs: readonly Output[] = [
  { path: 'openapi.json', text: openApiText },
  { path: '.redocly.lint-ignore.yaml', text: () => lintIgnoreText(openApiDocument().paths as Paths) },
  {
    path: 'docs/operations/configuration.md',
    text: () => configurationPage({ API: environment, worker: workerEnvironment }),
  },
  { path: 'THIRD-PARTY-NOTICES.txt', text: noticesText },
  { path: 'sbom.cdx.json', text: sbomText },
  ...sdk.code.map(({ path, text }) => ({ path: `packages/sdk/src/generated/${path}`, text: () => text })),
  ...sdk.docs.map(({ path, text }) => ({ path: `docs/sdk/${path}`, text: () => text })),
];

export const fileOf = ({ path }: Pick<Output, 'path'>): string =>
  fileURLToPath(new URL(`../../../${path}`, import.meta.url));
