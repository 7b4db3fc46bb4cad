import type { FastifyRequest } from 'fastify';

/**
 * Name of the requested operation, for traces and metrics. The set of names is bounded, whatever paths callers send.
 */
export function operationOf(request: FastifyRequest): string {
  const { config, url } = request.routeOptions;
  if (config.operation) return config.operation;
  if (url === undefined) return 'unknown';
  if (!url.startsWith('/trpc')) return url;
  const { path } = request.params as { path?: string };
  if (path !== undefined && request.server.operationIds.has(path)) return path;
  return path?.includes(',') ? 'trpc batch' : 'trpc unknown';
}
