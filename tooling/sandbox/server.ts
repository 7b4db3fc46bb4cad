import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { catalog } from './catalog.ts';
import { control } from './control.ts';
import type { Course } from './courses.ts';
import { suffer } from './faults.ts';
import { lms } from './lms.ts';
import { oauth } from './oauth.ts';
import { Refusal } from './refusal.ts';
import { Sandbox } from './sandbox.ts';
import { subsidy } from './subsidy.ts';

/** All stand-in services in one server that is not listening yet. */
export function createServer(fileCourses: readonly Course[] = []): FastifyInstance {
  const sandbox = new Sandbox(fileCourses);
  const app = Fastify({
    logger: false,
    exposeHeadRoutes: false,
    // A hung fault must not keep the process from stopping.
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 500 },
  });
  parseBodies(app);
  observe(app, sandbox);
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ detail: 'Not found.' }));
  app.setErrorHandler((error: unknown, _request, reply) => answerError(error, reply));

  oauth(app);
  app.register(control, { prefix: '/control', sandbox });
  for (const [prefix, service] of [
    ['/lms', lms],
    ['/catalog', catalog],
    ['/subsidy', subsidy],
  ] as const) {
    app.register(
      async (scope) => {
        scope.addHook('onRequest', requireToken);
        await scope.register(service, { sandbox });
      },
      { prefix },
    );
  }
  return app;
}

/** Lenient about empty bodies, as Django is; forms are what token clients send. */
function parseBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? undefined : JSON.parse(String(body)));
    } catch {
      done(new Refusal(400, { detail: 'JSON parse error' }), undefined);
    }
  });
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(String(body))));
  });
}

/** Counts every request to a service on arrival, and lets the faults act on it once its body is here. */
function observe(app: FastifyInstance, sandbox: Sandbox): void {
  app.addHook('onRequest', (request, reply, done) => {
    const id = request.headers['x-request-id'];
    if (id !== undefined) reply.header('x-request-id', id);
    const path = pathOf(request.url);
    if (!isControl(path)) sandbox.count(request.method, path);
    done();
  });
  // Not earlier: a caller that gives up during a delay has still asked, and the service does what it was asked.
  app.addHook('preHandler', (request, reply, done) => {
    const path = pathOf(request.url);
    const fault = isControl(path) ? undefined : sandbox.faults.take(request.method, path);
    if (fault) suffer(fault, reply, done);
    else done();
  });
}

const isControl = (path: string): boolean => path.startsWith('/control/');

/** The decoded path, so that content keys read as people write them. */
function pathOf(url: string): string {
  const end = url.indexOf('?');
  const path = end < 0 ? url : url.slice(0, end);
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function requireToken(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  const authorized = /^JWT \S/.test(request.headers.authorization ?? '');
  done(authorized ? undefined : new Refusal(401, { detail: 'Authentication credentials were not provided.' }));
}

/** Bodies are rendered here because some services answer a bare JSON string. */
function answerError(error: unknown, reply: FastifyReply): FastifyReply {
  const known = error instanceof Refusal ? error : undefined;
  const thrown = error as { readonly statusCode?: number; readonly message?: string };
  const status = known?.status ?? thrown.statusCode ?? 500;
  const body = known ? known.body : { detail: thrown.message ?? 'Server error.' };
  return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(body));
}
