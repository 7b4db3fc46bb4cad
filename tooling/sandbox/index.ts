import type { FastifyInstance } from 'fastify';
import { readCatalogFile } from './catalog-file.ts';
import { DEVELOPMENT_SECRET } from './oauth.ts';
import { buildServer } from './server.ts';
import type { SandboxState } from './state.ts';
import { createState } from './state.ts';
import type { Shop } from './stripe-page.ts';
import { deliverAlways } from './stripe-webhooks.ts';

export type { SandboxState } from './state.ts';
export { type StripeEvent, signatureOf, WEBHOOK_SECRET } from './stripe-store.ts';

export interface SandboxOptions {
  /** 0, the default, takes a free port. */
  port?: number;
  /** Default: loopback. */
  host?: string;
  /** CSV whose courses join both catalogs. */
  catalogFile?: string;
  /** Signs the service tokens (HS256). */
  tokenSecret?: string;
  now?: () => Date;
  /** Request logging; off, as it costs more than the answers do. */
  logger?: boolean;
  /** The API that sells on the page `/stripe/`; asked when it is used. */
  shop?: () => Shop | null;
}

export interface Sandbox {
  url: string;
  port: number;
  state: SandboxState;
  close(): Promise<void>;
}

function build(options: SandboxOptions = {}): { app: FastifyInstance; state: SandboxState } {
  const courses = options.catalogFile === undefined ? [] : readCatalogFile(options.catalogFile);
  const state = createState(options.now ?? (() => new Date()), courses);
  const tokenSecret = options.tokenSecret ?? DEVELOPMENT_SECRET;
  const shop = options.shop ?? (() => null);
  return { app: buildServer(state, { tokenSecret, logger: options.logger ?? false, shop }), state };
}

/** The fake services as a Fastify instance, for tests with `inject`. */
export const buildSandbox = (options: SandboxOptions = {}): FastifyInstance => build(options).app;

/** The same with its state. */
export const sandboxWithState = build;

/** Starts the fake services and returns their URLs. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { app, state } = build(options);
  const host = options.host ?? '127.0.0.1';
  await app.listen({ port: options.port ?? 0, host });
  const stop = deliverAlways(state);
  const close = () => {
    stop();
    return app.close();
  };
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('The sandbox listens on no port.');
  // "Every address" is nowhere a client could connect to.
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const name = reachable.includes(':') ? `[${reachable}]` : reachable;
  return { url: `http://${name}:${address.port}`, port: address.port, state, close };
}
