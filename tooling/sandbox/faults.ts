import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';

/** How a service misbehaves, for requests whose path matches. */
export const fault = z.object({
  method: z.string().optional(),
  path: z.string().describe('Regular expression on the path.'),
  latencyMs: z.int().min(0).max(60_000).optional(),
  status: z.int().min(200).max(599).optional(),
  body: z.unknown().optional(),
  garbage: z.boolean().optional().describe('Answer a page instead of JSON.'),
  hang: z.boolean().optional().describe('Never answer.'),
  drop: z.boolean().optional().describe('Cut the connection.'),
  times: z.int().min(1).optional().describe('How often; always unless given.'),
});
export type Fault = z.infer<typeof fault>;

export class Faults {
  #active: { fault: Fault; pattern: RegExp; left: number }[] = [];

  add(added: Fault): void {
    this.#active.push({ fault: added, pattern: new RegExp(added.path), left: added.times ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#active = [];
  }

  /** True when the fault has answered, or never will. */
  async apply(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    if (this.#active.length === 0) return false;
    const [path = ''] = request.url.split('?');
    const found = this.#active.find(({ fault: { method }, pattern, left }) => left > 0 && (method ?? request.method) === request.method && pattern.test(path));
    if (!found) return false;
    found.left -= 1;
    const { latencyMs, status, body, garbage, hang, drop } = found.fault;
    if (latencyMs) await sleep(latencyMs);
    if (drop || hang) {
      reply.hijack();
      if (drop) request.raw.destroy();
      return true;
    }
    if (garbage) reply.type('text/html').send('<html><body>Bad gateway</body></html>');
    else if (status !== undefined) reply.code(status).send(body ?? { detail: 'Fault.' });
    return reply.sent;
  }
}
