import { type Database, databaseProbe } from '@enterprise-access/db';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

export interface HealthOptions {
  readonly db: Database;
  /** False once shutdown has begun. */
  readonly isAccepting: () => boolean;
}

/** Liveness, readiness, and the old health body. */
export const health = fp<HealthOptions>(async (app: FastifyInstance, options) => {
  const takesWrites = databaseProbe(options.db);
  app.get('/live', async () => ({ status: 'live' }));

  app.get('/ready', async (_request, reply) => {
    const isReady = options.isAccepting() && (await takesWrites());
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready' });
  });

  app.get('/health', async (_request, reply) => {
    const state = (await takesWrites()) ? 'OK' : 'UNAVAILABLE';
    return reply
      .code(state === 'OK' ? 200 : 503)
      .send({ overall_status: state, detailed_status: { database_status: state } });
  });
});
