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

/** A host name, IPv4 or IPv6 address, with an optional port. */
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/** Not rate limited: orchestrators call them at any rate, and restart the process if they fail. */
const PROBES = new Set(['/live', '/ready']);

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** The request line can contain an absolute URL. Only its path is used, but the URL must be valid. */
const isTarget = (target: string): boolean => target.startsWith('/') || URL.canParse(target);

const isHost = (host: string): boolean => HOST.test(host) && URL.canParse(`http://${host}`);

export const methodNotAllowed = (request: FastifyRequest, reply: FastifyReply, allowed: Iterable<string>) =>
  reply
    .code(405)
    .header('Allow', [...allowed].join(', '))
    .send({ detail: `Method "${request.method}" not allowed.` });

/** Calls `then` with the outcome, synchronously if it is already known. */
function onOutcome(outcome: Promise<Error | undefined> | Error | undefined, then: Done): void {
  if (outcome instanceof Promise) outcome.then(then, then);
  else then(outcome);
}

/** Checks of every request, on any route, before its body is read. */
export const admission = fp<{ readonly limit: Limiter }>(async (app: FastifyInstance, { limit }) => {
  app.addHook('onRequest', (request, reply, done) => {
    const { raw, routeOptions } = request;
    if (!isHost(request.host) || !isTarget(raw.url ?? '')) {
      reply.code(400).send({ detail: 'The address is not valid.' });
      return;
    }
    if (routeOptions.config.authenticates || PROBES.has(routeOptions.url ?? '')) return done();
    onOutcome(limit(request), (error) => {
      if (error) return done(error);
      if (!request.is404) return done();
      if (METHODS.has(request.method)) reply.code(404).send({ detail: 'Not found.' });
      else methodNotAllowed(request, reply, METHODS);
    });
  });
});

/** Authenticates the caller and applies the rate limit, before the body is read. */
export function authenticated(app: FastifyInstance, limit: Limiter): void {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, authenticates: true };
  });
  app.addHook('onRequest', (request, _reply, done) => {
    const admit = (actor: Actor | null) => {
      request.actor = actor;
      onOutcome(limit(request), done);
    };
    // A rejected token counts against the rate limit of the client IP.
    const refuse = (refusal: Error) => onOutcome(limit(request), (error) => done(error ?? refusal));
    const found = app.authenticate(request);
    if (found instanceof Promise) found.then(admit, refuse);
    else admit(found);
  });
}

/** Only public operations answer anonymous callers; for others their bodies are not read. */
export function requireActor(request: FastifyRequest, _reply: FastifyReply, done: Done): void {
  done(request.actor === null ? notAuthenticated({}) : undefined);
}
