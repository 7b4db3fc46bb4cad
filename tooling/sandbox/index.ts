import { readCatalogFile } from './catalog-file.ts';
import { createServer } from './server.ts';

export { CatalogFileError } from './catalog-file.ts';

export interface SandboxOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  readonly host?: string;
  /** CSV file of courses that both catalogs hold besides the demonstration ones. */
  readonly catalogFile?: string;
}

export interface RunningSandbox {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts stand-ins for the upstream services, each below its prefix: `/lms`, `/catalog`, `/subsidy`, `/control`. */
export async function startSandbox(options: SandboxOptions = {}): Promise<RunningSandbox> {
  const courses = options.catalogFile === undefined ? [] : await readCatalogFile(options.catalogFile);
  const app = createServer(courses);
  const url = await app.listen({ port: options.port ?? 0, host: options.host ?? '127.0.0.1' });
  return { url, close: () => app.close() };
}
