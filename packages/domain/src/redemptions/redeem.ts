import { type Actor, isPermitted } from '../kernel/actor.ts';
import type { Input } from '../kernel/contract.ts';
import { newUuid } from '../kernel/ids.ts';
import { isStanding, type LedgerTransaction, type Spend } from '../kernel/ports/ledger.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { redemptionDecided } from '../kernel/telemetry.ts';
import type { TransactionView } from '../ledger/contract.ts';
import { viewOfTransaction } from '../ledger/index.ts';
import { fulfillmentProblem } from '../ledger/rules.ts';
import { find as findPolicy, isLateRedemptionAllowed, type PolicyRow, policyNotFound } from '../policies/index.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';
import { answerSoon } from './answer-soon.ts';
import { callerMetadata } from './caller-metadata.ts';
import * as contract from './contract.ts';
import { factsFor, type LearnerFacts, learnerFacts } from './facts.ts';
import { endedAttempts, redemptionKey } from './idempotency.ts';
import { notForOthers, refused, settlementRefused, spendRefused, unfulfillable } from './refusals.ts';
import { noteReversal } from './reversal.ts';
import { type Facts, knownPriceOf, refusal } from './rules.ts';
import { awaitEnd, type Finished, finish, reserve } from './spend.ts';
import * as store from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings'>;

/** Spends one policy's credit; the shape of design section 6: collect, judge, reserve, settle, record. */
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
  /** Attempts whose keys are used up, besides those that the ledger shows. */
  readonly refusedAttempts?: readonly string[];
}

/** A redeem by somebody who may: answers with the standing transaction where there is one. Safe to repeat. */
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
  const problem = deps.ledger.isOurs && facts.content && fulfillmentProblem(facts.content.source, request.metadata);
  if (problem) throw unfulfillable(problem);

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
  if (isOperator(actor, customerUuid)) return;
  throw notForOthers();
}

const isOperator = (actor: Actor, customerUuid: string): boolean =>
  isPermitted(actor, policyPermissions.has_write_access, customerUuid);

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

/** No answer is no refusal: the redemption stays pending and will be finished. */
async function orPending<T>(redemptionUuid: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UpstreamFailure || error instanceof UpstreamRefusal) {
      redemptionDecided.publish({ outcome: 'pending', reason: null });
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
  throw settlement.outcome === 'refused' ? settlementRefused(settlement) : spendRefused(null);
}
