import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';

/** A fault to inject. `path` is a prefix, or a regular expression; one that starts with `/` is anchored. */
export const faultBody = z.strictObject({
  method: z.string().optional(),
  path: z.string().min(1),
  latencyMs: z.int().min(0).optional(),
  status: z.int().min(200).max(599).optional(),
  body: z.unknown().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  garbage: z.boolean().optional(),
  hang: z.boolean().optional(),
  dropConnection: z.boolean().optional(),
  /** Executes the request but drops the connection instead of replying. */
  loseReply: z.boolean().optional(),
  times: z.int().min(1).optional(),
});

export type FaultSpec = z.output<typeof faultBody>;

export interface Fault {
  spec: FaultSpec;
  matches(method: string, url: string): boolean;
  left: number;
}

const GARBAGE = '<!doctype html><html><body><h1>It works!</h1><!-- not what you asked for';

/** Compiles the expression; an invalid one is used as a prefix, because content keys contain `+`. */
function compile(path: string): RegExp | undefined {
  try {
    return new RegExp(path.startsWith('/') ? `^(?:${path})` : path);
  } catch {
    return undefined;
  }
}

export function faultFrom(spec: FaultSpec): Fault {
  const pattern = compile(spec.path);
  const method = spec.method?.toUpperCase();
  return {
    spec,
    left: spec.times ?? Number.POSITIVE_INFINITY,
    matches: (requestMethod, url) => {
      if (method !== undefined && method !== requestMethod) return false;
      const [path = url] = url.split('?', 1);
      return url.startsWith(spec.path) || pattern?.test(path) === true || pattern?.test(url) === true;
    },
  };
}

/** Takes the first matching fault. Older faults come first, so that a test can queue a sequence. */
export function takeFault(faults: Fault[], method: string, url: string): FaultSpec | undefined {
  const index = faults.findIndex((fault) => fault.matches(method, url));
  const fault = faults[index];
  if (!fault) return undefined;
  fault.left -= 1;
  if (fault.left <= 0) faults.splice(index, 1);
  return fault.spec;
}

/** Requests that are executed but get no reply. */
const unanswered = new WeakSet<FastifyRequest>();

/** Just before a reply is sent: the last moment to lose it. */
export function loseReply(request: FastifyRequest): void {
  // The request has been read to its end, so that ending it would leave the connection open.
  if (unanswered.has(request)) request.raw.socket.destroy();
}

/** Injects a fault. `proceed` continues with the real answer, for faults that only delay. */
export function misbehave(spec: FaultSpec, request: FastifyRequest, reply: FastifyReply, proceed: () => void): void {
  const act = () => {
    if (spec.hang) {
      // The socket stays open until the client gives up or the sandbox closes.
      reply.hijack();
    } else if (spec.dropConnection) {
      reply.hijack();
      request.raw.destroy();
    } else if (spec.garbage) {
      reply
        .code(spec.status ?? 200)
        .type('text/html')
        .send(GARBAGE);
    } else if (spec.status !== undefined || spec.body !== undefined) {
      const body = spec.body === undefined ? { detail: 'Injected fault.' } : spec.body;
      const isText = typeof body === 'string';
      reply
        .code(spec.status ?? 200)
        .type(isText ? 'text/plain' : 'application/json')
        .headers(spec.headers ?? {});
      reply.send(isText ? body : JSON.stringify(body));
    } else {
      if (spec.loseReply) unanswered.add(request);
      proceed();
    }
  };
  if (spec.latencyMs) setTimeout(act, spec.latencyMs);
  else act();
}
