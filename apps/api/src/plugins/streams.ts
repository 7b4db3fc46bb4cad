import { type Actor, throttled } from '@enterprise-access/domain';
import type { FastifyInstance, FastifyReply } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    readonly openStreams: OpenStreams;
  }
}

interface OpenStreams {
  /** Counts a reply that goes on and on; the signal says when to end it. */
  open(reply: FastifyReply, actor: Actor | null): AbortSignal;
  /** Streams that are open at the moment. */
  readonly size: number;
}

/** A page opens a few; somebody with more than this holds connections of others. */
const PER_ACTOR = 100;
const RETRY_SECONDS = 10;

/** Streams never end by themselves while a process stops, so they are ended first: their clients go elsewhere. */
export const streams = fp(async (app: FastifyInstance) => {
  const open = new Map<AbortController, number | undefined>();
  app.decorate('openStreams', {
    open(reply: FastifyReply, actor: Actor | null) {
      const id = actor?.userId;
      const own = [...open.values()].filter((each) => each === id).length;
      if (own >= PER_ACTOR) throw throttled({ retryAfterSeconds: RETRY_SECONDS });
      const controller = new AbortController();
      open.set(controller, id);
      reply.raw.once('close', () => {
        open.delete(controller);
        controller.abort();
      });
      return controller.signal;
    },
    get size() {
      return open.size;
    },
  });
  app.addHook('preClose', async () => {
    for (const controller of open.keys()) controller.abort();
  });
});
