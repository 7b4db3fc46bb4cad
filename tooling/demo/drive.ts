import { setTimeout as sleep } from 'node:timers/promises';
import { answers, type Client, type Reply, refusalOf } from './client.ts';

const REPEATS = 5;
/** Refusals that depend on the learner. */
const PERSONAL = new Set(['learner_max_spend_reached', 'learner_max_enrollments_reached']);

type RedeemApi = Pick<Client, 'canRedeem' | 'redeem'>;

export interface Outcome {
  attempted: number;
  redeemed: number;
  alreadyRedeemed: number;
  /** Course runs that no learner could redeem, with `cover`. */
  readonly uncovered: string[];
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
  uncovered: [],
  refused: new Map(),
  errors: new Map(),
  canRedeemMs: [],
  redeemMs: [],
  elapsedMs: 0,
});

const add = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);

/** Runs `work` for every item with limited concurrency. */
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

/** Redeems; repeats the request while the redemption is being completed. */
async function redeem(
  client: RedeemApi,
  outcome: Outcome,
  userId: number,
  policy: string,
  key: string,
): Promise<Reply> {
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

/** Result of an attempt: whether another learner could still redeem. */
type Ending = 'done' | 'refused' | 'refused to this learner';

async function attempt(client: RedeemApi, outcome: Outcome, userId: number, key: string): Promise<Ending> {
  outcome.attempted += 1;
  const asked = await client.canRedeem(userId, [key]);
  outcome.canRedeemMs.push(asked.ms);
  if (asked.status !== 200) {
    note(outcome, asked, 'can-redeem');
    return 'refused';
  }
  const [answer] = answers.parse(asked.body);
  if (answer?.has_successful_redemption) {
    outcome.alreadyRedeemed += 1;
    return 'done';
  }
  const policy = answer?.redeemable_subsidy_access_policy;
  if (!policy) {
    const reasons = answer?.reasons.map(({ reason }) => reason) ?? [];
    add(outcome.refused, reasons[0] ?? 'no reason given');
    return reasons.some((reason) => PERSONAL.has(reason)) ? 'refused to this learner' : 'refused';
  }
  const reply = await redeem(client, outcome, userId, policy.uuid, key);
  if (reply.status === 200) {
    outcome.redeemed += 1;
    return 'done';
  }
  note(outcome, reply, 'redeem');
  return PERSONAL.has(refusalOf(reply) ?? '') ? 'refused to this learner' : 'refused';
}

export interface Drive {
  readonly firstLearner: number;
  readonly learners: number;
  readonly courses: readonly string[];
  readonly concurrency: number;
  /** Redeem each course run for one learner only instead of for all. */
  readonly cover: boolean;
  readonly onProgress: (outcome: Outcome) => void;
}

/** Every learner redeems every course run that is redeemable; with `cover`, one learner per run. */
export async function drive(client: RedeemApi, options: Drive): Promise<Outcome> {
  const outcome = emptyOutcome();
  const start = performance.now();
  const trying = async (userId: number, key: string): Promise<Ending> => {
    try {
      return await attempt(client, outcome, userId, key);
    } catch (error) {
      add(outcome.errors, error instanceof Error ? error.message.slice(0, 80) : String(error));
      return 'refused';
    } finally {
      options.onProgress(outcome);
    }
  };
  if (options.cover) await cover(options, outcome, trying);
  else await everybody(options, trying);
  outcome.elapsedMs = performance.now() - start;
  return outcome;
}

type Try = (userId: number, key: string) => Promise<Ending>;

async function everybody({ firstLearner, learners, courses, concurrency }: Drive, trying: Try): Promise<void> {
  const pairs = courses.flatMap((key) =>
    Array.from({ length: learners }, (_, index) => ({ key, userId: firstLearner + index })),
  );
  await inParallel(pairs, concurrency, async ({ key, userId }) => {
    await trying(userId, key);
  });
}

/** Learners take turns, to distribute the redemptions. */
async function cover(options: Drive, outcome: Outcome, trying: Try): Promise<void> {
  const { firstLearner, learners, courses, concurrency } = options;
  await inParallel([...courses.entries()], concurrency, async ([at, key]) => {
    for (let turn = 0; turn < learners; turn += 1) {
      const ending = await trying(firstLearner + ((at + turn) % learners), key);
      if (ending === 'done') return;
      if (ending === 'refused') break;
    }
    outcome.uncovered.push(key);
  });
}
