import { setTimeout } from 'node:timers/promises';
import type { Database } from '@enterprise-access/db';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

export interface HealthOptions {
  readonly db: Database;
  /** False from the moment that the process is asked to stop. */
  readonly isAccepting: () => boolean;
}

const CHECK_MS = 2_000;

/** In time, that is: a pool may let callers wait for a connection far longer than a probe does. */
function databaseAnswers(db: Database): Promise<boolean> {
  const answer = db
    .raw('select 1')
    .timeout(CHECK_MS)
    .then(
      () => true,
      () => false,
    );
  return Promise.race([answer, setTimeout(CHECK_MS, false, { ref: false })]);
}

/** Liveness, readiness, and the old health body. */
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
});
