import { type Database, databaseProbe } from '@enterprise-access/db';
import type { ProcessMetrics } from '@enterprise-access/platform';
import fastify from 'fastify';
import { answers } from './outage.ts';

export interface HealthOptions {
  readonly host: string;
  readonly port: number;
  readonly db: Database;
  readonly queuesAnswer: () => Promise<unknown>;
  readonly metrics: ProcessMetrics;
  /** False once shutdown has begun. */
  readonly isAccepting: () => boolean;
}

/** Liveness, readiness and metrics of the worker. */
export async function startHealth(options: HealthOptions): Promise<{ url: string; stop(): Promise<void> }> {
  const takesWrites = databaseProbe(options.db);
  const app = fastify({ logger: false, forceCloseConnections: true });
  app.get('/live', async () => ({ status: 'live' }));
  app.get('/ready', async (_request, reply) => {
    const [database, queues] = await Promise.all([takesWrites(), answers(options.queuesAnswer)]);
    const isReady = options.isAccepting() && database && queues;
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready', database, queues });
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(options.metrics.contentType).send(await options.metrics.text()),
  );
  const url = await app.listen({ host: options.host, port: options.port });
  return { url, stop: () => app.close() };
}
