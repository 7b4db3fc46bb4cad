import { randomUUID } from 'node:crypto';
import {
  type Actor,
  type Composition,
  service as ofAllSlices,
  type RpcContext,
  type Runtime,
} from '@enterprise-access/domain';
import type { Shared } from '@enterprise-access/platform';
import cookie from '@fastify/cookie';
import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Environment } from './env.ts';
import { auth } from './plugins/auth.ts';
import { docs } from './plugins/docs.ts';
import { headers } from './plugins/headers.ts';
import { health } from './plugins/health.ts';
import { jobDashboard } from './plugins/job-dashboard.ts';
import { metrics } from './plugins/metrics.ts';
import { handleError, rest } from './plugins/rest.ts';
import { streams } from './plugins/streams.ts';
import { tracing } from './plugins/tracing.ts';
import { trpc } from './plugins/trpc.ts';
import { throttleStore } from './throttles.ts';
import { tokenVerifier } from './tokens.ts';
import { actorsFor } from './users.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Ids of all operations: names that logs and metrics may hold. */
    operationIds: ReadonlySet<string>;
  }
  interface FastifyRequest {
    actor: Actor | null;
  }
}

const REQUEST_ID = /^[\w.:+/=-]{1,128}$/;

export interface AppOptions {
  readonly env: Environment;
  readonly runtime: Runtime & Partial<Shared>;
  readonly logger?: FastifyBaseLogger;
  readonly isAccepting?: () => boolean;
  /** Other slices than all of them, for tests. */
  readonly service?: Composition;
}

/** A path that no route can have. The framework's own words would repeat it. */
function refuseAddress({ code }: { code: string }, reply: FastifyReply): void {
  if (code === 'FST_ERR_MAX_PARAM_LENGTH') reply.code(404).send({ detail: 'Not found.' });
  else reply.code(400).send({ detail: 'The address is not valid.' });
}

const tooMany = (seconds: number): Error =>
  Object.assign(new Error(`Request was throttled. Expected available in ${seconds} seconds.`), { statusCode: 429 });

/** The HTTP application: both transports, their documents, and what operators look at. */
export async function buildApp({
  env,
  runtime,
  logger,
  isAccepting = () => true,
  service = ofAllSlices,
}: AppOptions): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify({
    ...(logger ? { loggerInstance: logger } : { logger: false }),
    // Each proxy adds the address that it was called from at the end; what stands before was written by anybody.
    trustProxy: env.TRUST_PROXY > 0 && ((_address, hop) => hop < env.TRUST_PROXY),
    bodyLimit: env.BODY_LIMIT_BYTES,
    requestTimeout: 60_000,
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    // One line per request of our own, below.
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, _request, reply) => refuseAddress(error, reply as unknown as FastifyReply),
    // As long as a request line can be: what is too long for a parameter is refused by its contract, in the operation's own words.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 16_384 },
    genReqId: (request) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    },
  });
  app.decorateRequest('actor', null);
  app.decorate('operationIds', new Set([...service.operations, ...service.streams].map(({ id }) => id)));
  await app.register(tracing);
  app.addHook('onResponse', (request, reply, done) => {
    request.log.info(
      {
        req: request,
        status: reply.statusCode,
        operation: request.routeOptions.config.operation,
        actor: request.actor?.userId,
        ms: Math.round(reply.elapsedTime * 10) / 10,
      },
      'request',
    );
    done();
  });
  app.setErrorHandler((error, request, reply) => handleError(error, request, reply));
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ detail: 'Not found.' }));
  app.removeContentTypeParser('text/plain');

  await app.register(headers);
  await app.register(cors, {
    origin: [...env.CORS_ORIGINS],
    credentials: true,
    allowedHeaders: [
      'accept',
      'authorization',
      'content-type',
      'user-agent',
      'x-csrftoken',
      'x-requested-with',
      'x-request-id',
      'use-jwt-cookie',
      'idempotency-key',
      // What tracing adds, of the SDK's callers too, and what tRPC's own links send.
      'traceparent',
      'tracestate',
      'baggage',
      'trpc-accept',
      ...env.CORS_ALLOW_HEADERS_EXTRA,
    ],
    exposedHeaders: ['X-Request-ID', 'Retry-After'],
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
  });
  await app.register(cookie);
  await app.register(auth, {
    verify: tokenVerifier(env),
    actorOf: actorsFor(runtime, service),
    trustedOrigins: [...env.CORS_ORIGINS, ...env.CSRF_TRUSTED_ORIGINS],
    secureCookies: env.NODE_ENV === 'production',
  });
  await app.register(health, { db: runtime.db, isAccepting });
  await app.register(docs);
  await app.register(streams);
  await app.register(metrics, { db: runtime.db });

  await app.register(async (doors) => {
    await doors.register(rateLimit, {
      hook: 'preHandler',
      timeWindow: 60_000,
      store: throttleStore(runtime.shared ?? null, runtime.clock),
      max: (request) => (request.actor ? env.THROTTLE_ACTOR_PER_MINUTE : env.THROTTLE_ANONYMOUS_PER_MINUTE),
      keyGenerator: (request) => (request.actor ? `actor:${request.actor.userId}` : `address:${request.ip}`),
      addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
      errorResponseBuilder: (_request, { ttl }) => tooMany(Math.ceil(ttl / 1000)),
    });
    const counted = doors.createRateLimit();
    /** Whoever brings a token that is not accepted is nobody, and uses up the share of the address. */
    const refuse = async (request: FastifyRequest, reply: FastifyReply, error: Error): Promise<Error> => {
      const count = await counted(request);
      if (count.isAllowed || !count.isExceeded) return error;
      reply.header('Retry-After', String(count.ttlInSeconds));
      return tooMany(count.ttlInSeconds);
    };
    // Who is calling decides whose share of requests is used up, so it comes first.
    doors.addHook('onRequest', (request, reply, done) => {
      const actor = app.authenticate(request);
      if (!(actor instanceof Promise)) {
        request.actor = actor;
        return done();
      }
      actor.then(
        (found) => {
          request.actor = found;
          done();
        },
        (error: Error) => refuse(request, reply, error).then(done, done),
      );
    });
    const contextOf = (request: FastifyRequest): RpcContext => {
      const key = request.headers['idempotency-key'];
      return {
        runtime,
        actor: request.actor,
        requestId: request.id,
        idempotencyKey: typeof key === 'string' ? key : null,
      };
    };
    await doors.register(rest, { service, contextOf });
    await doors.register(trpc, { service, contextOf });
    const jobsDatabaseUrl = env.JOBS_DATABASE_URL;
    if (jobsDatabaseUrl !== undefined) await doors.register(jobDashboard, { jobsDatabaseUrl });
  });
  return app;
}
