import type { Transaction as DatabaseTransaction, OutboxMessage } from '@enterprise-access/db';

/** A subsidy, which funds policies; in the embedded ledger or in enterprise-subsidy. */
export interface Subsidy {
  readonly uuid: string;
  readonly enterpriseCustomerUuid: string;
  readonly activeDatetime: Date | null;
  readonly expirationDatetime: Date | null;
  readonly balanceCents: number;
  /** Part of the balance that is reserved for assignments, of all policies together. */
  readonly reservedCents: number;
  readonly depositsCents: number;
}

/** What reserving for assignments needs of a subsidy. */
export type ReservableSubsidy = Pick<Subsidy, 'uuid' | 'enterpriseCustomerUuid' | 'balanceCents'>;

export type TransactionState = 'created' | 'pending' | 'committed' | 'failed';

export interface Reversal {
  readonly uuid: string;
  readonly state: TransactionState;
  readonly idempotencyKey: string;
  readonly quantityCents: number;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly created: Date;
  readonly modified: Date;
}

export interface LedgerTransaction {
  readonly uuid: string;
  readonly state: TransactionState;
  readonly idempotencyKey: string;
  readonly subsidyUuid: string;
  readonly lmsUserId: number | null;
  /** Personal data. */
  readonly lmsUserEmail: string | null;
  readonly contentKey: string | null;
  readonly parentContentKey: string | null;
  readonly contentTitle: string | null;
  readonly courseRunStartDate: Date | null;
  /** Negative for spends. */
  readonly quantityCents: number;
  readonly fulfillmentIdentifier: string | null;
  readonly subsidyAccessPolicyUuid: string | null;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly created: Date;
  readonly modified: Date;
  readonly reversal: Reversal | null;
  /** URL of the course, from a remote ledger. */
  readonly coursewareUrl?: string | null;
  /** Orders at external providers of the course. */
  readonly externalReferences?: readonly string[];
}

/** The stored intent to spend: all data that is needed to repeat the spend after a crash. */
export interface Spend {
  /** Uuid of the redemption, and in the embedded ledger also of the transaction. */
  readonly uuid: string;
  readonly idempotencyKey: string;
  readonly subsidyUuid: string;
  readonly policyUuid: string;
  readonly enterpriseCustomerUuid: string;
  readonly lmsUserId: number;
  readonly contentKey: string;
  readonly priceCents: number;
  readonly requestedPriceCents: number | null;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly content: SpendContent;
  /** The assignment that is redeemed, whose price is already reserved; null for other redemptions. */
  readonly assignmentUuid: string | null;
  /** When the intent was stored. */
  readonly created: Date;
}

/** Snapshot of the learner and the course at the time of the spend (R-LED-15). */
export interface SpendContent {
  /** Personal data. */
  readonly lmsUserEmail: string | null;
  readonly parentContentKey: string | null;
  readonly title: string | null;
  readonly courseRunStartDate: string | null;
}

/** The result of a spend. An unknown result is an exception, and the spend stays pending. */
export type Settlement =
  | {
      readonly outcome: 'committed';
      readonly transactionUuid: string;
      readonly fulfillmentIdentifier: string | null;
      /** The transaction of a remote ledger, which can have charged another price. */
      readonly remote?: LedgerTransaction;
    }
  | {
      readonly outcome: 'refused';
      readonly code: string;
      readonly detail: string;
      readonly status: number;
      /** The original reply of a remote ledger. */
      readonly body?: string;
    }
  /** Nothing was charged: another transaction already pays for this learner and content. */
  | { readonly outcome: 'standing'; readonly transaction: LedgerTransaction };

/** A recorded result of a spend. */
export interface Recorded {
  /** Null if the ledger has no transaction for a refused spend. */
  readonly transaction: LedgerTransaction | null;
  /** Events of the ledger; the caller stores them in the outbox with its own. */
  readonly events: readonly OutboxMessage[];
}

export interface DepositRequest {
  readonly subsidyUuid: string;
  readonly quantityCents: number;
  readonly salesContractReferenceId: string;
  readonly idempotencyKey: string;
}

/**
 * Port to the ledger. A spend has three steps: `hold` and `record` run in transactions of the caller, `settle` runs
 * between them and outside of both, because it can call other services.
 */
export interface Ledger {
  /** Whether the ledger is embedded, with its tables in our database. */
  readonly isOurs: boolean;
  subsidies(uuids: readonly string[]): Promise<ReadonlyMap<string, Subsidy>>;
  /** All transactions of a learner for the given content, in any state, oldest first. */
  transactions(query: {
    readonly subsidyUuids: readonly string[];
    readonly lmsUserId: number;
    readonly contentKeys: readonly string[];
  }): Promise<LedgerTransaction[]>;
  /** Deducts the price. Returns null on success; otherwise the reason, and the transaction must be rolled back. */
  hold(trx: DatabaseTransaction, spend: Spend): Promise<'insufficient' | null>;
  /**
   * Reserves value for assignments. Returns null on success; otherwise the transaction must be rolled back. The
   * caller reads the subsidy before the transaction, because a transaction must not call other services.
   */
  reserve(trx: DatabaseTransaction, subsidy: ReservableSubsidy, cents: number): Promise<'insufficient' | null>;
  /** Releases value that was reserved for assignments. */
  release(trx: DatabaseTransaction, subsidyUuid: string, cents: number): Promise<void>;
  /** Charges and enrolls. Idempotent by the spend's key. */
  settle(spend: Spend): Promise<Settlement>;
  /** Stores the result of the spend if the ledger is embedded, and returns its events. */
  record(trx: DatabaseTransaction, spend: Spend, settlement: Settlement, now: Date): Promise<Recorded>;
  /** Adds value once per key. Throws `LedgerRefusal`. */
  deposit(request: DepositRequest): Promise<void>;
  /** Standing enrolments per learner paid through a policy. */
  enrollmentCounts(subsidyUuid: string, policyUuid: string): Promise<ReadonlyMap<number, number>>;
  /** US cents spent through a policy by pending and committed transactions, net of reversals. */
  spentCents(subsidyUuid: string, policyUuid: string): Promise<number>;
}

/** Stores how much of a remote ledger's balance is reserved for assignments. */
export interface Reservations {
  of(subsidyUuids: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Adds to the reservation unless the sum would exceed the balance; returns whether it did. */
  add(trx: DatabaseTransaction, subsidy: ReservableSubsidy, cents: number): Promise<boolean>;
  remove(trx: DatabaseTransaction, subsidyUuid: string, cents: number): Promise<void>;
}

/** The ledger refused the request. */
export class LedgerRefusal extends Error {
  override readonly name = 'LedgerRefusal';
  readonly code: string;
  readonly status: number;
  constructor(code: string, detail: string, status = 422) {
    super(detail);
    this.code = code;
    this.status = status;
  }
}

export const isStanding = (transaction: LedgerTransaction): boolean =>
  transaction.state === 'committed' && transaction.reversal?.state !== 'committed';

export const isSubsidyActive = (subsidy: Pick<Subsidy, 'activeDatetime' | 'expirationDatetime'>, now: Date): boolean =>
  (subsidy.activeDatetime === null || subsidy.activeDatetime <= now) &&
  (subsidy.expirationDatetime === null || now <= subsidy.expirationDatetime);
