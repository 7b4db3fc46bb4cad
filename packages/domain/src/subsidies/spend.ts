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

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings'>;
type Request = Input<typeof contract.createTransaction>;

/** How often a request looks at everything again because others changed it between its look and its reservation. */
const ROUNDS = 3;
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
    const reservation = await (policy ? reserve(deps, spend, policy) : hold(deps, spend));
    if (!reservation.reserved) {
      const { reason } = reservation;
      // Another request came in between: its transaction is there now, its attempt is over, or the policy is another.
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
  throw errors.transactionNotCreated({}, { message: 'Other requests for this learner and content were in the way.' });
}

const drawsOnAnother = () =>
  invalidInput({ fields: { subsidy_access_policy_uuid: ['The policy draws on another subsidy.'] } });

const pending = (transactionUuid: string, unknown?: Unknown) =>
  errors.transactionPending({ transactionUuid }, unknown ? { cause: unknown.cause } : {});

/** A key names one spend for ever: the caller is told when it is another one, or one that cannot be repeated. */
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

/** Only a snapshot: the spend goes on without it (R-LED-15). */
async function emailOf(deps: Pick<Deps, 'lms'>, customerUuid: string, lmsUserId: number): Promise<string | null> {
  const learner = await orUnknown(deps.lms.learner(customerUuid, lmsUserId));
  return isUnknown(learner) ? null : (learner?.email ?? null);
}

/** Reserves for a spend through a policy that is not ours: the ledger alone decides. */
const hold = (deps: Pick<Deps, 'db' | 'ledger'>, spend: Spend): Promise<Reservation> =>
  reserving(deps.db, async (trx) => ((await deps.ledger.hold(trx, spend)) ? 'not_enough_value_in_subsidy' : null));

type Records = Pick<Deps, 'db' | 'clock' | 'ledger'>;

/** Records how such a spend ended. Safe to repeat: only the first call changes anything. */
const recordTransaction = (deps: Records, spend: Spend, settlement: Settlement): Promise<void> =>
  transaction(deps.db, async (trx) => {
    const now = deps.clock();
    const { events } = await deps.ledger.record(trx, spend, settlement, now);
    await appendToOutbox(trx, now, events);
  });

/** Settles and records such a spend that was reserved before. */
async function finishTransaction(deps: Records, spend: Spend): Promise<Unknown | null> {
  const settlement = await settle(deps, spend);
  if (isUnknown(settlement)) return settlement;
  await recordTransaction(deps, spend, settlement);
  return null;
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
 * Finishes spends through policies that are not ours; those of our policies are finished by the redemptions' own
 * `reconcile`.
 */
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
      // Its subsidy may be hidden by now.
      const enterpriseCustomerUuid = await ownerOfTransaction(deps.db, made.uuid);
      if (enterpriseCustomerUuid === null) throw new UpstreamFailure('ledger', 'knows no customer of the transaction');
      return finishTransaction(deps, spendOf(made, { enterpriseCustomerUuid }));
    },
    (made, err) => deps.log.warn({ transaction: made.uuid, err }, 'transaction stays pending'),
  );
}

/** How many of them there are. */
export const countUnfinished = (db: Connection, before: Date): Promise<number> =>
  countUnfinishedIn(db, before, madeFor(db, 't.uuid'));
