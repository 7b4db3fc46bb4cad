import { type Operation, operations, transformer } from '@enterprise-access/domain';
import fc from 'fast-check';
import { z } from 'zod';
import { inputsOf } from './inputs.ts';

/** Sender of the requests: a token, or anonymous. */
export interface Caller {
  readonly name: string;
  readonly token: string | null;
}

export interface Sent {
  requests: number;
  readonly statuses: Record<string, number>;
  /** Failures, with the request to reproduce each. */
  readonly failures: string[];
}

const failure = z.object({
  error: z.object({
    json: z.object({
      message: z.string(),
      data: z.object({ httpStatus: z.int(), code: z.string(), domain: z.object({ code: z.string() }).optional() }),
    }),
  }),
});

/** How a reply violates its contract; null if it does not. */
function problemOf({ contract }: Operation, status: number, body: unknown): string | null {
  if (status >= 500) return 'a failure of the server';
  if (status < 400) {
    const data = z.object({ result: z.object({ data: z.unknown() }) }).safeParse(body).data;
    if (data === undefined) return 'no result';
    const output = transformer.output.deserialize(
      data.result.data as Parameters<typeof transformer.output.deserialize>[0],
    );
    const parsed = contract.output.safeParse(output);
    return parsed.success ? null : `an output against the contract: ${parsed.error.message.slice(0, 300)}`;
  }
  const parsed = failure.safeParse(body);
  if (!parsed.success) return 'an error without its parts';
  return parsed.data.error.json.data.httpStatus === status ? null : 'a status that is not that of the line';
}

/** Sends a number of tRPC calls, distributed over all operations, and validates every reply against its contract. */
export async function sendTrpc(
  url: string,
  { name, token }: Caller,
  wanted: { readonly requests: number; readonly seed: number },
): Promise<Sent> {
  const sent: Sent = { requests: 0, statuses: {}, failures: [] };
  const perOperation = Math.ceil(wanted.requests / operations.length);
  const headers = token === null ? {} : { authorization: `JWT ${token}` };
  const work = operations.map(async (operation) => {
    const { id, contract } = operation;
    // Samples instead of a property, so that one failure does not end the operation's turn.
    for (const input of fc.sample(inputsOf(contract.input), { numRuns: perOperation, seed: wanted.seed })) {
      const body = JSON.stringify(transformer.input.serialize(input)).toWellFormed();
      const isQuery = contract.kind === 'query';
      const address = isQuery ? `${url}/trpc/${id}?input=${encodeURIComponent(body)}` : `${url}/trpc/${id}`;
      if (isQuery && address.length > 12_000) continue;
      const reply = await fetch(address, {
        ...(isQuery ? {} : { method: 'POST', body }),
        headers: { ...headers, ...(isQuery ? {} : { 'content-type': 'application/json' }) },
      });
      const text = await reply.text();
      sent.requests += 1;
      sent.statuses[reply.status] = (sent.statuses[reply.status] ?? 0) + 1;
      const problem = judged(() => problemOf(operation, reply.status, JSON.parse(text)));
      if (problem !== null) {
        sent.failures.push(
          `trpc ${id} as ${name}: ${problem}\n  ${body.slice(0, 1_000)}\n  ${reply.status} ${text.slice(0, 500)}`,
        );
      }
    }
  });
  await Promise.all(work);
  return sent;
}

function judged(judge: () => string | null): string | null {
  try {
    return judge();
  } catch (error) {
    return `a reply that cannot be read: ${String(error)}`;
  }
}
