import { z } from 'zod';
import { answers, type Client, refusalOf } from './client.ts';
import { inParallel } from './drive.ts';

const KEYS_PER_QUESTION = 40;
const MAX_PAGES = 100;
const LEARNERS_ASKED_FOR_BALANCE = 50;

/** Totals of the same money from three sources, in cents. */
export interface Books {
  /** Spend according to the policies. */
  readonly policies: number;
  /** Sum of the learners' transactions, net of reversals. */
  readonly learners: number;
  /** Balance of the ledgers. */
  readonly balance: number;
  readonly balanceFrom: 'subsidies' | 'credits_available';
}

const policyPage = z.object({
  next: z.string().nullable(),
  results: z.array(
    z.object({ subsidy_uuid: z.string(), aggregates: z.object({ amount_redeemed_usd_cents: z.int() }) }),
  ),
});

async function policyTotals(client: Client): Promise<{ cents: number; subsidies: string[] }> {
  const subsidies = new Set<string>();
  let cents = 0;
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const path = `/api/v1/subsidy-access-policies/?enterprise_customer_uuid=${client.customer}&page=${page}`;
    const { next, results } = policyPage.parse((await client.call('GET', path, client.operator)).body);
    for (const policy of results) {
      cents += policy.aggregates.amount_redeemed_usd_cents;
      subsidies.add(policy.subsidy_uuid);
    }
    if (next === null) break;
  }
  return { cents, subsidies: [...subsidies] };
}

const STANDING = new Set(['created', 'pending', 'committed']);

async function redeemedBy(client: Client, userId: number, keys: readonly string[]): Promise<number> {
  const reply = await client.canRedeem(userId, keys);
  if (reply.status === 200) {
    return answers
      .parse(reply.body)
      .flatMap((answer) => answer.redemptions)
      .filter(({ state, reversal }) => STANDING.has(state) && reversal === null)
      .reduce((sum, { quantity }) => sum - quantity, 0);
  }
  if (refusalOf(reply) === null) throw new Error(`can-redeem answered with status ${reply.status}.`);
  // Content without a price makes the whole request fail; ask per key, and count such a key as zero.
  if (keys.length === 1) return 0;
  let sum = 0;
  for (const key of keys) sum += await redeemedBy(client, userId, [key]);
  return sum;
}

async function learnerTotals(client: Client, scope: Scope): Promise<number> {
  let cents = 0;
  const ids = Array.from({ length: scope.learners }, (_, index) => scope.firstLearner + index);
  await inParallel(ids, scope.concurrency, async (userId) => {
    for (let at = 0; at < scope.courses.length; at += KEYS_PER_QUESTION) {
      // Not added in one expression: that would read the sum before waiting.
      const redeemed = await redeemedBy(client, userId, scope.courses.slice(at, at + KEYS_PER_QUESTION));
      cents += redeemed;
    }
  });
  return cents;
}

const subsidy = z.object({ current_balance: z.int() });
const credits = z.array(z.object({ subsidy_uuid: z.string(), remaining_balance: z.int() }));

async function subsidyBalance(client: Client, uuid: string): Promise<number | null> {
  const reply = await client.call('GET', `/api/v1/subsidies/${uuid}/`, client.operator);
  const parsed = subsidy.safeParse(reply.body);
  return reply.status === 200 && parsed.success ? parsed.data.current_balance : null;
}

/** Reads the balance from the credits of a learner; only learners with remaining credit see it, so try several. */
async function balanceByCredits(client: Client, scope: Scope, uuid: string): Promise<number> {
  for (let index = scope.learners - 1; index >= Math.max(0, scope.learners - LEARNERS_ASKED_FOR_BALANCE); index -= 1) {
    const userId = scope.firstLearner + index;
    const query = `enterprise_customer_uuid=${client.customer}&lms_user_id=${userId}`;
    const path = `/api/v1/policy-redemption/credits_available/?${query}`;
    const listed = credits.safeParse((await client.call('GET', path, client.learner(userId))).body);
    const found = listed.data?.find((credit) => credit.subsidy_uuid === uuid);
    if (found) return found.remaining_balance;
  }
  throw new Error(`Nobody could be asked for the balance of subsidy ${uuid}.`);
}

export interface Scope {
  readonly firstLearner: number;
  readonly learners: number;
  readonly courses: readonly string[];
  readonly concurrency: number;
}

export async function readBooks(client: Client, scope: Scope): Promise<Books> {
  const { cents, subsidies } = await policyTotals(client);
  let balance = 0;
  let balanceFrom: Books['balanceFrom'] = 'subsidies';
  for (const uuid of subsidies) {
    const told = await subsidyBalance(client, uuid);
    if (told === null) balanceFrom = 'credits_available';
    balance += told ?? (await balanceByCredits(client, scope, uuid));
  }
  return { policies: cents, learners: await learnerTotals(client, scope), balance, balanceFrom };
}

/** The change of each total during this run. */
export function movement(before: Books, after: Books) {
  const moved = {
    policies: after.policies - before.policies,
    learners: after.learners - before.learners,
    ledger: before.balance - after.balance,
  };
  return { ...moved, agree: moved.policies === moved.learners && moved.learners === moved.ledger };
}
