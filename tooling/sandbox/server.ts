import type { FastifyInstance } from 'fastify';
import fastify from 'fastify';
import { brazeRoutes } from './braze.ts';
import { catalogRoutes } from './catalog.ts';
import { controlRoutes } from './control.ts';
import { coursewareRoutes } from './courseware.ts';
import { loseReply, misbehave, takeFault } from './faults.ts';
import { Refusal } from './http.ts';
import { licenseManagerRoutes } from './license-manager.ts';
import { lmsRoutes } from './lms.ts';
import { academyRoutes, lmsCustomerRoutes } from './lms-customers.ts';
import { oauthRoutes } from './oauth.ts';
import type { SandboxState } from './state.ts';
import { stripeRoutes } from './stripe.ts';
import { type Shop, stripeControl, stripePage } from './stripe-page.ts';
import { subsidyRoutes } from './subsidy.ts';

const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** Content keys travel in paths, percent-encoded; the router's default of 100 would cut long ones off. */
const MAX_PARAM_LENGTH = 1000;

const isControl = (url: string) => url.startsWith('/control/');

/** Parses bodies like Django: forms, and optional JSON. */
function parseBodies(app: FastifyInstance): void {
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    try {
      done(null, text === '' ? undefined : JSON.parse(String(text)));
    } catch (error) {
      done(new Refusal(400, { detail: `JSON parse error - ${error instanceof Error ? error.message : 'invalid'}` }));
    }
  });
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, text, done) => {
    done(null, Object.fromEntries(new URLSearchParams(String(text))));
  });
}

/** Request id, request counter and faults: for every service, before its own checks. */
function observe(app: FastifyInstance, state: SandboxState): void {
  app.addHook('onRequest', (request, reply, done) => {
    const requestId = request.headers['x-request-id'];
    if (requestId !== undefined) reply.header('x-request-id', requestId);
    const { url, method } = request;
    if (isControl(url)) {
      done();
      return;
    }
    const end = url.indexOf('?');
    const key = `${method} ${end < 0 ? url : url.slice(0, end)}`;
    state.requests.set(key, (state.requests.get(key) ?? 0) + 1);
    const fault = state.faults.length === 0 ? undefined : takeFault(state.faults, method, url);
    if (fault) misbehave(fault, request, reply, done);
    else done();
  });
  app.addHook('onSend', (request, _reply, _payload, done) => {
    loseReply(request);
    done();
  });
}

function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler((_request, reply) => {
    reply.code(404).send({ detail: 'Not found.' });
  });
  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof Refusal) {
      reply.code(error.status);
      if (error.body === undefined) reply.send();
      // Fastify would send a bare string as text; these services send it as JSON.
      else reply.type('application/json').send(JSON.stringify(error.body));
      return;
    }
    const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
    // Internal errors are shown, because only developers use the sandbox.
    reply.code(status).send({ detail: error instanceof Error ? error.message : 'Internal error' });
  });
}

/** Mounts a service under a prefix, for requests with one of the authorization schemes. */
function mount(
  app: FastifyInstance,
  prefix: string,
  schemes: RegExp,
  routes: (service: FastifyInstance) => void,
): void {
  const guarded = async (service: FastifyInstance) => {
    service.addHook('onRequest', (request, reply, done) => {
      if (schemes.test(request.headers.authorization ?? '')) {
        done();
        return;
      }
      reply.header('www-authenticate', 'JWT realm="api"');
      done(new Refusal(401, { detail: 'Authentication credentials were not provided.' }));
    });
    routes(service);
  };
  app.register(guarded, { prefix });
}

const JWT = /^JWT \S+$/i;
const BEARER = /^Bearer \S+$/i;
/** Braze takes its API key as a bearer token. */
const JWT_OR_BEARER = /^(JWT|Bearer) \S+$/i;

/** All fake services in one server, not yet listening. */
export function buildServer(
  state: SandboxState,
  options: { tokenSecret: string; logger: boolean; shop?: () => Shop | null },
): FastifyInstance {
  const app = fastify({
    logger: options.logger,
    bodyLimit: MAX_BODY_BYTES,
    // A request that hangs on purpose must not keep the process from stopping.
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAX_PARAM_LENGTH },
  });
  parseBodies(app);
  observe(app, state);
  answerErrors(app);
  const oauth = { secret: options.tokenSecret, now: state.now };
  app.register(async (service) => oauthRoutes(service, oauth), { prefix: '/oauth2' });
  app.register(async (service) => controlRoutes(service, state), { prefix: '/control' });
  coursewareRoutes(app, state);
  mount(app, '/lms', JWT, (service) => {
    lmsRoutes(service, state);
    lmsCustomerRoutes(service, state);
  });
  mount(app, '/catalog', JWT, (service) => {
    catalogRoutes(service, state);
    academyRoutes(service, state);
  });
  mount(app, '/subsidy', JWT, (service) => subsidyRoutes(service, state, '/subsidy'));
  mount(app, '/license-manager', JWT, (service) => licenseManagerRoutes(service, state));
  // At the root, where the library of Stripe asks.
  mount(app, '/v1', BEARER, (service) => stripeRoutes(service, state));
  app.register(async (service) => stripePage(service, state, options.shop ?? (() => null)), { prefix: '/stripe' });
  app.register(async (service) => stripeControl(service, state), { prefix: '/control/stripe' });
  mount(app, '/braze', JWT_OR_BEARER, (service) => brazeRoutes(service, state));
  return app;
}
