import type { Database } from '@enterprise-access/db';
import { processMetrics } from '@enterprise-access/platform';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { Gauge, Histogram } from 'prom-client';
import { operationOf } from './operation.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Id of the operation behind a route, for logs and metrics. */
    operation?: string;
  }
}

const isStream = (contentType: unknown): boolean => String(contentType).startsWith('text/event-stream');

/** What Prometheus asks for. */
export const metrics = fp<{ readonly db: Database }>(async (app: FastifyInstance, { db }) => {
  const { registry, contentType, text } = processMetrics(db);
  const requests = new Histogram({
    name: 'enterprise_access_request_seconds',
    help: 'Time from the first byte of a request to the last byte of its reply. Without streams, which last.',
    labelNames: ['operation', 'method', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  // Finding the series of some labels costs more than counting in it, and there are few of them.
  const series = new Map<string, { observe(seconds: number): void }>();
  app.addHook('onResponse', (request, reply, done) => {
    if (!isStream(reply.getHeader('content-type'))) {
      const operation = operationOf(request);
      const status = String(reply.statusCode);
      const key = `${request.method} ${operation} ${status}`;
      const found = series.get(key) ?? requests.labels({ operation, method: request.method, status });
      series.set(key, found);
      found.observe(reply.elapsedTime / 1_000);
    }
    done();
  });
  new Gauge({
    name: 'enterprise_access_open_streams',
    help: 'Callers who follow something at the moment.',
    registers: [registry],
    collect() {
      this.set(app.openStreams.size);
    },
  });
  app.get('/metrics', async (_request, reply) => reply.type(contentType).send(await text()));
});
