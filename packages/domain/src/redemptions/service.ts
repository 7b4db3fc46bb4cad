import { unacknowledged } from '../assignments/learner.ts';
import { assignmentFor } from '../assignments/redeem.ts';
import { type Actor, isPermitted } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { notFound, permissionDenied } from '../kernel/errors.ts';
import { redemptionDecided } from '../kernel/happenings.ts';
import { newUuid } from '../kernel/ids.ts';
import { dollarsOfCents } from '../kernel/money.ts';
import type { Runtime, Settings } from '../kernel/runtime.ts';
import type { TransactionView } from '../ledger/transaction.ts';
import { viewOfTransaction } from '../ledger/view.ts';
import {
  find as findPolicy,
  isLateRedemptionAllowed,
  type PolicyRow,
  policyNotFound,
  priorityOf,
  redeemable,
} from '../policies/index.ts';
import { UpstreamFailure, UpstreamRefusal } from '../upstreams/http.ts';
import { isActive, isStanding, type LedgerTransaction, type Spend } from '../upstreams/ledger.ts';
import { sentenceOf } from '../upstreams/subsidy-refusals.ts';
import * as contract from './contract.ts';
import { factsFor, type LearnerFacts, learnerFacts } from './facts.ts';
import { endedAttempts, redemptionKey } from './idempotency.ts';
import { contactsOf, reasonObject } from './reasons.ts';
import { noteReversal } from './reversal.ts';
import { type Facts, knownPriceOf, needsAssignment, PRICE_UNKNOWN, type Reason, refusal, verdicts } from './rules.ts';
import { awaitEnd, type Finished, finish, reserve } from './spend.ts';
import * as store from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings'>;

const NO_POLICIES = 'No active policies for this customer';
const REDEMPTION = 'subsidy_access_policy.has_redemption_access';

/** Spends one policy's credit; the shape of design section 6: collect, judge, reserve, settle, record. */
export async function redeem(deps: Deps, actor: Actor, input: Input<typeof contract.redeem>): Promise<TransactionView> {
  const policy = await findPolicy(deps.db, input.policyUuid);
  if (!policy) throw policyNotFound();
  assertMaySpendFor(actor, policy.enterpriseCustomerUuid, input.lmsUserId);
  return spendThrough(deps, actor, policy, input);
}

export interface SpendRequest {
  readonly lmsUserId: number;
  readonly contentKey: string;
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined;
  readonly skipsDeadline?: boolean;
  /** Attempts whose keys are used up, besides those that the ledger shows. */
  readonly refusedAttempts?: readonly string[];
}

export async function spendThrough(
  deps: Deps,
  actor: Actor,
  policy: PolicyRow,
  request: SpendRequest,
): Promise<TransactionView> {
  const { lmsUserId, contentKey } = request;
  const key = { subsidyUuid: policy.subsidyUuid, lmsUserId, contentKey };
  const known = await learnerFacts(deps, policy.enterpriseCustomerUuid, lmsUserId, [policy], [contentKey]);
  const standing = known.transactions.find(isStanding);
  if (standing) return viewOfTransaction(standing, deps.settings);
  // In our own ledger a redemption in flight has its transaction already.
  const mayBeInFlight = !deps.ledger.isOurs || known.transactions.length > 0;
  const inFlight = mayBeInFlight ? await store.findStanding(deps.db, key) : null;
  if (inFlight) {
    const made = known.transactions.find(({ uuid }) => uuid === inFlight.transactionUuid);
    if (made?.reversal?.state !== 'committed') return resultOf(deps, inFlight.spend.uuid);
    // The value went back in a ledger of somebody else, and has not come back here yet.
    await noteReversal(deps, inFlight, made);
    return redeemAgain(deps, actor, policy, request);
  }
  const pending = deps.ledger.isOurs ? known.transactions.find(isInFlight) : undefined;
  if (pending) {
    // Either ours, and over since we looked, or made past our policies: then whoever made it, or the reconciliation, ends it.
    if (await store.find(deps.db, pending.uuid)) return redeemAgain(deps, actor, policy, request);
    throw contract.redemptionPending({ redemptionUuid: pending.uuid });
  }

  const options = { skipsDeadline: request.skipsDeadline ?? false };
  const facts = await factsFor(deps, policy, contentKey, known, options);
  const reason = refusal(facts);
  if (reason) throw await refused(deps, actor, policy, reason, contentKey);

  const spend = intentOf(policy, request, facts, known);
  const reservation = await reserve(deps, spend);
  if (reservation.reserved) {
    const end = await orPending(spend.uuid, finish(deps, spend));
    return end ? replyTo(deps, end) : resultOf(deps, spend.uuid);
  }
  if (reservation.reason !== 'already_redeemed') {
    // Others were faster, and the reservation stopped at the first limit; fresh numbers say what the learner is told.
    const reread = await findPolicy(deps.db, policy.uuid);
    const fresh = await learnerFacts(deps, policy.enterpriseCustomerUuid, lmsUserId, [policy], [contentKey]);
    const now = refusal(await factsFor(deps, reread ?? policy, contentKey, fresh, options));
    throw await refused(deps, actor, policy, now ?? reservation.reason, contentKey);
  }
  const other = await store.findStanding(deps.db, key);
  if (other) return resultOf(deps, other.spend.uuid);
  // Another request ended in a refusal in the meantime, or an earlier one did and left no trace in the ledger. This one
  // may try on its own, under a key of its own.
  const refusedAttempts = await store.refusedAttempts(deps.db, key);
  return redeemAgain(deps, actor, policy, { ...request, refusedAttempts });
}

const isInFlight = ({ state }: LedgerTransaction): boolean => state === 'created' || state === 'pending';

/** With the policy as it is now: what happened meanwhile has changed its budget. */
async function redeemAgain(deps: Deps, actor: Actor, { uuid }: PolicyRow, request: SpendRequest) {
  const policy = await findPolicy(deps.db, uuid);
  if (!policy) throw policyNotFound();
  return spendThrough(deps, actor, policy, request);
}

/** Learners spend for themselves; operators may do it for anybody of the customer. */
function assertMaySpendFor(actor: Actor, customerUuid: string, lmsUserId: number): void {
  if (actor.lmsUserId === lmsUserId) return;
  if (isPermitted(actor, 'subsidy_access_policy.has_write_access', customerUuid)) return;
  throw permissionDenied({ permission: REDEMPTION }, { message: `MISSING: ${REDEMPTION}` });
}

function intentOf(policy: PolicyRow, request: SpendRequest, facts: Facts, known: LearnerFacts): Spend {
  const { lmsUserId, contentKey } = request;
  const isLate = request.skipsDeadline || isLateRedemptionAllowed(policy.lateRedemptionAllowedUntil, facts.now);
  const metadata = request.metadata ?? null;
  return {
    uuid: newUuid(),
    idempotencyKey: redemptionKey(policy.subsidyUuid, {
      lmsUserId,
      contentKey,
      policyUuid: policy.uuid,
      endedAttempts: [
        ...new Set([...endedAttempts(known.transactions, policy.uuid), ...(request.refusedAttempts ?? [])]),
      ],
    }),
    subsidyUuid: policy.subsidyUuid,
    policyUuid: policy.uuid,
    enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
    lmsUserId,
    contentKey,
    priceCents: knownPriceOf(facts) ?? 0,
    // R-RED-23: zero is a price too.
    requestedPriceCents: facts.assignment?.priceCents ?? null,
    assignmentUuid: facts.assignment?.uuid ?? null,
    metadata: isLate ? { ...metadata, allow_late_enrollment: true } : metadata,
    content: {
      lmsUserEmail: known.learner?.email ?? null,
      parentContentKey: facts.content?.contentKey ?? null,
      title: facts.content?.title ?? null,
      courseRunStartDate: facts.content?.courseRunStartDate?.toISOString() ?? null,
    },
    created: facts.now,
  };
}

async function refused(deps: Deps, actor: Actor, policy: PolicyRow, reason: string, contentKey: string) {
  redemptionDecided.tell({ outcome: 'refused', reason });
  if (reason === PRICE_UNKNOWN) return priceUnknown(contentKey);
  const contacts = await contactsOf(deps, actor, policy.enterpriseCustomerUuid);
  return contract.notRedeemable({ reason, reasons: [reasonObject(reason, [policy.uuid], contacts)] });
}

const priceUnknown = (contentKey: string) =>
  contract.priceUnknown({ contentKey }, { message: `Could not determine price for content_key: ${contentKey}` });

/** No answer is no refusal: the redemption stays pending and will be finished. */
async function orPending<T>(redemptionUuid: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UpstreamFailure || error instanceof UpstreamRefusal) {
      redemptionDecided.tell({ outcome: 'pending', reason: null });
      throw contract.redemptionPending({ redemptionUuid }, { cause: error });
    }
    throw error;
  }
}

/** The end of a redemption, whoever brought it about. */
async function resultOf(deps: Deps, redemptionUuid: string): Promise<TransactionView> {
  const redemption = await orPending(redemptionUuid, awaitEnd(deps, redemptionUuid));
  if (!redemption || redemption.state === 'pending') throw contract.redemptionPending({ redemptionUuid });
  const { spend, transactionUuid } = redemption;
  if (transactionUuid !== null) {
    // It may have been spent: a ledger that does not answer now is no reason to say that nothing happened.
    const transactions = await orPending(
      redemptionUuid,
      deps.ledger.transactions({
        subsidyUuids: [spend.subsidyUuid],
        lmsUserId: spend.lmsUserId,
        contentKeys: [spend.contentKey],
      }),
    );
    const made = transactions.find(({ uuid }) => uuid === transactionUuid);
    if (made) return viewOfTransaction(made, deps.settings);
  }
  throw spendRefused(redemption.errorCode);
}

/** The end that this request brought about itself. */
function replyTo(deps: Deps, { settlement, transaction }: Finished): TransactionView {
  if (transaction?.state === 'committed') return viewOfTransaction(transaction, deps.settings);
  throw spendRefused(settlement.outcome === 'refused' ? settlement.code : null);
}

const spendRefused = (code: string | null) =>
  contract.spendRefused({
    reason: code ?? 'transaction_creation_error',
    detail: `Subsidy Transaction API error: ${sentenceOf(code ?? 'transaction_creation_error')}`,
    subsidyStatusCode: '422',
  });

/** The caller, or for staff the learner that they ask about. */
function learnerOf(actor: Actor, asked: number | undefined): number {
  const lmsUserId = actor.isStaff && asked !== undefined ? asked : actor.lmsUserId;
  if (lmsUserId === null) throw notFound({}, { message: 'Could not determine a value for lms_user_id' });
  return lmsUserId;
}

/** Assigned policies first, then what ends first, then the smaller balance; ties stay newest first (R-RED-10). */
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
  const answers = await Promise.all(
    contentKeys.map(
      async (contentKey) =>
        [contentKey, await answerFor(deps, actor, { enterpriseCustomerUuid, contentKey, policies, known })] as const,
    ),
  );
  const byKey = new Map(answers);
  return input.contentKey.flatMap((contentKey) => byKey.get(contentKey) ?? []);
}

interface Question {
  readonly enterpriseCustomerUuid: string;
  readonly contentKey: string;
  readonly policies: readonly PolicyRow[];
  readonly known: LearnerFacts;
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
  const reasons = [...refusals].map(([reason, policyUuids]) => reasonObject(reason, policyUuids, contacts));
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

/** R-RED-50: what was redeemed first decides; through an assigned policy it has the assignment's price. */
function assignedPrice({ policies, contentKey, known }: Question, transactions: readonly LedgerTransaction[]) {
  const first = transactions.find(isStanding);
  const policy = policies.find(({ uuid }) => uuid === first?.subsidyAccessPolicyUuid);
  if (!policy || !needsAssignment(policy)) return null;
  const rows = known.assignments.filter((row) => isOf(policy, row));
  return assignmentFor(rows, contentKey, first?.parentContentKey ?? null)?.priceCents ?? null;
}

const redemptionView = (transaction: LedgerTransaction, settings: Settings) => {
  const view = viewOfTransaction(transaction, settings);
  return { ...view, policyRedemptionStatusUrl: view.transactionStatusApiUrl };
};

/** The first policy that lets pass, or all refusals by reason in the order in which they occur (R-RED-11). */
async function resolve(deps: Deps, { policies, contentKey, known }: Question) {
  const refusals = new Map<Reason, string[]>();
  const all = await Promise.all(
    policies.map(async (policy) => ({ policy, facts: await factsFor(deps, policy, contentKey, known) })),
  );
  for (const { policy, facts } of all) {
    const reason = refusal(facts);
    if (reason === PRICE_UNKNOWN) throw priceUnknown(contentKey);
    if (reason === null) return { policy, refusals: new Map<Reason, string[]>(), assignment: facts.assignment };
    const others = refusals.get(reason);
    if (others) others.push(policy.uuid);
    else refusals.set(reason, [policy.uuid]);
  }
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
  const unknown = (cause?: unknown) => contract.priceUnknown({ contentKey }, { message, cause });
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
  deps.log.warn({ contentKey }, 'no list price for content that was redeemed before');
  return null;
}

export function viewOfPolicy(policy: PolicyRow, settings: Settings, now: Date): contract.RedeemablePolicy {
  return {
    uuid: policy.uuid,
    policyType: policy.policyType,
    enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
    displayName: policy.displayName,
    description: policy.description,
    active: policy.active,
    retired: policy.retired,
    retiredAt: policy.retiredAt,
    catalogUuid: policy.catalogUuid,
    subsidyUuid: policy.subsidyUuid,
    accessMethod: policy.accessMethod,
    spendLimit: policy.spendLimitCents,
    perLearnerEnrollmentLimit: policy.perLearnerEnrollmentLimit,
    perLearnerSpendLimit: policy.perLearnerSpendLimitCents,
    lateRedemptionAllowedUntil: policy.lateRedemptionAllowedUntil,
    assignmentConfiguration: policy.assignmentConfigurationUuid,
    learnerCreditRequestConfig: policy.learnerCreditRequestConfigUuid,
    policyRedemptionUrl: `${settings.publicUrl}/api/v1/policy-redemption/${policy.uuid}/redeem/`,
    isLateRedemptionAllowed: isLateRedemptionAllowed(policy.lateRedemptionAllowedUntil, now),
  };
}

export async function canRequest(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.canRequest>,
): Promise<Output<typeof contract.canRequest>> {
  learnerOf(actor, input.lmsUserId);
  const candidates = await redeemable(deps.db, input.enterpriseCustomerUuid);
  return { canRequest: false, reason: candidates.length === 0 ? NO_POLICIES : 'No policies with BnR enabled found' };
}

export async function creditsAvailable(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.creditsAvailable>,
): Promise<Output<typeof contract.creditsAvailable>> {
  const { enterpriseCustomerUuid, lmsUserId } = input;
  const mayAsk =
    actor.lmsUserId === lmsUserId ||
    isPermitted(actor, 'subsidy_access_policy.has_allocation_access', enterpriseCustomerUuid);
  if (!mayAsk) throw permissionDenied({ permission: REDEMPTION }, { message: `MISSING: ${REDEMPTION}` });
  const candidates = await redeemable(deps.db, enterpriseCustomerUuid);
  const known = await learnerFacts(deps, enterpriseCustomerUuid, lmsUserId, candidates, []);
  const shown = await unacknowledged(deps, enterpriseCustomerUuid, known.assignments);
  return candidates
    .map((policy) => ({ policy, assignments: shown.filter(({ row }) => isOf(policy, row)) }))
    .filter(({ policy, assignments }) => hasCredit(policy, known, assignments.length))
    .map(({ policy, assignments }) => ({
      ...viewOfPolicy(policy, deps.settings, known.now),
      remainingBalancePerUser: remainingPerUser(policy, known),
      remainingBalance: known.subsidies.get(policy.subsidyUuid)?.balanceCents ?? 0,
      subsidyExpirationDate: known.subsidies.get(policy.subsidyUuid)?.expirationDatetime ?? null,
      learnerContentAssignments: needsAssignment(policy)
        ? assignments.map(({ view }) => view(known.subsidies.get(policy.subsidyUuid)?.expirationDatetime ?? null))
        : [],
      learnerRequests: [],
      groupAssociations: (known.groups.get(policy.uuid) ?? []).filter((uuid) => uuid !== null),
    }));
}

const isOf = (policy: PolicyRow, row: { readonly assignmentConfigurationUuid: string }): boolean =>
  row.assignmentConfigurationUuid === policy.assignmentConfigurationUuid;

/**
 * Learner-wide credit, whatever the content (R-RED-40, R-RED-41). What is assigned stays to be seen when the subsidy has
 * ended (R-RED-43).
 */
function hasCredit(policy: PolicyRow, known: LearnerFacts, assignments: number): boolean {
  const isAssigned = policy.policyType === 'AssignedLearnerCreditAccessPolicy';
  const subsidy = known.subsidies.get(policy.subsidyUuid);
  const groups = known.groups.get(policy.uuid) ?? [];
  const isMember =
    known.learner !== null &&
    (groups.length === 0 || groups.some((group) => group !== null && known.learner?.groupUuids.includes(group)));
  if (!isMember || !subsidy || subsidy.balanceCents <= 0) return false;
  if (!isAssigned && !isActive(subsidy, known.now)) return false;
  if (policy.spendLimitCents !== null && policy.spentCents >= policy.spendLimitCents) return false;
  if (isAssigned) return assignments > 0;
  const remaining = remainingPerUser(policy, known);
  // What is used up can still be asked for.
  return remaining === null || remaining > 0 || (policy.learnerCreditRequestConfigUuid !== null && remaining === 0);
}

/** R-RED-42: redemptions for enrollment limits, cents for spend limits, null without a limit. */
function remainingPerUser(policy: PolicyRow, known: LearnerFacts): number | null {
  const share = known.shares.get(policy.uuid);
  const { perLearnerEnrollmentLimit, perLearnerSpendLimitCents } = policy;
  if (perLearnerEnrollmentLimit !== null) return Math.max(0, perLearnerEnrollmentLimit - (share?.redemptionCount ?? 0));
  if (perLearnerSpendLimitCents !== null) return Math.max(0, perLearnerSpendLimitCents - (share?.spentCents ?? 0));
  return null;
}

export async function explain(
  deps: Deps,
  input: Input<typeof contract.explain>,
): Promise<Output<typeof contract.explain>> {
  const policy = await findPolicy(deps.db, input.policyUuid);
  if (!policy || policy.enterpriseCustomerUuid !== input.enterpriseCustomerUuid) throw policyNotFound();
  const known = await learnerFacts(deps, policy.enterpriseCustomerUuid, input.lmsUserId, [policy], [input.contentKey]);
  const facts = await factsFor(deps, policy, input.contentKey, known);
  const reason = refusal(facts);
  return {
    redeemable: reason === null,
    alreadyRedeemed: known.transactions.some(isStanding),
    reason,
    checks: verdicts(facts),
  };
}
