import { type Operation, operations, transformer } from '@enterprise-access/domain';
import fc from 'fast-check';
import { z } from 'zod';
import { inputsOf } from './inputs.ts';

/** Who sends the requests: a word before the token, or nobody. */
export interface Caller {
  readonly name: string;
  readonly token: string | null;
}

export interface Sent {
  requests: number;
  readonly statuses: Record<string, number>;
  /** What was wrong, with how to send it again. */
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

/** What a reply lacks of what its contract promises; null for a good one. */
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

/** Sends so many tRPC calls, spread over all operations, and judges every reply by the contract. */
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
    // Samples, not a property: one failure must not end the operation's turn.
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
