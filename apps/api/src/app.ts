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
import { files } from './plugins/files.ts';
import { headers } from './plugins/headers.ts';
import { health } from './plugins/health.ts';
import { jobDashboard } from './plugins/job-dashboard.ts';
import { metrics } from './plugins/metrics.ts';
import { operationLimiter, rateLimiter } from './plugins/rate-limit.ts';
import { handleError, rest } from './plugins/rest.ts';
import { streams } from './plugins/streams.ts';
import { stripeWebhook } from './plugins/stripe-webhook.ts';
import { tracing } from './plugins/tracing.ts';
import { trpc } from './plugins/trpc.ts';
import { throttleCounter } from './throttles.ts';
import { tokenVerifier } from './tokens.ts';
import { actorsFor } from './users.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Ids of all operations: the values that logs and metrics use as names. */
    operationIds: ReadonlySet<string>;
  }
  interface FastifyRequest {
    actor: Actor | null;
    /** Of the call, once it is made. */
    correlationId: string | null;
  }
}

const CORRELATION_ID = /^[\w.:+/=-]{1,128}$/;
/**
 * Callers may tie several requests together; otherwise each begins a correlation of its own. Not the id of the request,
 * which names lines of our log: customers see correlation ids.
 */
const correlationOf = ({ headers: { 'x-correlation-id': given } }: FastifyRequest): string =>
  typeof given === 'string' && CORRELATION_ID.test(given) ? given : randomUUID();
const REQUEST_ID = /^[\w.:+/=-]{1,128}$/;

export interface AppOptions {
  readonly env: Environment;
  readonly runtime: Runtime & Partial<Shared>;
  readonly logger?: FastifyBaseLogger;
  readonly isAccepting?: () => boolean;
  /** Replaces the default composition of all slices; for tests. */
  readonly service?: Composition;
}

/** Answers URLs that the router cannot parse. Fastify's own message would repeat the URL. */
function refuseAddress({ code }: { code: string }, reply: FastifyReply): void {
  if (code === 'FST_ERR_MAX_PARAM_LENGTH') reply.code(404).send({ detail: 'Not found.' });
  else reply.code(400).send({ detail: 'The address is not valid.' });
}

/** Time limit for receiving a whole request, in addition to the limits for headers and body. */
const REQUEST_MS = 60_000;
const HEADERS_MS = 10_000;
const BOUNDS_CHECK_MS = 2_000;
/** How long browsers cache the reply to a preflight. */
const DAY_SECONDS = 86_400;

/** The HTTP application: both transports, the OpenAPI document, health, metrics and the job dashboard. */
export async function buildApp({
  env,
  runtime,
  logger,
  isAccepting = () => true,
  service = ofAllSlices,
}: AppOptions): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify({
    ...(logger ? { loggerInstance: logger } : { logger: false }),
    // `X-Forwarded-For`: only the last `TRUST_PROXY` entries can be trusted; the rest is client input.
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
    // Requests are logged below, one line each.
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, _request, reply) => refuseAddress(error, reply as unknown as FastifyReply),
    // Contracts limit the length of parameters, with the operation's own error.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAXIMUM_HEADER_BYTES },
    genReqId: (request) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    },
  });
  app.decorateRequest('actor', null);
  app.decorateRequest('correlationId', null);
  app.decorate('operationIds', new Set([...service.operations, ...service.streams].map(({ id }) => id)));
  await app.register(tracing);
  app.addHook('onResponse', (request, reply, done) => {
    request.log.info(
      {
        req: request,
        status: reply.statusCode,
        operation: request.routeOptions.config.operation,
        actor: request.actor?.userId,
        correlation: request.correlationId,
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
  // The CORS plugin would answer an OPTIONS request that is not a preflight with plain text.
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
      'x-correlation-id',
      'use-jwt-cookie',
      'idempotency-key',
      // Headers of tracing, of the SDK, and of tRPC's own client links.
      'traceparent',
      'tracestate',
      'baggage',
      'trpc-accept',
      ...env.CORS_ALLOW_HEADERS_EXTRA,
    ],
    exposedHeaders: ['X-Request-ID', 'X-Decision-Id', 'Retry-After'],
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
  });
  const count = throttleCounter(runtime.shared ?? null, runtime.clock);
  const limit = rateLimiter(count, env);
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
  if (runtime.localFiles) await app.register(files, { files: runtime.localFiles });
  await app.register(streams);
  await app.register(metrics, { db: runtime.db });
  await app.register(stripeWebhook, { runtime });

  await app.register(async (transports) => {
    authenticated(transports, limit);
    const originOf = ({ headers: { origin } }: FastifyRequest): string | null =>
      origin !== undefined && isTrustedOrigin(env, origin) ? origin : null;
    const contextFrom =
      (source: RpcContext['source']) =>
      (request: FastifyRequest): RpcContext => {
        const key = request.headers['idempotency-key'];
        const correlationId = correlationOf(request);
        request.correlationId = correlationId;
        return {
          runtime,
          actor: request.actor,
          requestId: request.id,
          correlationId,
          source,
          idempotencyKey: typeof key === 'string' ? key : null,
          origin: originOf(request),
          throttle: operationLimiter(count, request.ip),
        };
      };
    await transports.register(rest, { service, contextOf: contextFrom('rest') });
    await transports.register(trpc, { service, contextOf: contextFrom('trpc') });
    const jobsDatabaseUrl = env.JOBS_DATABASE_URL;
    if (jobsDatabaseUrl !== undefined) await transports.register(jobDashboard, { jobsDatabaseUrl });
  });
  return app;
}
