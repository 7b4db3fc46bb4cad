import { currentTraceId, isTracing } from '@enterprise-access/tracing';
import type { LoggerOptions } from 'pino';

interface LoggedRequest {
  readonly method: string;
  readonly url: string;
}

/** What a log line says of a request: never a query, a header or a body, which may hold personal data. */
const serializers = {
  req: (request: LoggedRequest) => ({ method: request.method, path: request.url.split('?')[0] }),
  err: (error: Error & { code?: string }) => describe(error),
};

/** Type, place and code of an error. Messages of drivers quote values of rows, so they stay out. */
function describe(error: Error & { code?: string; cause?: unknown }): Record<string, unknown> {
  return {
    type: error.name,
    code: error.code,
    stack: error.stack
      ?.split('\n')
      .filter((line) => line.trimStart().startsWith('at '))
      .join('\n'),
    ...(error.cause instanceof Error ? { cause: describe(error.cause) } : {}),
  };
}

/** Lines lead to the trace that they belong to, where there are traces. */
const traced = () => ({ traceId: currentTraceId() });

export const loggerOptions = (level: string): LoggerOptions => ({
  level,
  serializers,
  base: null,
  ...(isTracing() ? { mixin: traced } : {}),
});
