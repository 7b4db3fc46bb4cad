import { assignmentFor } from '../assignments/rules.ts';
import { type Decision, isSampled, keepDecisions, keepDecisionsLater } from '../decisions/index.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { notFound } from '../kernel/errors.ts';
import { dollarsOfCents } from '../kernel/money.ts';
import { isStanding, type LedgerTransaction } from '../kernel/ports/ledger.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { Settings } from '../kernel/settings.ts';
import { lmsCourseware, viewOfTransaction } from '../ledger/index.ts';
import { contactsOf, type PolicyRow, priorityOf, redeemable, refusalReason } from '../policies/index.ts';
import * as contract from './contract.ts';
import { decided } from './decide.ts';
import { factsFor, isOf, type LearnerFacts, learnerFacts } from './facts.ts';
import { priceUnknown } from './refusals.ts';
import { type Facts, needsAssignment, PRICE_UNKNOWN, type Reason, refusal } from './rules.ts';
import { viewOfPolicy } from './view.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings'>;

/** The learner of a question: the caller, or for staff the given learner. */
export function learnerOf(actor: Actor, asked: number | undefined): number {
  const lmsUserId = actor.isStaff && asked !== undefined ? asked : actor.lmsUserId;
  if (lmsUserId === null) throw notFound({}, { message: 'Could not determine a value for lms_user_id' });
  return lmsUserId;
}

export const NO_POLICIES = 'No active policies for this customer';

/** Assigned policies first, then the earliest expiration, then the smaller balance; ties newest first (R-RED-10). */
function inOrderOfUse(policies: readonly PolicyRow[], known: LearnerFacts): PolicyRow[] {
  const rank = (policy: PolicyRow): readonly [number, number, number] => {
    const subsidy = known.subsidies.get(policy.subsidyUuid);
    return [
      priorityOf(policy.policyType),
      subsidy?.expirationDatetime?.getTime() ?? Number.POSITIVE_INFINITY,
      subsidy?.balanceCents ?? Number.POSITIVE_INFINITY,
    ];
  };
  return policies
    .map((policy) => ({ policy, rank: rank(policy) }))
    .sort((a, b) => a.rank[0] - b.rank[0] || compare(a.rank[1], b.rank[1]) || compare(a.rank[2], b.rank[2]))
    .map(({ policy }) => policy);
}

const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

/** For each course run, the policy that a redeem would use, or the reasons why there is none. */
export async function canRedeem(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.canRedeem>,
): Promise<Output<typeof contract.canRedeem>> {
  const { enterpriseCustomerUuid } = input;
  const lmsUserId = learnerOf(actor, input.lmsUserId);
  const candidates = await redeemable(deps.db, enterpriseCustomerUuid);
  if (candidates.length === 0) throw notFound({}, { message: NO_POLICIES });
  const contentKeys = [...new Set(input.contentKey)];
  const known = await learnerFacts(deps, enterpriseCustomerUuid, lmsUserId, candidates, contentKeys);
  const policies = inOrderOfUse(candidates, known);
  const question = { enterpriseCustomerUuid, lmsUserId, policies, known, note: notesOf(deps) };
  const answers = await Promise.all(
    contentKeys.map(
      async (contentKey) => [contentKey, await answerFor(deps, actor, { ...question, contentKey })] as const,
    ),
  ).catch(async (error: unknown) => {
    // The error may name a decision.
    await question.note.keep();
    throw error;
  });
  question.note.keepLater();
  const byKey = new Map(answers);
  return input.contentKey.flatMap((contentKey) => byKey.get(contentKey) ?? []);
}

/** The refusals of one call, if its decisions are kept: a sample is enough to see what learners are told. */
function notesOf(deps: Deps) {
  const noted: Decision[] = [];
  const isKept = isSampled(deps.settings);
  return {
    /** Returns the decision’s uuid. */
    add({ enterpriseCustomerUuid, lmsUserId, contentKey }: Question, facts: Facts): string | null {
      const judged = { enterpriseCustomerUuid, lmsUserId, contentKey, facts, kind: 'can_redeem' as const };
      const decision = isKept ? decided(deps, judged, {}) : null;
      if (decision) noted.push(decision);
      return decision?.uuid ?? null;
    },
    /** In one statement. A question is answered all the same when it fails. */
    keep: () =>
      keepDecisions(deps.db, noted).catch((err: unknown) => {
        deps.log.warn({ err }, 'decisions of a question were not kept');
      }),
    keepLater: () => keepDecisionsLater(deps, noted),
  };
}

interface Question {
  readonly enterpriseCustomerUuid: string;
  readonly lmsUserId: number;
  readonly contentKey: string;
  readonly policies: readonly PolicyRow[];
  readonly known: LearnerFacts;
  readonly note: ReturnType<typeof notesOf>;
}

async function answerFor(
  deps: Deps,
  actor: Actor,
  question: Question,
): Promise<Output<typeof contract.canRedeem>[number]> {
  const { contentKey, known } = question;
  const transactions = known.transactions.filter((transaction) => transaction.contentKey === contentKey);
  const hasSuccessfulRedemption = transactions.some(isStanding);
  const { policy, refusals, assignment } = hasSuccessfulRedemption
    ? { policy: null, refusals: new Map<Reason, string[]>(), assignment: null }
    : await resolve(deps, question);
  const assignedCents = hasSuccessfulRedemption ? assignedPrice(question, transactions) : assignment?.priceCents;
  const contacts =
    refusals.size > 0 ? await contactsOf(deps, actor, question.enterpriseCustomerUuid) : { visible: [], exist: false };
  const reasons = [...refusals].map(([reason, policyUuids]) => refusalReason(reason, policyUuids, contacts));
  return {
    contentKey,
    listPrice: await listPrice(deps, question, {
      policy,
      hasSuccessfulRedemption,
      assignedCents: assignedCents ?? null,
    }),
    redemptions: transactions.map((transaction) => redemptionView(transaction, deps.settings)),
    hasSuccessfulRedemption,
    redeemableSubsidyAccessPolicy: policy && viewOfPolicy(policy, deps.settings, known.now),
    canRedeem: policy !== null,
    reasons,
    displayReason: reasons[0] ?? null,
  };
}

/** R-RED-50: the price of the first redemption; through an assigned policy the assignment's price. */
function assignedPrice({ policies, contentKey, known }: Question, transactions: readonly LedgerTransaction[]) {
  const first = transactions.find(isStanding);
  const policy = policies.find(({ uuid }) => uuid === first?.subsidyAccessPolicyUuid);
  if (!policy || !needsAssignment(policy)) return null;
  const rows = known.assignments.filter((row) => isOf(policy, row));
  return assignmentFor(rows, contentKey, first?.parentContentKey ?? null)?.priceCents ?? null;
}

const redemptionView = (transaction: LedgerTransaction, settings: Settings) => {
  const view = viewOfTransaction(transaction, settings);
  // Unlike in the reply to a redeem, this is always the URL in the LMS.
  const coursewareUrl = view.contentKey && lmsCourseware(view.contentKey, settings.lmsUrl);
  return { ...view, coursewareUrl, policyRedemptionStatusUrl: view.transactionStatusApiUrl };
};

/** The first policy that lets pass, or all refusals by reason in the order in which they occur (R-RED-11). */
async function resolve(deps: Deps, question: Question) {
  const { policies, contentKey, known, note } = question;
  const refusals = new Map<Reason, string[]>();
  const all = await Promise.all(
    policies.map(async (policy) => ({ policy, facts: await factsFor(deps, policy, contentKey, known) })),
  );
  for (const { policy, facts } of all) {
    const reason = refusal(facts);
    if (reason === PRICE_UNKNOWN) throw priceUnknown(contentKey, note.add(question, facts));
    if (reason === null) return { policy, refusals: new Map<Reason, string[]>(), assignment: facts.assignment };
    const others = refusals.get(reason);
    if (others) others.push(policy.uuid);
    else refusals.set(reason, [policy.uuid]);
  }
  // The policy whose reason is shown stands for all.
  const [shown] = all;
  if (shown) note.add(question, shown.facts);
  return { policy: null, refusals, assignment: null };
}

/** R-RED-50 with R-ADD-01 to R-ADD-03. */
async function listPrice(
  deps: Deps,
  { enterpriseCustomerUuid, contentKey }: Question,
  found: { policy: PolicyRow | null; hasSuccessfulRedemption: boolean; assignedCents: number | null },
) {
  const { assignedCents } = found;
  if (assignedCents !== null) return { usd: dollarsOfCents(assignedCents), usdCents: assignedCents };
  const message = `Could not determine list price for content_key ${contentKey} with enterprise customer ${enterpriseCustomerUuid}`;
  const unknown = (cause?: unknown) => contract.priceUnknown({ contentKey, decisionUuid: null }, { message, cause });
  if (!found.policy && !found.hasSuccessfulRedemption) {
    const listed = await deps.catalog.listPrice(contentKey).catch((error: unknown) => {
      if (error instanceof UpstreamFailure || error instanceof UpstreamRefusal) return null;
      throw error;
    });
    if (listed && listed.price === null) throw unknown();
    return listed?.price ?? null;
  }
  try {
    const content = await deps.catalog.content(enterpriseCustomerUuid, contentKey);
    const cents = content?.priceCents ?? null;
    if (cents !== null) return { usd: dollarsOfCents(cents), usdCents: cents };
  } catch (error) {
    if (found.policy) throw unknown(error);
  }
  if (found.policy) throw unknown();
  deps.log.warn({ contentKey }, 'no list price for redeemed content');
  return null;
}
