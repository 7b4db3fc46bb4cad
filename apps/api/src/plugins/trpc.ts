import type { IncomingMessage } from 'node:http';
import {
  type Composition,
  codeOfStatus,
  DEFAULT_BODY_LIMIT_BYTES,
  domainErrorOf,
  INTERNAL_ERROR,
  invalidInput,
  type RpcContext,
} from '@enterprise-access/domain';
import { getTRPCErrorShape, TRPCError, transformTRPCResponse } from '@trpc/server';
import { type FastifyTRPCPluginOptions, fastifyRequestHandler } from '@trpc/server/adapters/fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { requireActor } from './admission.ts';
import { outOfBounds } from './bodies.ts';
import { isOutOfBounds } from './json-bounds.ts';
import { retryAfterSeconds } from './retry-after.ts';

const METHODS = ['GET', 'HEAD', 'POST'];
const MAXIMUM_BATCH = 20;

type Params = { path: string };
type Query = { batch?: string; input?: string | string[] };

/** The body limit of a batch is the sum of the limits of its operations. */
function bodyLimitOf(request: FastifyRequest, declared: ReadonlyMap<string, number | undefined>): number {
  const { path } = request.params as Params;
  const { batch } = request.query as Query;
  const ids = batch === '1' ? path.split(',', MAXIMUM_BATCH) : [path];
  return ids.reduce((sum, id) => sum + (declared.get(id) ?? DEFAULT_BODY_LIMIT_BYTES), 0);
}

/** With several mutations in a batch, the key would be ambiguous. */
const KEY_OF_SEVERAL = 'Several mutations in one request cannot share this header: send each in a request of its own.';

/** The tRPC transport. It replaces the JSON parser of its scope, so it is registered in a scope of its own. */
export async function trpc(
  app: FastifyInstance,
  options: {
    service: Pick<Composition, 'appRouter' | 'operations' | 'streams'>;
    contextOf: (request: FastifyRequest) => RpcContext;
  },
): Promise<void> {
  const { appRouter, operations, streams } = options.service;
  const isPublic = new Set(
    operations.filter(({ contract }) => contract.permission.open === 'anyone').map(({ id }) => id),
  );
  const declared = new Map([...operations, ...streams].map(({ id, contract }) => [id, contract.bodyLimitBytes]));
  // Errors before a procedure is reached, such as a rejected token, are sent in tRPC's format too.
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const domain = domainErrorOf(error);
    const status = domain?.spec.status ?? error.statusCode ?? 500;
    if (status >= 500 && !domain) request.log.error({ err: error }, 'request failed');
    const wrapped = new TRPCError({
      code: codeOfStatus(status),
      message: status >= 500 && !domain ? INTERNAL_ERROR : error.message,
      // Undeclared causes are dropped: their messages can be internal.
      cause: domain ?? undefined,
    });
    const shape = getTRPCErrorShape({
      config: appRouter._def._config,
      error: wrapped,
      type: 'unknown',
      path: undefined,
      input: undefined,
      ctx: undefined,
    });
    const withId = { ...shape, data: { ...shape.data, requestId: request.id } };
    if (status === 401) reply.header('WWW-Authenticate', 'JWT realm="api"');
    const retryAfter = domain && retryAfterSeconds(domain);
    if (retryAfter !== null) reply.header('Retry-After', String(retryAfter));
    return reply.code(status).send(transformTRPCResponse(appRouter._def._config, { error: withId }));
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (request: FastifyRequest, payload: IncomingMessage) =>
    app.readJson(request, payload, bodyLimitOf(request, declared)),
  );
  app.addHook('preHandler', (request, _reply, done) => {
    const { input } = request.query as Query;
    done(input !== undefined && [input].flat().some(isOutOfBounds) ? outOfBounds() : undefined);
  });
  const handlerOptions = {
    router: appRouter,
    createContext: async ({ req, res, info }) => {
      const context = options.contextOf(req);
      if (info.type === 'mutation' && info.calls.length > 1 && context.idempotencyKey !== null)
        throw invalidInput({ fields: { idempotency_key: [KEY_OF_SEVERAL] } });
      if (info.type !== 'subscription') return context;
      return { ...context, signal: app.openStreams.open(res, context.actor) };
    },
    maxBatchSize: MAXIMUM_BATCH,
    // Queries that are too long for a URL, such as two hundred course runs, are sent by POST.
    allowMethodOverride: true,
    responseMeta: ({ errors }) => {
      const waits = errors.map((error) => {
        const domain = domainErrorOf(error);
        return domain && retryAfterSeconds(domain);
      });
      const known = waits.filter((wait) => wait !== null);
      return known.length === 0 ? {} : { headers: { 'retry-after': String(Math.max(...known)) } };
    },
    onError: ({ error, req, path }) => {
      if (error.code !== 'INTERNAL_SERVER_ERROR' || domainErrorOf(error)) return;
      req.log.error({ err: error.cause ?? error, operation: path }, 'request failed');
    },
  } satisfies FastifyTRPCPluginOptions<typeof appRouter>['trpcOptions'];
  app.route<{ Params: Params }>({
    method: METHODS,
    url: '/trpc/:path',
    // Refuse anonymous POSTs before the body is read; queries and streams are refused by the procedure, in its format.
    onRequest: (request, reply, done) => {
      const ids = request.params.path.split(',', MAXIMUM_BATCH);
      if (request.method !== 'POST' || ids.every((id) => isPublic.has(id))) done();
      else requireActor(request, reply, done);
    },
    handler: async (req, res) => {
      await fastifyRequestHandler({ ...handlerOptions, req, res, path: req.params.path });
    },
  });
  app.route({
    method: app.supportedMethods.filter((method) => !METHODS.includes(method)),
    url: '/trpc/:path',
    onRequest: (request, reply, done) => {
      reply.header('Allow', METHODS.join(', '));
      done(Object.assign(new Error(`Method "${request.method}" not allowed.`), { statusCode: 405 }));
    },
    handler: () => undefined,
  });
}
