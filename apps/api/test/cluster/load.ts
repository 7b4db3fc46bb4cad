import { setTimeout as sleep } from 'node:timers/promises';
import { demonstration, learnerToken, run } from '../support/harness.ts';

const PATIENCE_MS = 60_000;

export interface Tally {
  /** Replies by status; `500` and `no reply` must not be among them. */
  readonly replies: Map<string, number>;
  /** Uuids of transactions that were acknowledged. */
  readonly acknowledged: string[];
  slowestMs: number;
}

async function attempt(url: string, learner: number): Promise<{ status: string; uuid: string | null }> {
  try {
    const reply = await fetch(`${url}/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`, {
      method: 'POST',
      headers: { authorization: `JWT ${learnerToken(learner)}`, 'content-type': 'application/json' },
      body: JSON.stringify({ lms_user_id: learner, content_key: run }),
    });
    const body = (await reply.json()) as { uuid?: string };
    const isUndated = reply.status === 503 && reply.headers.get('retry-after') === null;
    return { status: isUndated ? '503 without Retry-After' : String(reply.status), uuid: body.uuid ?? null };
  } catch {
    return { status: 'no reply', uuid: null };
  }
}

/** Redeems once per learner with a number of concurrent clients; retries after a 503. */
export async function redeemAll(
  urls: readonly string[],
  options: { learners: number; clients: number; onReply?: (count: number) => void },
): Promise<Tally> {
  const tally: Tally = { replies: new Map(), acknowledged: [], slowestMs: 0 };
  const waiting = Array.from({ length: options.learners }, (_, index) => 1_000 + index);
  let count = 0;
  const client = async () => {
    for (let learner = waiting.shift(); learner !== undefined; learner = waiting.shift()) {
      const url = urls[learner % urls.length] ?? '';
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const since = performance.now();
        const { status, uuid } = await attempt(url, learner);
        tally.slowestMs = Math.max(tally.slowestMs, performance.now() - since);
        tally.replies.set(status, (tally.replies.get(status) ?? 0) + 1);
        count += 1;
        options.onReply?.(count);
        if (status === '200' && uuid !== null) tally.acknowledged.push(uuid);
        if (status !== '503' || Date.now() > deadline) break;
        await sleep(250);
      }
    }
  };
  await Promise.all(Array.from({ length: options.clients }, client));
  return tally;
}

/** Replies that are neither a success, a declared refusal, nor a 503 with Retry-After. */
export const unexpected = ({ replies }: Tally): string[] =>
  [...replies.keys()].filter((status) => !['200', '422', '503'].includes(status));
