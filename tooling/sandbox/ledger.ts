import { createHash, randomUUID } from 'node:crypto';
import type { CourseEntry } from './courses.ts';
import { enrol } from './enrolment.ts';
import { Refusal } from './refusal.ts';
import { ACTIVE_FROM, ACTIVE_UNTIL, SEED_TIME, type SeedCustomer, STARTING_BALANCE_CENTS } from './seed.ts';
import type { User, World } from './state.ts';

export type TransactionState = 'created' | 'pending' | 'committed' | 'failed';

export interface Reversal {
  readonly uuid: string;
  readonly state: 'committed';
  readonly idempotency_key: string;
  readonly quantity: number;
  readonly metadata: unknown;
  readonly created: string;
  readonly modified: string;
}

export interface Transaction {
  readonly uuid: string;
  state: TransactionState;
  readonly idempotency_key: string;
  readonly lms_user_id: number | null;
  readonly lms_user_email: string | null;
  readonly content_key: string | null;
  readonly parent_content_key: string | null;
  readonly content_title: string | null;
  readonly course_run_start_date: string | null;
  readonly quantity: number;
  readonly unit: 'usd_cents';
  fulfillment_identifier: string | null;
  readonly subsidy_access_policy_uuid: string | null;
  readonly metadata: unknown;
  readonly created: string;
  modified: string;
  reversal: Reversal | null;
  external_reference: readonly string[];
}

export interface Deposit {
  readonly uuid: string;
  readonly ledger: string;
  readonly desired_deposit_quantity: number;
  readonly transaction: string;
  readonly sales_contract_reference_id: string;
  readonly sales_contract_reference_provider: string;
}

/** A subsidy with its ledger. The sums are kept along, because load tests ask for them on every call. */
export interface Subsidy {
  readonly uuid: string;
  readonly ledgerUuid: string;
  readonly customer: SeedCustomer;
  readonly activeFrom: number;
  readonly activeUntil: number;
  balanceCents: number;
  depositedCents: number;
  readonly transactions: Transaction[];
  readonly byKey: Map<string, Transaction>;
  readonly byLearner: Map<number, Transaction[]>;
  readonly byPolicy: Map<string, Transaction[]>;
  readonly byLearnerContent: Map<string, Transaction[]>;
  /** The committed, unreversed redemption of a learner and content: at most one. */
  readonly standing: Map<string, Transaction>;
  readonly depositsByKey: Map<string, Deposit>;
}

export interface RedeemOrder {
  readonly lms_user_id: number;
  readonly content_key: string;
  readonly subsidy_access_policy_uuid: string;
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined;
  readonly idempotency_key?: string | null | undefined;
  readonly requested_price_cents?: number | null | undefined;
}

export interface DepositOrder {
  readonly desired_deposit_quantity: number;
  readonly sales_contract_reference_id: string;
  readonly sales_contract_reference_provider: string;
  readonly metadata?: unknown;
  readonly idempotency_key?: string | null | undefined;
}

const refuse = (code: string, detail: string) => new Refusal(422, { detail, code });
export const learnerContent = (lmsUserId: number, contentKey: string) => `${lmsUserId} ${contentKey}`;
const ledgerKey = (subsidy: Subsidy) => `ledger-for-subsidy-${subsidy.uuid}`;

/** A customer's subsidy with its initial deposit. */
export function createSubsidy(customer: SeedCustomer): Subsidy {
  const subsidy: Subsidy = {
    uuid: customer.subsidyUuid,
    ledgerUuid: randomUUID(),
    customer,
    activeFrom: Date.parse(ACTIVE_FROM),
    activeUntil: Date.parse(ACTIVE_UNTIL),
    balanceCents: 0,
    depositedCents: 0,
    transactions: [],
    byKey: new Map(),
    byLearner: new Map(),
    byPolicy: new Map(),
    byLearnerContent: new Map(),
    standing: new Map(),
    depositsByKey: new Map(),
  };
  const key = `${ledgerKey(subsidy)}-${STARTING_BALANCE_CENTS}-initial-deposit`;
  credit(subsidy, STARTING_BALANCE_CENTS, key, {}, SEED_TIME);
  return subsidy;
}

export const isActive = (subsidy: Subsidy, now: number) => subsidy.activeFrom <= now && now <= subsidy.activeUntil;

const blank = (quantity: number, key: string, metadata: unknown, now: string): Transaction => ({
  uuid: randomUUID(),
  state: 'committed',
  idempotency_key: key,
  lms_user_id: null,
  lms_user_email: null,
  content_key: null,
  parent_content_key: null,
  content_title: null,
  course_run_start_date: null,
  quantity,
  unit: 'usd_cents',
  fulfillment_identifier: null,
  subsidy_access_policy_uuid: null,
  metadata,
  created: now,
  modified: now,
  reversal: null,
  external_reference: [],
});

function append<K>(index: Map<K, Transaction[]>, key: K, transaction: Transaction): void {
  const list = index.get(key);
  if (list) list.push(transaction);
  else index.set(key, [transaction]);
}

/** Inserts a row; its quantity counts at once, also while it is pending (R-LED-01). */
function insert(subsidy: Subsidy, row: Transaction): void {
  subsidy.transactions.push(row);
  subsidy.byKey.set(row.idempotency_key, row);
  subsidy.balanceCents += row.quantity;
  if (row.lms_user_id !== null) append(subsidy.byLearner, row.lms_user_id, row);
  if (row.subsidy_access_policy_uuid !== null) append(subsidy.byPolicy, row.subsidy_access_policy_uuid, row);
  if (row.lms_user_id !== null && row.content_key !== null) {
    append(subsidy.byLearnerContent, learnerContent(row.lms_user_id, row.content_key), row);
  }
}

function credit(subsidy: Subsidy, quantity: number, key: string, metadata: unknown, now: string): Transaction {
  const row = blank(quantity, key, metadata, now);
  insert(subsidy, row);
  subsidy.depositedCents += quantity;
  return row;
}

export interface Redemption {
  readonly transaction: Transaction;
  readonly created: boolean;
}

/** Redeems (R-LED-14). Nothing here waits, so no two redemptions interleave. */
export function redeem(world: World, subsidy: Subsidy, order: RedeemOrder, now: number): Redemption {
  const replayed = order.idempotency_key ? subsidy.byKey.get(order.idempotency_key) : undefined;
  if (replayed) {
    if (!isReplay(replayed, order)) {
      throw refuse('transaction_creation_error', 'The idempotency_key belongs to another transaction.');
    }
    return { transaction: replayed, created: false };
  }
  if (!isActive(subsidy, now)) {
    throw refuse('inactive_subsidy_creation_error', 'Cannot create a transaction in an inactive subsidy');
  }
  const standing = subsidy.standing.get(learnerContent(order.lms_user_id, order.content_key));
  if (standing) return { transaction: standing, created: false };
  const content = world.courses.find(order.content_key);
  if (!content) throw refuse('content_not_found', 'The given content_key is not in any catalog for this customer.');
  const priceCents = priceOf(order, content.course.priceCents);
  if (subsidy.balanceCents < priceCents) {
    throw refuse('transaction_creation_error', 'Transaction was None after attempting to redeem');
  }
  const user = world.users.get(order.lms_user_id);
  const row: Transaction = {
    ...blank(
      priceCents === 0 ? 0 : -priceCents,
      keyOf(subsidy, order),
      order.metadata ?? {},
      new Date(now).toISOString(),
    ),
    state: 'pending',
    lms_user_id: order.lms_user_id,
    lms_user_email: user?.email ?? null,
    content_key: order.content_key,
    parent_content_key: content.course.key,
    content_title: content.course.title,
    course_run_start_date: content.course.start,
    subsidy_access_policy_uuid: order.subsidy_access_policy_uuid,
  };
  insert(subsidy, row);
  world.transactions.set(row.uuid, row);
  fulfil(world, subsidy, row, { order, content, user, now });
  return { transaction: row, created: true };
}

const isReplay = (row: Transaction, order: RedeemOrder) =>
  row.lms_user_id === order.lms_user_id &&
  row.content_key === order.content_key &&
  row.subsidy_access_policy_uuid === order.subsidy_access_policy_uuid;

/** A requested price of 0 means the canonical one; any other must lie within a fifth of it. */
function priceOf(order: RedeemOrder, canonicalCents: number): number {
  const requested = order.requested_price_cents;
  if (!requested) return canonicalCents;
  if (requested * 5 < canonicalCents * 4 || requested * 5 > canonicalCents * 6) {
    const sentence = `Requested price ${requested} outside of acceptable interval on canonical course price of ${canonicalCents}.`;
    throw refuse('invalid_requested_price', `['${sentence}']`);
  }
  return requested;
}

/** The caller's key, or one that changes after a failure or reversal (R-LED-09), so that a retry is a new attempt. */
function keyOf(subsidy: Subsidy, order: RedeemOrder): string {
  if (order.idempotency_key) return order.idempotency_key;
  const { lms_user_id, content_key, subsidy_access_policy_uuid } = order;
  const earlier = subsidy.byLearnerContent.get(learnerContent(lms_user_id, content_key)) ?? [];
  const text = JSON.stringify([lms_user_id, content_key, subsidy_access_policy_uuid, earlier.map((row) => row.uuid)]);
  return `${ledgerKey(subsidy)}-${createHash('md5').update(text).digest('hex')}`;
}

const LATE_FLAG = 'allow_late_enrollment';

const ALLOCATION_FIELDS = [
  'geag_first_name',
  'geag_last_name',
  'geag_email',
  'geag_date_of_birth',
  'geag_terms_accepted_at',
  'geag_data_share_consent',
] as const;

interface FulfilmentFacts {
  readonly order: RedeemOrder;
  readonly content: CourseEntry;
  readonly user: User | undefined;
  readonly now: number;
}

/** Commits the row once the learner is enrolled, or fails it and gives the value back. */
function fulfil(
  world: World,
  subsidy: Subsidy,
  row: Transaction,
  { order, content, user, now }: FulfilmentFacts,
): void {
  const fail = (code: string, detail: string): Refusal => {
    row.state = 'failed';
    subsidy.balanceCents -= row.quantity;
    return refuse(code, detail);
  };
  if (content.course.source === '2u') {
    const missing = ALLOCATION_FIELDS.filter((name) => !order.metadata?.[name]);
    if (missing.length > 0)
      throw fail('fulfillment_error', `Missing external fulfillment fields: ${missing.join(', ')}`);
    row.external_reference = [randomUUID()];
  }
  const outcome = user
    ? enrol(
        world,
        {
          user,
          runKey: content.course.runKey,
          payment: row.uuid,
          force: order.metadata?.[LATE_FLAG] === true,
        },
        now,
      )
    : { ok: false as const };
  if (!outcome.ok) throw fail('enrollment_error', '409 Client Error: Conflict for url: enroll_learners_in_courses/');
  row.fulfillment_identifier = outcome.fulfilmentUuid;
  row.state = 'committed';
  subsidy.standing.set(learnerContent(order.lms_user_id, order.content_key), row);
}

export interface DepositOutcome {
  readonly deposit: Deposit;
  readonly created: boolean;
}

/** Tops up. The same explicit key is the same deposit; without a key, a second deposit for a contract is refused. */
export function makeDeposit(world: World, subsidy: Subsidy, order: DepositOrder, now: number): DepositOutcome {
  const quantity = order.desired_deposit_quantity;
  const reference = order.sales_contract_reference_id;
  const key = order.idempotency_key || `${subsidy.ledgerUuid}-deposit-${quantity}-sales-contract-${reference}`;
  const known = subsidy.depositsByKey.get(key);
  const same = known?.desired_deposit_quantity === quantity && known.sales_contract_reference_id === reference;
  if (known && same && order.idempotency_key) return { deposit: known, created: false };
  if (subsidy.byKey.has(key)) {
    throw refuse('deposit_creation_error', 'A transaction with this idempotency key already exists.');
  }
  if (now > subsidy.activeUntil) {
    throw refuse('deposit_on_expired_subsidy', 'Cannot create a deposit in an expired subsidy');
  }
  const row = credit(subsidy, quantity, key, order.metadata ?? {}, new Date(now).toISOString());
  world.transactions.set(row.uuid, row);
  const deposit: Deposit = {
    uuid: randomUUID(),
    ledger: subsidy.ledgerUuid,
    desired_deposit_quantity: quantity,
    transaction: row.uuid,
    sales_contract_reference_id: reference,
    sales_contract_reference_provider: order.sales_contract_reference_provider,
  };
  subsidy.depositsByKey.set(key, deposit);
  return { deposit, created: true };
}

/** Gives a committed redemption back in full; a repeat changes nothing (R-LED-07). */
export function reverse(subsidy: Subsidy, row: Transaction, now: number): Reversal {
  if (row.reversal) return row.reversal;
  if (row.state !== 'committed' || row.lms_user_id === null || row.content_key === null) {
    throw refuse('reversal_error', 'Only a committed redemption can be reversed.');
  }
  const at = new Date(now).toISOString();
  row.reversal = {
    uuid: randomUUID(),
    state: 'committed',
    idempotency_key: `admin-invoked-reverse-${row.uuid}`,
    quantity: row.quantity === 0 ? 0 : -row.quantity,
    metadata: {},
    created: at,
    modified: at,
  };
  subsidy.balanceCents -= row.quantity;
  subsidy.standing.delete(learnerContent(row.lms_user_id, row.content_key));
  return row.reversal;
}
