import { randomUUID } from 'node:crypto';
import {
  type Actor,
  type Composition,
  DEFAULT_BODY_LIMIT_BYTES,
  service as ofAllSlices,
  type RpcContext,
  type Runtime,
} from '@enterprise-access/domain';
import type { Shared } from '@enterprise-access/platform';
import cookie from '@fastify/cookie';
import cors from '@fastify/cors';
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Environment } from './env.ts';
import { isTrustedOrigin } from './origins.ts';
import { admission, authenticated } from './plugins/admission.ts';
import { auth } from './plugins/auth.ts';
import { bodies } from './plugins/bodies.ts';
import { answerClientError, connections, MAXIMUM_HEADER_BYTES } from './plugins/connections.ts';
import { docs } from './plugins/docs.ts';
import { headers } from './plugins/headers.ts';
import { health } from './plugins/health.ts';
import { jobDashboard } from './plugins/job-dashboard.ts';
import { metrics } from './plugins/metrics.ts';
import { rateLimiter } from './plugins/rate-limit.ts';
import { handleError, rest } from './plugins/rest.ts';
import { streams } from './plugins/streams.ts';
import { tracing } from './plugins/tracing.ts';
import { trpc } from './plugins/trpc.ts';
import { throttleCounter } from './throttles.ts';
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

/** Bound on receiving a request, for what no other bound covers. */
const REQUEST_MS = 60_000;
const HEADERS_MS = 10_000;
const BOUNDS_CHECK_MS = 2_000;
/** How long browsers remember the reply to a preflight. */
const DAY_SECONDS = 86_400;

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
    bodyLimit: DEFAULT_BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_MS,
    http: {
      maxHeaderSize: MAXIMUM_HEADER_BYTES,
      headersTimeout: HEADERS_MS,
      connectionsCheckingInterval: BOUNDS_CHECK_MS,
    },
    clientErrorHandler: answerClientError,
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    // One line per request of our own, below.
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, _request, reply) => refuseAddress(error, reply as unknown as FastifyReply),
    // Contracts refuse parameters that are too long, in the operation's own words.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAXIMUM_HEADER_BYTES },
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

  await app.register(connections, {
    maximum: env.CONNECTION_LIMIT,
    // Behind a proxy every connection has the proxy's address.
    maximumPerAddress: env.TRUST_PROXY > 0 ? null : Math.ceil(env.CONNECTION_LIMIT / 4),
  });
  await app.register(headers);
  // The CORS plugin would answer what is no preflight with plain text.
  app.addHook('onRequest', (request, reply, done) => {
    const { origin, 'access-control-request-method': method } = request.headers;
    if (request.method !== 'OPTIONS' || (origin !== undefined && method !== undefined)) return done();
    reply.code(405).send({ detail: 'Method "OPTIONS" not allowed.' });
  });
  await app.register(cors, {
    origin: (origin, done) => done(null, origin !== undefined && isTrustedOrigin(env, origin)),
    credentials: true,
    maxAge: DAY_SECONDS,
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
    exposedHeaders: ['X-Request-ID', 'X-Decision-Id', 'Retry-After'],
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
  });
  const limit = rateLimiter(throttleCounter(runtime.shared ?? null, runtime.clock), env);
  await app.register(admission, { limit });
  await app.register(bodies, { timeoutMs: env.BODY_TIMEOUT_MS });
  await app.register(cookie);
  await app.register(auth, {
    verify: tokenVerifier(env),
    actorOf: actorsFor(runtime, service),
    isTrustedOrigin: (origin) => isTrustedOrigin(env, origin) || env.CSRF_TRUSTED_ORIGINS.includes(origin),
    secureCookies: env.NODE_ENV === 'production',
  });
  await app.register(health, { db: runtime.db, isAccepting });
  await app.register(docs);
  await app.register(streams);
  await app.register(metrics, { db: runtime.db });

  await app.register(async (doors) => {
    authenticated(doors, limit);
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
