import { fileURLToPath } from 'node:url';
import { environment } from '../../apps/api/src/env.ts';
import { openApiDocument } from '../../apps/api/src/openapi/document.ts';
import { workerEnvironment } from '../../apps/worker/src/env.ts';
import { configurationPage } from './configuration.ts';
import { lintIgnoreText, type Paths } from './lint-ignore.ts';

export interface Output {
  /** Path from the root of the repository. */
  readonly path: string;
  readonly text: () => string;
}

const openApiText = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`;

/** Every committed file that a program writes. */
export const outputs: readonly Output[] = [
  { path: 'openapi.json', text: openApiText },
  { path: '.redocly.lint-ignore.yaml', text: () => lintIgnoreText(openApiDocument().paths as Paths) },
  {
    path: 'docs/operations/configuration.md',
    text: () => configurationPage({ API: environment, worker: workerEnvironment }),
  },
];

export const fileOf = ({ path }: Output): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
