import { type Actor, notAuthenticated } from '@enterprise-access/domain';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { rateLimiter } from './rate-limit.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route authenticates; others count against the client IP. */
    authenticates?: boolean;
  }
}

type Done = (error?: Error) => void;
type Limiter = ReturnType<typeof rateLimiter>;

/** A name, an IPv4 or an IPv6 address, with or without a port. */
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/** Orchestrators ask these at any rate, and their refusal would stop the process. */
const PROBES = new Set(['/live', '/ready']);

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** The request line may hold a whole URL. Only the target behind the host counts, but it must be a URL. */
const isTarget = (target: string): boolean => target.startsWith('/') || URL.canParse(target);

const isHost = (host: string): boolean => HOST.test(host) && URL.canParse(`http://${host}`);

export const methodNotAllowed = (request: FastifyRequest, reply: FastifyReply, allowed: Iterable<string>) =>
  reply
    .code(405)
    .header('Allow', [...allowed].join(', '))
    .send({ detail: `Method "${request.method}" not allowed.` });

/** Runs `then` with the outcome, at once if it is there. */
function settle(outcome: Promise<Error | undefined> | Error | undefined, then: Done): void {
  if (outcome instanceof Promise) outcome.then(then, then);
  else then(outcome);
}

/** What every request passes before its body is read, whatever its route. */
export const admission = fp<{ readonly limit: Limiter }>(async (app: FastifyInstance, { limit }) => {
  app.addHook('onRequest', (request, reply, done) => {
    const { raw, routeOptions } = request;
    if (!isHost(request.host) || !isTarget(raw.url ?? '')) {
      reply.code(400).send({ detail: 'The address is not valid.' });
      return;
    }
    if (routeOptions.config.authenticates || PROBES.has(routeOptions.url ?? '')) return done();
    settle(limit(request), (error) => {
      if (error) return done(error);
      if (!request.is404) return done();
      if (METHODS.has(request.method)) reply.code(404).send({ detail: 'Not found.' });
      else methodNotAllowed(request, reply, METHODS);
    });
  });
});

/** Who is calling, and whether he may call so often. Both are decided before the body is read. */
export function authenticated(app: FastifyInstance, limit: Limiter): void {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, authenticates: true };
  });
  app.addHook('onRequest', (request, _reply, done) => {
    const admit = (actor: Actor | null) => {
      request.actor = actor;
      settle(limit(request), done);
    };
    // A rejected token counts against the rate limit of the client IP.
    const refuse = (refusal: Error) => settle(limit(request), (error) => done(error ?? refusal));
    const found = app.authenticate(request);
    if (found instanceof Promise) found.then(admit, refuse);
    else admit(found);
  });
}

/** No operation answers anonymous callers, so their bodies are not read. */
export function requireActor(request: FastifyRequest, _reply: FastifyReply, done: Done): void {
  done(request.actor === null ? notAuthenticated({}) : undefined);
}
