import type { Database } from '@enterprise-access/db';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';

export interface HealthOptions {
  readonly db: Database;
  /** False from the moment that the process is asked to stop. */
  readonly isAccepting: () => boolean;
}

const CHECK_MS = 2_000;

async function databaseAnswers(db: Database): Promise<boolean> {
  try {
    await db.raw('select 1').timeout(CHECK_MS);
    return true;
  } catch {
    return false;
  }
}

/** Liveness, readiness, the old health body, and metrics. */
export const health = fp<HealthOptions>(async (app: FastifyInstance, options) => {
  app.get('/live', async () => ({ status: 'live' }));

  app.get('/ready', async (_request, reply) => {
    const isReady = options.isAccepting() && (await databaseAnswers(options.db));
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready' });
  });

  app.get('/health', async (_request, reply) => {
    const state = (await databaseAnswers(options.db)) ? 'OK' : 'UNAVAILABLE';
    return reply
      .code(state === 'OK' ? 200 : 503)
      .send({ overall_status: state, detailed_status: { database_status: state } });
  });

  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'enterprise_access_request_seconds',
    help: 'Time from the first byte of a request to the last byte of its reply.',
    labelNames: ['operation', 'method', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  // Finding the series of some labels costs more than counting in it, and there are few of them.
  const series = new Map<string, { observe(seconds: number): void }>();
  app.addHook('onResponse', (request, reply, done) => {
    const { config, url = 'unknown' } = request.routeOptions;
    const { operation = url } = config;
    const key = `${request.method} ${operation} ${reply.statusCode}`;
    let found = series.get(key);
    if (!found) {
      found = requests.labels({ operation, method: request.method, status: String(reply.statusCode) });
      series.set(key, found);
    }
    found.observe(reply.elapsedTime / 1000);
    done();
  });
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
});

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Id of the operation behind a route, for logs and metrics. */
    operation?: string;
  }
}
