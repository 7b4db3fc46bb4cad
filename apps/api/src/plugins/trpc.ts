import { appRouter, domainErrorOf, type RpcContext } from '@enterprise-access/domain';
import { type FastifyTRPCPluginOptions, fastifyTRPCPlugin } from '@trpc/server/adapters/fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** The tRPC door. It replaces the JSON parser of its scope, so it is registered in a scope of its own. */
export async function trpc(
  app: FastifyInstance,
  options: { contextOf: (request: FastifyRequest) => Promise<RpcContext> },
): Promise<void> {
  await app.register(fastifyTRPCPlugin, {
    prefix: '/trpc',
    trpcOptions: {
      router: appRouter,
      createContext: ({ req }) => options.contextOf(req),
      maxBatchSize: 20,
      onError: ({ error, req, path }) => {
        if (error.code !== 'INTERNAL_SERVER_ERROR' || domainErrorOf(error)) return;
        req.log.error({ err: error.cause ?? error, operation: path }, 'request failed');
      },
    } satisfies FastifyTRPCPluginOptions<typeof appRouter>['trpcOptions'],
  });
}
