import { keepDecisions } from '../decisions/index.ts';
import { type Actor, isPermitted } from '../kernel/actor.ts';
import type { Input } from '../kernel/contract.ts';
import { isStanding, type LedgerTransaction, type Spend } from '../kernel/ports/ledger.ts';
import { isUnknown, orUnknown, type Unknown } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { redemptionDecided } from '../kernel/telemetry.ts';
import type { TransactionView } from '../ledger/contract.ts';
import { viewOfTransaction } from '../ledger/index.ts';
import { fulfillmentProblem } from '../ledger/rules.ts';
import { policyLocked } from '../policies/contract.ts';
import { find as findPolicy, isLateRedemptionAllowed, type PolicyRow, policyNotFound } from '../policies/index.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';
import { answerSoon } from './answer-soon.ts';
import { callerMetadata } from './caller-metadata.ts';
import * as contract from './contract.ts';
import { decided, type Judged } from './decide.ts';
import { type CollectedFacts, factsFor, type LearnerFacts, learnerFacts } from './facts.ts';
import { endedAttempts, redemptionKey } from './idempotency.ts';
import { intentOf } from './intent.ts';
import { notForOthers, refused, settlementRefused, spendRefused, UNFULFILLABLE, unfulfillable } from './refusals.ts';
import { noteReversal } from './reversal.ts';
import { type Facts, knownPriceOf, needsAssignment, refusal } from './rules.ts';
import { awaitEnd, type Limit, type Recorded, record, reserve, settle } from './spend.ts';
import * as store from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings' | 'followAssignments'>;

/** Spends one policy's credit on one course run for one learner. */
export async function redeem(deps: Deps, actor: Actor, input: Input<typeof contract.redeem>): Promise<TransactionView> {
  const policy = await findPolicy(deps.db, input.policyUuid);
  if (!policy) throw policyNotFound();
  assertMaySpendFor(actor, policy.enterpriseCustomerUuid, input.lmsUserId);
  const metadata = callerMetadata(input.metadata, isOperator(actor, policy.enterpriseCustomerUuid));
  const { subsidyUuid } = policy;
  return answerSoon(deps, { ...input, subsidyUuid }, spendThrough(deps, actor, policy, { ...input, metadata }));
}

export interface SpendRequest {
  readonly lmsUserId: number;
  readonly contentKey: string;
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined;
  readonly skipsDeadline?: boolean;
}

/** Maximum number of rounds if concurrent requests change the facts between collecting and reserving. */
const ROUNDS = 3;

/**
 * Redeems for an authorized caller: collect, judge, reserve, settle, record. Returns the existing transaction if
 * there is one, so it is idempotent.
 */
export async function spendThrough(
  deps: Deps,
  actor: Actor,
  policy: PolicyRow,
  request: SpendRequest,
): Promise<TransactionView> {
  let limit: Limit | null = null;
  let judged: CollectedFacts | null = null;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const known = await collect(deps, policy, request, round);
    const earlier = earlierRedemption(known, deps.ledger.isOurs);
    if (earlier.is === 'changing') continue;
    if (earlier.is === 'reversed') {
      await noteReversal(deps, earlier.redemption, earlier.transaction);
      continue;
    }
    if (earlier.is === 'standing') return viewOfTransaction(earlier.transaction, deps.settings);
    if (earlier.is === 'open') return endOf(deps, earlier.redemptionUuid);

    const facts = await judge(deps, actor, known, request);
    judged = facts;
    const spend = spendFor(known, facts, request);
    const decision = decided(deps, about(known.policy, request, facts), { redemptionUuid: spend.uuid });

    const reservation = await reserve(deps, spend, known.policy, decision);
    if (!reservation.reserved) {
      limit = isLimit(reservation.reason) ? reservation.reason : null;
      // Do not query a remote ledger again: the other request has spent, even if that ledger does not show it yet.
      const other = reservation.reason === 'already_redeemed' ? await store.findOpen(deps.db, spend) : null;
      if (other) return endOf(deps, other.spend.uuid);
      continue;
    }

    const settlement = await settle(deps, spend);
    if (isUnknown(settlement)) throw pending(spend.uuid, settlement);

    const recorded = await record(deps, spend, settlement);
    return recorded ? replyTo(deps, recorded, decision?.uuid ?? null) : endOf(deps, spend.uuid);
  }
  const reason = limit ?? policyLocked.code;
  const decision = judged && decided(deps, about(policy, request, judged), { reason, by: 'reservation' });
  if (limit !== null) throw await refused(deps, actor, policy, { ...request, reason, decision });
  await keepDecisions(deps.db, [decision]);
  redemptionDecided.publish({ outcome: 'refused', reason });
  throw policyLocked({ policyUuid: policy.uuid });
}

/** What a decision of this request is about. */
const about = (policy: PolicyRow, { lmsUserId, contentKey, skipsDeadline }: SpendRequest, facts: Facts): Judged => ({
  enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
  lmsUserId,
  contentKey,
  facts,
  kind: skipsDeadline ? 'force' : needsAssignment(policy) ? 'redeem_assignment' : 'redeem',
});

/** Everything that a round looks at, but what the catalog says. */
interface Known {
  readonly round: number;
  readonly policy: PolicyRow;
  readonly learner: LearnerFacts;
  /** The learner's redemptions of this content; not loaded if there cannot be any. */
  readonly redemptions: readonly store.Redemption[];
}

async function collect(deps: Deps, given: PolicyRow, request: SpendRequest, round: number): Promise<Known> {
  const { lmsUserId, contentKey } = request;
  // Reload the policy in later rounds, because its budget has changed.
  const policy = round === 1 ? given : await findPolicy(deps.db, given.uuid);
  if (!policy) throw policyNotFound();
  const learner = await learnerFacts(deps, policy.enterpriseCustomerUuid, lmsUserId, [policy], [contentKey]);
  // In the embedded ledger each redemption has a transaction: without one there are no redemptions to load in round 1.
  const mayHaveRedeemed = !deps.ledger.isOurs || learner.transactions.length > 0 || round > 1;
  const key = { subsidyUuid: policy.subsidyUuid, lmsUserId, contentKey };
  return { round, policy, learner, redemptions: mayHaveRedeemed ? await store.attemptsOf(deps.db, key) : [] };
}

type Earlier =
  | { readonly is: 'none' }
  | { readonly is: 'standing'; readonly transaction: LedgerTransaction }
  /** Pending, or committed but not in the transactions that the ledger returned just before. */
  | { readonly is: 'open'; readonly redemptionUuid: string }
  /** Reversed in a remote ledger, which is not recorded here yet. */
  | { readonly is: 'reversed'; readonly redemption: store.Redemption; readonly transaction: LedgerTransaction }
  /** It ended between two reads. */
  | { readonly is: 'changing' };

/** State of an earlier redemption of this content. */
function earlierRedemption({ learner, redemptions }: Known, isOurs: boolean): Earlier {
  const { transactions } = learner;
  const standing = transactions.find(isStanding);
  if (standing) return { is: 'standing', transaction: standing };
  const open = redemptions.find(({ state }) => state === 'pending' || state === 'committed');
  if (open) {
    const made = transactions.find(({ uuid }) => uuid === open.transactionUuid);
    if (made?.reversal?.state === 'committed') return { is: 'reversed', redemption: open, transaction: made };
    return { is: 'open', redemptionUuid: open.spend.uuid };
  }
  const inFlight = isOurs ? transactions.find(({ state }) => state === 'created' || state === 'pending') : undefined;
  if (!inFlight) return { is: 'none' };
  if (redemptions.some(({ spend }) => spend.uuid === inFlight.uuid)) return { is: 'changing' };
  // Made through the routes of the subsidy service, without one of our policies: its request or reconciliation
  // completes it.
  return { is: 'open', redemptionUuid: inFlight.uuid };
}

/** Learners can spend for themselves only; operators for all learners of the customer. */
function assertMaySpendFor(actor: Actor, customerUuid: string, lmsUserId: number): void {
  if (actor.lmsUserId === lmsUserId) return;
  if (isOperator(actor, customerUuid)) return;
  throw notForOthers();
}

const isOperator = (actor: Actor, customerUuid: string): boolean =>
  isPermitted(actor, policyPermissions.has_write_access, customerUuid);

/** The facts of a redemption that nothing speaks against; otherwise the refusal, with its reason. */
async function judge(
  deps: Deps,
  actor: Actor,
  { policy, learner }: Known,
  request: SpendRequest,
): Promise<CollectedFacts> {
  const options = { skipsDeadline: request.skipsDeadline ?? false };
  const facts = await factsFor(deps, policy, request.contentKey, learner, options);
  const reason = refusal(facts);
  if (reason) {
    const decision = decided(deps, about(policy, request, facts), {});
    throw await refused(deps, actor, policy, { ...request, reason, decision });
  }
  const problem = deps.ledger.isOurs && facts.content && fulfillmentProblem(facts.content.source, request.metadata);
  if (problem) {
    const decision = decided(deps, about(policy, request, facts), { reason: UNFULFILLABLE, by: 'fulfillment' });
    await keepDecisions(deps.db, [decision]);
    throw unfulfillable(problem, decision?.uuid ?? null);
  }
  return facts;
}

function spendFor({ round, policy, learner, redemptions }: Known, facts: CollectedFacts, request: SpendRequest): Spend {
  const { lmsUserId, contentKey } = request;
  const isLate = request.skipsDeadline || isLateRedemptionAllowed(policy.lateRedemptionAllowedUntil, facts.now);
  const metadata = request.metadata ?? null;
  const ended = endedAttempts(learner.transactions, policy.uuid);
  // A remote ledger may have no transaction for an attempt that it refused; count our own refused redemptions, so
  // that the key is not reused.
  const refusedHere = round === 1 ? [] : redemptions.filter(({ state }) => state === 'failed');
  const attempt = {
    lmsUserId,
    contentKey,
    policyUuid: policy.uuid,
    endedAttempts: [...new Set([...ended, ...refusedHere.map(({ spend }) => spend.uuid)])],
  };
  return intentOf({
    idempotencyKey: redemptionKey(policy.subsidyUuid, attempt),
    subsidyUuid: policy.subsidyUuid,
    policyUuid: policy.uuid,
    enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
    lmsUserId,
    contentKey,
    priceCents: knownPriceOf(facts) ?? 0,
    // R-RED-23: zero is a valid price.
    requestedPriceCents: facts.assignment?.priceCents ?? null,
    assignmentUuid: facts.assignment?.uuid ?? null,
    metadata: isLate ? { ...metadata, allow_late_enrollment: true } : metadata,
    lmsUserEmail: learner.learner?.email ?? null,
    content: facts.content,
    at: facts.now,
  });
}

const isLimit = (reason: Limit | 'already_redeemed' | 'limits_changed'): reason is Limit =>
  reason !== 'already_redeemed' && reason !== 'limits_changed';

/** The error while the result is unknown: the redemption stays pending and reconciliation completes it. */
function pending(redemptionUuid: string, unknown?: Unknown) {
  redemptionDecided.publish({ outcome: 'pending', reason: null });
  return contract.redemptionPending({ redemptionUuid }, unknown ? { cause: unknown.cause } : {});
}

/** The reply for a redemption that another request or job completes. */
async function endOf(deps: Deps, redemptionUuid: string): Promise<TransactionView> {
  const redemption = await awaitEnd(deps, redemptionUuid);
  if (isUnknown(redemption)) throw pending(redemptionUuid, redemption);
  if (!redemption || redemption.state === 'pending') throw pending(redemptionUuid);
  const { spend, transactionUuid } = redemption;
  if (transactionUuid !== null) {
    // The value may have been spent, so an unavailable ledger means "pending" and not "failed".
    const { subsidyUuid, lmsUserId, contentKey } = spend;
    const query = { subsidyUuids: [subsidyUuid], lmsUserId, contentKeys: [contentKey] };
    const transactions = await orUnknown(deps.ledger.transactions(query));
    if (isUnknown(transactions)) throw pending(redemptionUuid, transactions);
    const made = transactions.find(({ uuid }) => uuid === transactionUuid);
    if (made) return viewOfTransaction(made, deps.settings);
  }
  throw spendRefused(redemption.errorCode);
}

/** The answer to a redemption whose end this request recorded itself. */
function replyTo(deps: Deps, { settlement, transaction }: Recorded, decisionUuid: string | null): TransactionView {
  if (transaction?.state === 'committed') return viewOfTransaction(transaction, deps.settings);
  throw settlement.outcome === 'refused'
    ? settlementRefused(settlement, decisionUuid)
    : spendRefused(null, decisionUuid);
}
