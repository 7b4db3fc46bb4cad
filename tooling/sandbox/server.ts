import fastify, { type FastifyInstance } from 'fastify';
import { catalog } from './catalog.ts';
import { control } from './control.ts';
import type { Course } from './courses.ts';
import { Faults } from './faults.ts';
import { lms } from './lms.ts';
import { serviceToken } from './oauth.ts';
import { seededState } from './state.ts';

/** All stand-in services in one process, each under a prefix of its own. */
export async function buildSandbox(courses: readonly Course[] = []): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify({
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 500 },
  });
  const state = seededState(courses);
  const faults = new Faults();
  const requests = new Map<string, number>();

  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(String(body))));
  });
  app.addHook('onRequest', async (request, reply) => {
    const requestId = request.headers['x-request-id'];
    if (requestId !== undefined) reply.header('x-request-id', requestId);
  });
  app.addHook('preHandler', async (request, reply) => {
    const [path = ''] = request.url.split('?');
    if (path.startsWith('/control')) return undefined;
    const key = `${request.method} ${path}`;
    requests.set(key, (requests.get(key) ?? 0) + 1);
    if (await faults.apply(request, reply)) return reply;
    if (!path.startsWith('/oauth2') && !request.headers.authorization?.startsWith('JWT ')) {
      return reply.code(401).send({ detail: 'Authentication credentials were not provided.' });
    }
    return undefined;
  });

  app.post('/oauth2/access_token', async () => serviceToken());
  await app.register(lms, { prefix: '/lms', state });
  await app.register(catalog, { prefix: '/catalog', state });
  await app.register(control, { prefix: '/control', state, faults, requests, courses });
  return app;
}
