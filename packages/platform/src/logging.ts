import { currentTraceId, isTracing } from '@enterprise-access/tracing';
import type { LoggerOptions } from 'pino';

interface LoggedRequest {
  readonly method: string;
  readonly url: string;
}

/** Log serializers. A request is logged without query, headers and body, which can contain personal data. */
const serializers = {
  req: (request: LoggedRequest) => ({ method: request.method, path: request.url.split('?')[0] }),
  err: (error: Error & { code?: string }) => describe(error),
};

/** Type, stack and code of an error. Messages of database drivers are omitted because they contain values of rows. */
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

/** Adds the trace id to log lines if tracing is on. */
const traced = () => ({ traceId: currentTraceId() });

export const loggerOptions = (level: string): LoggerOptions => ({
  level,
  serializers,
  base: null,
  ...(isTracing() ? { mixin: traced } : {}),
});
