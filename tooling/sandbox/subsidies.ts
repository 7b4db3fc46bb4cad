import { randomUUID } from 'node:crypto';
import { iso } from './http.ts';
import type { Ledger, Transaction } from './ledger.ts';
import { commit, createTransaction, openLedger } from './ledger.ts';

export interface Subsidy {
  uuid: string;
  title: string | null;
  customerUuid: string;
  startingBalance: number;
  referenceId: string | null;
  referenceType: string;
  internalOnly: boolean;
  revenueCategory: string;
  activeDatetime: Date | null;
  expirationDatetime: Date | null;
  unit: string;
  created: Date;
  modified: Date;
  ledger: Ledger;
}

/** What a repeated deposit must answer again. */
export interface Deposit {
  uuid: string;
  ledger: string;
  desired_deposit_quantity: number;
  transaction: string;
  sales_contract_reference_id: string;
  sales_contract_reference_provider: string;
}

export interface SubsidyStore {
  /** Deleted subsidies are taken out, which is how default queries see a soft delete. */
  subsidies: Map<string, Subsidy>;
  byReference: Map<string, Subsidy>;
  transactions: Map<string, { subsidy: Subsidy; transaction: Transaction }>;
  /** By ledger transaction. */
  deposits: Map<string, Deposit>;
  /** Why a redemption failed, so that its replay gets the same answer. */
  failures: Map<string, { code: string; detail: string }>;
}

export const REFERENCE_TYPE = 'salesforce_opportunity_line_item';

/** Contract systems that a deposit may refer to. */
export const providerSlugs: ReadonlySet<string> = new Set([REFERENCE_TYPE]);

export const emptySubsidies = (): SubsidyStore => ({
  subsidies: new Map(),
  byReference: new Map(),
  transactions: new Map(),
  deposits: new Map(),
  failures: new Map(),
});

export type NewSubsidy = Omit<Subsidy, 'uuid' | 'ledger' | 'created' | 'modified' | 'referenceType'> & {
  uuid?: string;
};

/** Creates the subsidy, its ledger and, when there is a starting balance, the first deposit (R-LED-10). */
export function addSubsidy(store: SubsidyStore, seed: NewSubsidy, at: Date): Subsidy {
  const uuid = seed.uuid ?? randomUUID();
  const ledger = openLedger(`ledger-for-subsidy-${uuid}`);
  const subsidy = { ...seed, uuid, referenceType: REFERENCE_TYPE, ledger, created: at, modified: at };
  store.subsidies.set(uuid, subsidy);
  if (subsidy.referenceId !== null && !subsidy.internalOnly) store.byReference.set(subsidy.referenceId, subsidy);
  if (subsidy.startingBalance > 0) {
    const key = `${ledger.key}-${subsidy.startingBalance}-initial-deposit`;
    const quantity = subsidy.startingBalance;
    const row = createTransaction(ledger, { idempotencyKey: key, quantity, kind: 'deposit', metadata: null }, at);
    remember(store, subsidy, commit(ledger, row, at, null));
  }
  return subsidy;
}

/** Makes the transaction findable by its uuid alone. */
export function remember(store: SubsidyStore, subsidy: Subsidy, transaction: Transaction): Transaction {
  store.transactions.set(transaction.uuid, { subsidy, transaction });
  return transaction;
}

/** A missing date is no limit on that side. */
export const hasExpired = (subsidy: Subsidy, now: Date) =>
  subsidy.expirationDatetime !== null && now > subsidy.expirationDatetime;

export const isActive = (subsidy: Subsidy, now: Date) =>
  (subsidy.activeDatetime === null || subsidy.activeDatetime <= now) && !hasExpired(subsidy, now);

const isoOrNull = (date: Date | null) => (date === null ? null : iso(date));

export function subsidyRecord(subsidy: Subsidy, now: Date) {
  return {
    uuid: subsidy.uuid,
    title: subsidy.title,
    enterprise_customer_uuid: subsidy.customerUuid,
    active_datetime: isoOrNull(subsidy.activeDatetime),
    expiration_datetime: isoOrNull(subsidy.expirationDatetime),
    unit: subsidy.unit,
    reference_id: subsidy.referenceId,
    reference_type: subsidy.referenceType,
    current_balance: subsidy.ledger.balance,
    starting_balance: subsidy.startingBalance,
    internal_only: subsidy.internalOnly,
    revenue_category: subsidy.revenueCategory,
    is_active: isActive(subsidy, now),
    total_deposits: subsidy.ledger.totalDeposits,
    created: iso(subsidy.created),
    modified: iso(subsidy.modified),
  };
}

/** `baseUrl` is where the caller reaches the sandbox's subsidy service. */
export function transactionRecord(transaction: Transaction, unit: string, baseUrl: string) {
  const { reversal } = transaction;
  return {
    uuid: transaction.uuid,
    state: transaction.state,
    idempotency_key: transaction.idempotencyKey,
    lms_user_id: transaction.lmsUserId,
    lms_user_email: transaction.lmsUserEmail,
    content_key: transaction.contentKey,
    parent_content_key: transaction.parentContentKey,
    content_title: transaction.contentTitle,
    course_run_start_date: transaction.courseRunStartDate,
    quantity: transaction.quantity,
    unit,
    fulfillment_identifier: transaction.fulfilmentUuid,
    subsidy_access_policy_uuid: transaction.policyUuid,
    metadata: transaction.metadata,
    created: transaction.created.toISOString(),
    modified: transaction.modified.toISOString(),
    reversal: reversal && {
      uuid: reversal.uuid,
      state: 'committed',
      idempotency_key: reversal.idempotencyKey,
      quantity: reversal.quantity,
      metadata: null,
      created: reversal.created.toISOString(),
      modified: reversal.created.toISOString(),
    },
    external_reference: transaction.externalReferences,
    transaction_status_api_url: `${baseUrl}/api/v1/transactions/${transaction.uuid}/`,
    courseware_url: `https://learning.sandbox.example/course/${transaction.runKey ?? ''}/home`,
  };
}
