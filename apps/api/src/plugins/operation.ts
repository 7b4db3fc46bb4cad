import type { FastifyRequest } from 'fastify';

/** What a request asks for, for traces and metrics: one of few names, whatever callers put into their addresses. */
export function operationOf(request: FastifyRequest): string {
  const { config, url } = request.routeOptions;
  if (config.operation) return config.operation;
  if (url === undefined) return 'unknown';
  if (!url.startsWith('/trpc')) return url;
  const { path } = request.params as { path?: string };
  if (path !== undefined && request.server.operationIds.has(path)) return path;
  return path?.includes(',') ? 'trpc batch' : 'trpc unknown';
}
