import { readCatalogFile } from './catalog-file.ts';
import { buildSandbox } from './server.ts';

export interface SandboxOptions {
  /** Free one unless given. */
  readonly port?: number;
  readonly host?: string;
  /** CSV file with further courses for both catalogs. */
  readonly catalogFile?: string;
}

/** Starts the stand-ins for the LMS, the catalog and the token endpoint. */
export async function startSandbox(options: SandboxOptions = {}): Promise<{ url: string; close(): Promise<void> }> {
  const app = await buildSandbox(options.catalogFile === undefined ? [] : readCatalogFile(options.catalogFile));
  const url = await app.listen({ port: options.port ?? 0, host: options.host ?? '127.0.0.1' });
  return { url, close: () => app.close() };
}

export { buildSandbox };
