import type { Readable } from 'node:stream';
import { DEFAULT_BODY_LIMIT_BYTES, throttled } from '@enterprise-access/domain';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { isOutOfBounds } from './json-bounds.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Reads a JSON body as text, within the limits of size, time, depth and number of values. */
    readJson(request: FastifyRequest, payload: Readable, limitBytes: number): Promise<string>;
  }
}

export interface BodyOptions {
  /** Time limit for a body of the default size. Larger bodies get proportionally more. */
  readonly timeoutMs: number;
}

/** Minimum upload rate of a large body, in bytes per millisecond. */
const SLOWEST_RATE = 256;
/** Bodies above the default limit that one actor may have in transit, and all actors together. */
const LARGE_PER_ACTOR = 2;
const LARGE_IN_ALL = 16;
const RETRY_SECONDS = 2;

const refusal = (statusCode: number, message: string) => Object.assign(new Error(message), { statusCode });
export const tooLarge = () => refusal(413, 'Request body is too large.');
const tooSlow = () => refusal(408, 'The request body did not arrive in time.');
export const outOfBounds = () => refusal(400, 'The JSON is nested too deeply or holds too many values.');

/** Counts large bodies in transit, so that their memory is bounded. */
function largeBodies() {
  const byActor = new Map<number | null, number>();
  let total = 0;
  const add = (actor: number | null, change: number) => {
    total += change;
    const count = (byActor.get(actor) ?? 0) + change;
    if (count > 0) byActor.set(actor, count);
    else byActor.delete(actor);
  };
  return {
    /** Reserves a slot; call the result to release it. */
    take(actor: number | null): () => void {
      if (total >= LARGE_IN_ALL || (byActor.get(actor) ?? 0) >= LARGE_PER_ACTOR)
        throw throttled({ retryAfterSeconds: RETRY_SECONDS });
      add(actor, 1);
      return () => add(actor, -1);
    },
  };
}

type LargeBodies = ReturnType<typeof largeBodies>;

interface Reading {
  readonly limitBytes: number;
  readonly timeoutMs: number;
  readonly actor: number | null;
}

/** Reads the bytes of a body. Stops at the limit; the rest is drained after the reply. */
function readBytes(payload: Readable, large: LargeBodies, { limitBytes, timeoutMs, actor }: Reading): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let release: (() => void) | null = null;
    const end = (settle: () => void) => {
      clearTimeout(timer);
      payload.off('data', onData).off('end', onEnd).off('error', onFailure).off('close', onClose);
      release?.();
      settle();
    };
    const onFailure = (error: Error) => end(() => reject(error));
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > limitBytes) return onFailure(tooLarge());
      try {
        if (length > DEFAULT_BODY_LIMIT_BYTES) release ??= large.take(actor);
      } catch (error) {
        return onFailure(error as Error);
      }
      chunks.push(chunk);
    };
    const onEnd = () => end(() => resolve(Buffer.concat(chunks, length)));
    // The client disconnected; nobody reads this reply.
    const onClose = () => onFailure(refusal(400, 'The request body is incomplete.'));
    const timer = setTimeout(() => onFailure(tooSlow()), timeoutMs);
    payload.on('data', onData).on('end', onEnd).on('error', onFailure).on('close', onClose);
  });
}

export const bodies = fp<BodyOptions>(async (app: FastifyInstance, options) => {
  const large = largeBodies();
  app.decorate('readJson', async (request: FastifyRequest, payload: Readable, limitBytes: number) => {
    // Refuse by `Content-Length`, before any of the body is read.
    if (Number(request.headers['content-length']) > limitBytes) throw tooLarge();
    const timeoutMs = options.timeoutMs + Math.max(0, limitBytes - DEFAULT_BODY_LIMIT_BYTES) / SLOWEST_RATE;
    const bytes = await readBytes(payload, large, { limitBytes, timeoutMs, actor: request.actor?.userId ?? null });
    const text = bytes.toString('utf8');
    if (isOutOfBounds(text)) throw outOfBounds();
    return text;
  });
});
