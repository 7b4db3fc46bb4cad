import { appendToOutbox, type Connection, isUniqueViolation, transaction } from '@enterprise-access/db';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import { isActive, isStanding, type LedgerTransaction, type Spend } from '../kernel/ports/ledger.ts';
import { orUnavailable, UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import {
  countUnfinished as countUnfinishedIn,
  embeddedLedger,
  findByKey,
  findSubsidy,
  findTransaction,
  ownerOfTransaction,
  type SubsidyRecord,
  unfinishedBefore,
  viewOfTransaction,
} from '../ledger/index.ts';
import { fulfillmentProblem, priceMessage, priceToCharge } from '../ledger/rules.ts';
import { find as findPolicy } from '../policies/index.ts';
import {
  ABANDONED_MS,
  awaitEnd,
  endedAttempts,
  find as findRedemption,
  finish,
  madeFor,
  type Reservation,
  redemptionKey,
  reserve,
} from '../redemptions/index.ts';
import type * as contract from './contract.ts';
import * as errors from './errors.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings'>;
type Request = Input<typeof contract.createTransaction>;

const ATTEMPTS = 3;
const KEY_OF_ANOTHER = 'The idempotency_key belongs to another transaction.';
const KEY_IS_OVER = 'The idempotency_key belongs to an attempt that is over.';

/**
 * Spends from a subsidy (R-LED-14). Through a policy of ours it is a redemption like any other: the price counts in the
 * policy's budget, and the reconciliation finishes it after a crash.
 */
export async function createTransaction(
  runtime: Deps,
  input: Request,
): Promise<Output<typeof contract.createTransaction>> {
  // These routes are the ledger of our own, whatever policies draw on.
  const deps = { ...runtime, ledger: embeddedLedger(runtime) };
  const subsidy = await findSubsidy(deps.db, input.uuid);
  if (!subsidy) throw notFound({});
  if (!isActive(subsidy, deps.clock())) throw errors.inactiveSubsidy({});
  const policy = await findPolicy(deps.db, input.subsidyAccessPolicyUuid);
  if (policy && policy.subsidyUuid !== subsidy.uuid) {
    const messages = ['The policy draws on another subsidy.'];
    throw invalidInput({ fields: { subsidy_access_policy_uuid: messages } });
  }
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const history = await deps.ledger.transactions({
      subsidyUuids: [subsidy.uuid],
      lmsUserId: input.lmsUserId,
      contentKeys: [input.contentKey],
    });
    await assertKeyIsFree(deps, input);
    const before = await standing(deps, subsidy, history);
    if (before) return { transaction: viewOfTransaction(before, deps.settings), created: false };

    const spend = await intentOf(deps, subsidy, input, history);
    const reservation = policy ? await reserve(deps, spend) : await hold(deps, spend);
    if (reservation.reserved) {
      await orPending(spend.uuid, policy ? finish(deps, spend) : settle(deps, spend));
      const made = await findTransaction(deps.db, spend.uuid);
      if (made?.state === 'failed') throw errors.enrollmentRefused({ transactionUuid: spend.uuid });
      if (made?.state !== 'committed') throw errors.transactionPending({ transactionUuid: spend.uuid });
      return { transaction: viewOfTransaction(made, deps.settings), created: true };
    }
    if (reservation.reason === 'not_enough_value_in_subsidy') throw errors.transactionNotCreated({});
    if (reservation.reason !== 'already_redeemed') throw errors.policyLimitReached({ reason: reservation.reason });
    // Another request of this learner came in between: its transaction is there now, or its attempt is over.
  }
  throw errors.transactionNotCreated({}, { message: 'Other requests for this learner and content were in the way.' });
}

/** A key names one spend for ever: the caller is told when it is another one, or one that cannot be repeated. */
async function assertKeyIsFree(deps: Deps, input: Request): Promise<void> {
  if (input.idempotencyKey === null) return;
  const made = await findByKey(deps.db, input.uuid, input.idempotencyKey);
  if (!made) return;
  const isSame =
    made.lmsUserId === input.lmsUserId &&
    made.contentKey === input.contentKey &&
    made.subsidyAccessPolicyUuid === input.subsidyAccessPolicyUuid;
  if (!isSame) throw errors.transactionNotCreated({}, { message: KEY_OF_ANOTHER });
  if (made.state === 'failed' || made.reversal) throw errors.transactionNotCreated({}, { message: KEY_IS_OVER });
}

/** The redemption of this content that stands, whatever its policy. One in flight is brought to its end first. */
async function standing(
  deps: Deps,
  subsidy: SubsidyRecord,
  history: readonly LedgerTransaction[],
): Promise<LedgerTransaction | null> {
  const done = history.find(isStanding);
  if (done) return done;
  const inFlight = history.find(({ state }) => state === 'created' || state === 'pending');
  if (!inFlight) return null;
  const { uuid } = inFlight;
  const isRedemption = (await findRedemption(deps.db, uuid)) !== null;
  await orPending(uuid, isRedemption ? awaitEnd(deps, uuid) : settle(deps, spendOf(inFlight, subsidy)));
  const ended = await findTransaction(deps.db, uuid);
  if (ended?.state === 'failed') return null;
  if (ended?.state !== 'committed') throw errors.transactionPending({ transactionUuid: uuid });
  return ended;
}

async function intentOf(
  deps: Deps,
  subsidy: SubsidyRecord,
  input: Request,
  history: readonly LedgerTransaction[],
): Promise<Spend> {
  const { lmsUserId, contentKey, subsidyAccessPolicyUuid: policyUuid, requestedPriceCents } = input;
  const { enterpriseCustomerUuid } = subsidy;
  const content = await orUnavailable(deps.catalog.content(enterpriseCustomerUuid, contentKey));
  if (!content) throw errors.contentNotFound({ contentKey });
  const problem = fulfillmentProblem(content.source, input.metadata);
  if (problem) throw errors.fulfillmentRefused({}, { message: problem });
  if (content.priceCents === null)
    throw errors.transactionNotCreated({}, { message: `Could not determine price for content_key: ${contentKey}` });
  const canonicalPriceCents = content.priceCents;
  const priceCents = priceToCharge(canonicalPriceCents, requestedPriceCents);
  if (priceCents === null) {
    const requested = requestedPriceCents ?? 0;
    const message = priceMessage(requested, canonicalPriceCents);
    throw errors.invalidRequestedPrice({ requestedPriceCents: requested, canonicalPriceCents }, { message });
  }
  return {
    uuid: newUuid(),
    idempotencyKey:
      input.idempotencyKey ??
      redemptionKey(subsidy.uuid, {
        lmsUserId,
        contentKey,
        policyUuid,
        endedAttempts: endedAttempts(history, policyUuid),
      }),
    subsidyUuid: subsidy.uuid,
    policyUuid,
    enterpriseCustomerUuid,
    lmsUserId,
    contentKey,
    priceCents,
    requestedPriceCents,
    metadata: input.metadata,
    content: {
      lmsUserEmail: await emailOf(deps, enterpriseCustomerUuid, lmsUserId),
      parentContentKey: content.contentKey,
      title: content.title,
      courseRunStartDate: content.courseRunStartDate?.toISOString() ?? null,
    },
    assignmentUuid: null,
    created: deps.clock(),
  };
}

/** Only a snapshot: the spend goes on without it (R-LED-15). */
async function emailOf(deps: Pick<Deps, 'lms'>, customerUuid: string, lmsUserId: number): Promise<string | null> {
  try {
    return (await deps.lms.learner(customerUuid, lmsUserId))?.email ?? null;
  } catch (error) {
    if (error instanceof UpstreamFailure || error instanceof UpstreamRefusal) return null;
    throw error;
  }
}

/** Rolls the entry back. */
class NotEnoughValue extends Error {}

/** The first half of a spend through a policy that is not ours: the ledger alone decides. */
async function hold(deps: Deps, spend: Spend): Promise<Reservation> {
  try {
    await transaction(deps.db, async (trx) => {
      if (await deps.ledger.hold(trx, spend)) throw new NotEnoughValue();
    });
    return { reserved: true };
  } catch (error) {
    if (error instanceof NotEnoughValue) return { reserved: false, reason: 'not_enough_value_in_subsidy' };
    if (isUniqueViolation(error)) return { reserved: false, reason: 'already_redeemed' };
    throw error;
  }
}

/** The second half: enrols outside of any transaction, then stores how it ended. Safe to repeat and to run twice. */
async function settle(deps: Pick<Deps, 'db' | 'clock' | 'ledger'>, spend: Spend): Promise<void> {
  const settlement = await deps.ledger.settle(spend);
  await transaction(deps.db, async (trx) => {
    const now = deps.clock();
    const { events } = await deps.ledger.record(trx, spend, settlement, now);
    await appendToOutbox(trx, now, events);
  });
}

async function orPending(transactionUuid: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (error instanceof UpstreamFailure) throw errors.transactionPending({ transactionUuid }, { cause: error });
    throw error;
  }
}

/** The intent behind a transaction in flight. */
const spendOf = (made: LedgerTransaction, subsidy: Pick<SubsidyRecord, 'enterpriseCustomerUuid'>): Spend => ({
  uuid: made.uuid,
  idempotencyKey: made.idempotencyKey,
  subsidyUuid: made.subsidyUuid,
  policyUuid: made.subsidyAccessPolicyUuid ?? '',
  enterpriseCustomerUuid: subsidy.enterpriseCustomerUuid,
  lmsUserId: made.lmsUserId ?? 0,
  contentKey: made.contentKey ?? '',
  priceCents: -made.quantityCents,
  requestedPriceCents: null,
  metadata: made.metadata,
  content: {
    lmsUserEmail: made.lmsUserEmail,
    parentContentKey: made.parentContentKey,
    title: made.contentTitle,
    courseRunStartDate: made.courseRunStartDate?.toISOString() ?? null,
  },
  assignmentUuid: null,
  created: made.created,
});

/**
 * Finishes spends outside of our policies that were left in flight; those of our policies are finished by the
 * redemptions' own `reconcile`. Returns how many it looked at and how many are still open.
 */
export async function reconcileTransactions(
  runtime: Pick<Runtime, 'db' | 'clock' | 'log' | 'lms'>,
  options: { olderThanMs?: number; limit?: number } = {},
): Promise<{ found: number; open: number }> {
  const deps = { ...runtime, ledger: embeddedLedger(runtime) };
  const before = new Date(deps.clock().getTime() - (options.olderThanMs ?? ABANDONED_MS));
  const left = await unfinishedBefore(deps.db, before, options.limit ?? 1_000, madeFor(deps.db, 't.uuid'));
  let open = 0;
  for (const made of left) {
    // Its subsidy may be hidden by now.
    const enterpriseCustomerUuid = await ownerOfTransaction(deps.db, made.uuid);
    try {
      if (enterpriseCustomerUuid) await settle(deps, spendOf(made, { enterpriseCustomerUuid }));
      else open += 1;
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      open += 1;
      deps.log.warn({ transaction: made.uuid, err: error }, 'transaction stays pending');
    }
  }
  return { found: left.length, open };
}

/** How many of them there are. */
export const countUnfinished = (db: Connection, before: Date): Promise<number> =>
  countUnfinishedIn(db, before, madeFor(db, 't.uuid'));
