import { type Composition, codeOfStatus, domainErrorOf, type RpcContext } from '@enterprise-access/domain';
import { getTRPCErrorShape, TRPCError, transformTRPCResponse } from '@trpc/server';
import { type FastifyTRPCPluginOptions, fastifyTRPCPlugin } from '@trpc/server/adapters/fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** The tRPC transport. It replaces the JSON parser of its scope, so it is registered in a scope of its own. */
export async function trpc(
  app: FastifyInstance,
  options: { service: Pick<Composition, 'appRouter'>; contextOf: (request: FastifyRequest) => RpcContext },
): Promise<void> {
  const { appRouter } = options.service;
  // What is refused before a procedure is reached, such as a bad token, is still an error that tRPC clients can read.
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const domain = domainErrorOf(error);
    const status = domain?.spec.status ?? error.statusCode ?? 500;
    if (status >= 500 && !domain) request.log.error({ err: error }, 'request failed');
    const wrapped = new TRPCError({
      code: codeOfStatus(status),
      message: error.message,
      cause: error,
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
    return reply.code(status).send(transformTRPCResponse(appRouter._def._config, { error: withId }));
  });
  // The plugin hands forms on unread, without a bound on their length; no procedure takes one.
  app.addHook('onRequest', ({ headers }, _reply, done) => {
    const isForm = headers['content-type']?.trim().toLowerCase().startsWith('multipart/');
    done(isForm ? Object.assign(new Error('Unsupported Media Type'), { statusCode: 415 }) : undefined);
  });
  await app.register(fastifyTRPCPlugin, {
    prefix: '/trpc',
    trpcOptions: {
      router: appRouter,
      createContext: async ({ req, res, info }) => {
        const context = options.contextOf(req);
        if (info.type !== 'subscription') return context;
        return { ...context, signal: app.openStreams.open(res, context.actor) };
      },
      maxBatchSize: 20,
      // Questions that are too long for an address, such as two hundred course runs, come in a body.
      allowMethodOverride: true,
      onError: ({ error, req, path }) => {
        if (error.code !== 'INTERNAL_SERVER_ERROR' || domainErrorOf(error)) return;
        req.log.error({ err: error.cause ?? error, operation: path }, 'request failed');
      },
    } satisfies FastifyTRPCPluginOptions<typeof appRouter>['trpcOptions'],
  });
}
