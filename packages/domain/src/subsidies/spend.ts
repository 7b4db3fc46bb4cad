import { appendToOutbox, type Connection, transaction } from '@enterprise-access/db';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import {
  isStanding,
  isSubsidyActive,
  type LedgerTransaction,
  type Settlement,
  type Spend,
} from '../kernel/ports/ledger.ts';
import {
  finishEach,
  isUnknown,
  orUnavailable,
  orUnknown,
  type Unknown,
  UpstreamFailure,
} from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import {
  countUnfinished as countUnfinishedIn,
  embeddedLedger,
  findByCallerKey,
  findSubsidy,
  findTransaction,
  ownerOfTransaction,
  type SubsidyRecord,
  unfinishedBefore,
  viewOfTransaction,
} from '../ledger/index.ts';
import { callerKey, fulfillmentProblem, priceMessage, priceToCharge } from '../ledger/rules.ts';
import { find as findPolicy } from '../policies/index.ts';
import {
  ABANDONED_MS,
  awaitEnd,
  endedAttempts,
  find as findRedemption,
  intentOf,
  madeFor,
  type Reservation,
  record,
  redemptionKey,
  reserve,
  reserving,
  settle,
} from '../redemptions/index.ts';
import type * as contract from './contract.ts';
import * as errors from './errors.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings' | 'followAssignments'>;
type Request = Input<typeof contract.createTransaction>;

/** Maximum number of rounds if concurrent requests change the facts between collecting and reserving. */
const ROUNDS = 3;
const KEY_OF_ANOTHER = 'The idempotency_key belongs to another transaction.';
const KEY_IS_OVER = 'The idempotency_key belongs to an attempt that is over.';

/**
 * Spends from a subsidy (R-LED-14). Through one of our policies it is an ordinary redemption: the price counts in the
 * policy's budget, and reconciliation completes it after a crash.
 */
export async function createTransaction(
  runtime: Deps,
  input: Request,
): Promise<Output<typeof contract.createTransaction>> {
  // These routes always use the embedded ledger.
  const deps = { ...runtime, ledger: embeddedLedger(runtime) };
  const subsidy = await findSubsidy(deps.db, input.uuid);
  if (!subsidy) throw notFound({});
  if (!isSubsidyActive(subsidy, deps.clock())) throw errors.inactiveSubsidy({});
  for (let round = 1; round <= ROUNDS; round += 1) {
    const policy = await findPolicy(deps.db, input.subsidyAccessPolicyUuid);
    if (policy && policy.subsidyUuid !== subsidy.uuid) throw drawsOnAnother();
    const { lmsUserId, contentKey } = input;
    const query = { subsidyUuids: [subsidy.uuid], lmsUserId, contentKeys: [contentKey] };
    const history = await deps.ledger.transactions(query);
    await assertKeyIsFree(deps, input);
    const before = await standing(deps, subsidy, history);
    if (before) return { transaction: viewOfTransaction(before, deps.settings), created: false };

    const spend = await spendFor(deps, subsidy, input, history);
    const reservation = await (policy ? reserve(deps, spend, policy) : holdInLedger(deps, spend));
    if (!reservation.reserved) {
      const { reason } = reservation;
      // A concurrent request was first, or the policy has changed: start another round.
      if (reason === 'already_redeemed' || reason === 'limits_changed') continue;
      if (reason === 'not_enough_value_in_subsidy') throw errors.transactionNotCreated({});
      throw errors.policyLimitReached({ reason });
    }

    const settlement = await settle(deps, spend);
    if (isUnknown(settlement)) throw pending(spend.uuid, settlement);
    await (policy ? record(deps, spend, settlement) : recordTransaction(deps, spend, settlement));

    const made = await findTransaction(deps.db, spend.uuid);
    if (made?.state === 'failed') throw errors.enrollmentRefused({ transactionUuid: spend.uuid });
    if (made?.state !== 'committed') throw pending(spend.uuid);
    return { transaction: viewOfTransaction(made, deps.settings), created: true };
  }
  throw errors.transactionNotCreated(
    {},
    { message: 'Concurrent requests for this learner and content prevented the transaction.' },
  );
}

const drawsOnAnother = () =>
  invalidInput({ fields: { subsidy_access_policy_uuid: ['The policy draws on another subsidy.'] } });

const pending = (transactionUuid: string, unknown?: Unknown) =>
  errors.transactionPending({ transactionUuid }, unknown ? { cause: unknown.cause } : {});

/** A key identifies one spend forever: throws if it belongs to another spend, or to one that cannot be repeated. */
async function assertKeyIsFree(deps: Deps, input: Request): Promise<void> {
  if (input.idempotencyKey === null) return;
  const made = await findByCallerKey(deps.db, input.uuid, input.idempotencyKey);
  if (!made) return;
  const isSame =
    made.lmsUserId === input.lmsUserId &&
    made.contentKey === input.contentKey &&
    made.subsidyAccessPolicyUuid === input.subsidyAccessPolicyUuid;
  if (!isSame) throw errors.transactionNotCreated({}, { message: KEY_OF_ANOTHER });
  if (made.state === 'failed' || made.reversal) throw errors.transactionNotCreated({}, { message: KEY_IS_OVER });
}

/** The committed redemption of this content through any policy. A pending one is completed first. */
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
  const end = await (isRedemption ? awaitEnd(deps, uuid) : finishTransaction(deps, spendOf(inFlight, subsidy)));
  if (isUnknown(end)) throw pending(uuid, end);
  const ended = await findTransaction(deps.db, uuid);
  if (ended?.state === 'failed') return null;
  if (ended?.state !== 'committed') throw pending(uuid);
  return ended;
}

async function spendFor(
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
  const attempt = { lmsUserId, contentKey, policyUuid, endedAttempts: endedAttempts(history, policyUuid) };
  return intentOf({
    idempotencyKey:
      input.idempotencyKey === null ? redemptionKey(subsidy.uuid, attempt) : callerKey(input.idempotencyKey),
    subsidyUuid: subsidy.uuid,
    policyUuid,
    enterpriseCustomerUuid,
    lmsUserId,
    contentKey,
    priceCents,
    requestedPriceCents,
    assignmentUuid: null,
    metadata: input.metadata,
    lmsUserEmail: await emailOf(deps, enterpriseCustomerUuid, lmsUserId),
    content,
    at: deps.clock(),
  });
}

/** Address for the snapshot; null if the LMS does not answer (R-LED-15). */
async function emailOf(deps: Pick<Deps, 'lms'>, customerUuid: string, lmsUserId: number): Promise<string | null> {
  const learner = await orUnknown(deps.lms.learner(customerUuid, lmsUserId));
  return isUnknown(learner) ? null : (learner?.email ?? null);
}

/** Reserves a spend without one of our policies: only the ledger decides. */
const holdInLedger = (deps: Pick<Deps, 'db' | 'ledger'>, spend: Spend): Promise<Reservation> =>
  reserving(deps.db, async (trx) => ((await deps.ledger.hold(trx, spend)) ? 'not_enough_value_in_subsidy' : null));

type Records = Pick<Deps, 'db' | 'clock' | 'ledger'>;

/** Records the result of such a spend. Idempotent. */
const recordTransaction = (deps: Records, spend: Spend, settlement: Settlement): Promise<void> =>
  transaction(deps.db, async (trx) => {
    const now = deps.clock();
    const { events } = await deps.ledger.record(trx, spend, settlement, now);
    await appendToOutbox(trx, now, events);
  });

/** Settles and records such a spend. */
async function finishTransaction(deps: Records, spend: Spend): Promise<Unknown | null> {
  const settlement = await settle(deps, spend);
  if (isUnknown(settlement)) return settlement;
  await recordTransaction(deps, spend, settlement);
  return null;
}

/** The intent of a pending transaction. */
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

/** Completes pending spends without one of our policies; the others are completed by `reconcile` of redemptions. */
export async function reconcileTransactions(
  runtime: Pick<Runtime, 'db' | 'clock' | 'log' | 'lms'>,
  options: { olderThanMs?: number; limit?: number } = {},
): Promise<{ found: number; open: number }> {
  const deps = { ...runtime, ledger: embeddedLedger(runtime) };
  const before = new Date(deps.clock().getTime() - (options.olderThanMs ?? ABANDONED_MS));
  const left = await unfinishedBefore(deps.db, before, options.limit ?? 1_000, madeFor(deps.db, 't.uuid'));
  return finishEach(
    left,
    async (made) => {
      // Also for a hidden subsidy.
      const enterpriseCustomerUuid = await ownerOfTransaction(deps.db, made.uuid);
      if (enterpriseCustomerUuid === null) throw new UpstreamFailure('ledger', 'knows no customer of the transaction');
      return finishTransaction(deps, spendOf(made, { enterpriseCustomerUuid }));
    },
    (made, err) => deps.log.warn({ transaction: made.uuid, err }, 'transaction stays pending'),
  );
}

/** Number of pending spends. */
export const countUnfinished = (db: Connection, before: Date): Promise<number> =>
  countUnfinishedIn(db, before, madeFor(db, 't.uuid'));
