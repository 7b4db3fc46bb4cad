import { setTimeout as sleep } from 'node:timers/promises';
import { answers, type Client, type Reply, refusalOf } from './client.ts';

export const FIRST_LEARNER = 1_000;
const REPEATS = 5;

export interface Outcome {
  attempted: number;
  redeemed: number;
  alreadyRedeemed: number;
  readonly refused: Map<string, number>;
  readonly errors: Map<string, number>;
  readonly canRedeemMs: number[];
  readonly redeemMs: number[];
  elapsedMs: number;
}

const emptyOutcome = (): Outcome => ({
  attempted: 0,
  redeemed: 0,
  alreadyRedeemed: 0,
  refused: new Map(),
  errors: new Map(),
  canRedeemMs: [],
  redeemMs: [],
  elapsedMs: 0,
});

const add = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);

/** Runs `work` for every item, so many at a time. */
export async function inParallel<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker));
}

/** A redemption that is being completed asks to be repeated, and never charges twice. */
async function redeem(client: Client, outcome: Outcome, userId: number, policy: string, key: string): Promise<Reply> {
  for (let attempt = 1; ; attempt += 1) {
    const reply = await client.redeem(userId, policy, key);
    outcome.redeemMs.push(reply.ms);
    if (reply.status !== 503 || attempt === REPEATS) return reply;
    await sleep(200 * attempt);
  }
}

function note(outcome: Outcome, reply: Reply, where: string): void {
  const refusal = refusalOf(reply);
  if (refusal === null) add(outcome.errors, `${where}: status ${reply.status}`);
  else add(outcome.refused, refusal);
}

async function attempt(client: Client, outcome: Outcome, userId: number, key: string): Promise<void> {
  outcome.attempted += 1;
  const asked = await client.canRedeem(userId, [key]);
  outcome.canRedeemMs.push(asked.ms);
  if (asked.status !== 200) return note(outcome, asked, 'can-redeem');
  const [answer] = answers.parse(asked.body);
  if (answer?.has_successful_redemption) {
    outcome.alreadyRedeemed += 1;
    return;
  }
  const policy = answer?.redeemable_subsidy_access_policy;
  if (!policy) {
    add(outcome.refused, answer?.reasons[0]?.reason ?? 'no reason given');
    return;
  }
  const reply = await redeem(client, outcome, userId, policy.uuid, key);
  if (reply.status === 200) outcome.redeemed += 1;
  else note(outcome, reply, 'redeem');
}

export interface Drive {
  readonly learners: number;
  readonly courses: readonly string[];
  readonly concurrency: number;
  readonly onProgress: (outcome: Outcome) => void;
}

/** Every learner asks for every course run, and redeems what they may. */
export async function drive(client: Client, { learners, courses, concurrency, onProgress }: Drive): Promise<Outcome> {
  const outcome = emptyOutcome();
  const pairs = courses.flatMap((key) =>
    Array.from({ length: learners }, (_, index) => ({ key, userId: FIRST_LEARNER + index })),
  );
  const start = performance.now();
  await inParallel(pairs, concurrency, async ({ key, userId }) => {
    try {
      await attempt(client, outcome, userId, key);
    } catch (error) {
      add(outcome.errors, error instanceof Error ? error.message.slice(0, 80) : String(error));
    }
    onProgress(outcome);
  });
  outcome.elapsedMs = performance.now() - start;
  return outcome;
}
