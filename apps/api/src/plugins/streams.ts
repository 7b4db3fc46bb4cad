import { type Actor, throttled } from '@enterprise-access/domain';
import type { FastifyInstance, FastifyReply } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    readonly openStreams: OpenStreams;
  }
}

interface OpenStreams {
  /** Registers a streaming reply; the returned signal aborts it. */
  open(reply: FastifyReply, actor: Actor | null): AbortSignal;
  /** Number of open streams. */
  readonly size: number;
}

/** Streams per actor. A page opens a few; more would take connections away from others. */
const PER_ACTOR = 100;
const RETRY_SECONDS = 10;

/**
 * Closes all streams first when the process stops, because they would not end by themselves; clients reconnect to
 * another process.
 */
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
