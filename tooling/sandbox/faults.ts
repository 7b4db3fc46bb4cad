import type { FastifyReply } from 'fastify';
import { z } from 'zod';

/** A fault as the control interface takes it. */
export const faultSpec = z.strictObject({
  method: z.string().toUpperCase().optional(),
  path: z.string().refine(isRegExp, 'is not a regular expression'),
  latencyMs: z.number().int().min(0).max(600_000).optional(),
  status: z.number().int().min(200).max(599).optional(),
  body: z.unknown().optional(),
  garbage: z.boolean().optional(),
  hang: z.boolean().optional(),
  times: z.number().int().min(1).optional(),
});
export type FaultSpec = z.infer<typeof faultSpec>;

function isRegExp(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

interface Fault {
  readonly spec: FaultSpec;
  readonly pattern: RegExp;
  left: number;
}

/** The faults in force. The first that matches a request applies. */
export class Faults {
  private list: readonly Fault[] = [];

  /** A fault for the same method and path replaces the earlier one. */
  put(spec: FaultSpec): void {
    const others = this.list.filter((fault) => fault.spec.path !== spec.path || fault.spec.method !== spec.method);
    this.list = [...others, { spec, pattern: new RegExp(spec.path), left: spec.times ?? Number.POSITIVE_INFINITY }];
  }

  clear(): void {
    this.list = [];
  }

  /** The fault for a request, counted as used. */
  take(method: string, path: string): FaultSpec | undefined {
    if (this.list.length === 0) return undefined;
    const found = this.list.find(
      ({ spec, pattern }) => (spec.method === undefined || spec.method === method) && pattern.test(path),
    );
    if (!found) return undefined;
    found.left -= 1;
    if (found.left <= 0) this.list = this.list.filter((fault) => fault !== found);
    return found.spec;
  }

  specs(): readonly FaultSpec[] {
    return this.list.map((fault) => fault.spec);
  }
}

/** Waits, then hangs, answers wrongly, or lets the request through. */
export function suffer(fault: FaultSpec, reply: FastifyReply, proceed: () => void): void {
  const act = () => {
    if (fault.hang) {
      reply.hijack();
    } else if (fault.garbage) {
      reply
        .code(fault.status ?? 200)
        .type('application/json')
        .send('{"results": [<html>');
    } else if (fault.status !== undefined || fault.body !== undefined) {
      const body = fault.body === undefined ? { detail: 'Injected fault.' } : fault.body;
      reply
        .code(fault.status ?? 200)
        .type('application/json')
        .send(JSON.stringify(body));
    } else {
      proceed();
    }
  };
  if (fault.latencyMs) setTimeout(act, fault.latencyMs).unref();
  else act();
}
