import type { Transaction as DatabaseTransaction, OutboxMessage } from '@enterprise-access/db';

/** The store of value that policies draw on, ours or the enterprise-subsidy service. */
export interface Subsidy {
  readonly uuid: string;
  readonly enterpriseCustomerUuid: string;
  readonly activeDatetime: Date | null;
  readonly expirationDatetime: Date | null;
  readonly balanceCents: number;
  /** Part of the balance that allocated assignments hold, of all policies together. */
  readonly reservedCents: number;
  readonly depositsCents: number;
}

/** What reserving for assignments needs of a subsidy. */
export type Earmarked = Pick<Subsidy, 'uuid' | 'enterpriseCustomerUuid' | 'balanceCents'>;

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
  /** Negative when value leaves. */
  readonly quantityCents: number;
  readonly fulfillmentIdentifier: string | null;
  readonly subsidyAccessPolicyUuid: string | null;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly created: Date;
  readonly modified: Date;
  readonly reversal: Reversal | null;
  /** Where the learner goes on, as a ledger that is not ours says it. */
  readonly coursewareUrl?: string | null;
  /** Orders at external providers of the course. */
  readonly externalReferences?: readonly string[];
}

/** The stored intent to spend: everything that repeating the spend after a crash needs. */
export interface Spend {
  /** Of the redemption, and of the transaction when the ledger is ours. */
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
  /** Assignment that is redeemed: its price is reserved already. Null for other redemptions. */
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

/** How a spend ended. An unknown end is an exception, and the spend stays pending. */
export type Settlement =
  | {
      readonly outcome: 'committed';
      readonly transactionUuid: string;
      readonly fulfillmentIdentifier: string | null;
      /** The row of a ledger that is not ours: it may have charged another price than ours. */
      readonly remote?: LedgerTransaction;
    }
  | {
      readonly outcome: 'refused';
      readonly code: string;
      readonly detail: string;
      readonly status: number;
      /** What a ledger that is not ours said, as it said it. */
      readonly body?: string;
    }
  /** Nothing was taken: another transaction pays for this learner and content already. */
  | { readonly outcome: 'standing'; readonly transaction: LedgerTransaction };

/** The end of a spend as the ledger stored it. */
export interface Recorded {
  /** Null when the ledger keeps none for a spend that it refused. */
  readonly transaction: LedgerTransaction | null;
  /** To be told to others, with what the caller has to tell. */
  readonly events: readonly OutboxMessage[];
}

export interface DepositRequest {
  readonly subsidyUuid: string;
  readonly quantityCents: number;
  readonly salesContractReferenceId: string;
  readonly idempotencyKey: string;
}

/**
 * The ledger as spending sees it. A spend is held, settled and recorded: `hold` and `record` run in the caller's
 * transactions, `settle` between them and outside of both, because it may take the network.
 */
export interface Ledger {
  /** Whether its books are in our database, where they can be counted. */
  readonly isOurs: boolean;
  subsidies(uuids: readonly string[]): Promise<ReadonlyMap<string, Subsidy>>;
  /** All transactions of a learner for the given content, in any state, oldest first. */
  transactions(query: {
    readonly subsidyUuids: readonly string[];
    readonly lmsUserId: number;
    readonly contentKeys: readonly string[];
  }): Promise<LedgerTransaction[]>;
  /** Takes the price; null is success, otherwise what stands against it, and the transaction must be rolled back. */
  hold(trx: DatabaseTransaction, spend: Spend): Promise<'insufficient' | null>;
  /**
   * Keeps value for assignments; null is success, otherwise the transaction must be rolled back. The subsidy was read
   * before, because nothing waits for the network inside a transaction.
   */
  earmark(trx: DatabaseTransaction, subsidy: Earmarked, cents: number): Promise<'insufficient' | null>;
  /** Gives back what was kept for assignments that are over. */
  release(trx: DatabaseTransaction, subsidyUuid: string, cents: number): Promise<void>;
  /** Safe to repeat under the spend's key. */
  settle(spend: Spend): Promise<Settlement>;
  /** Stores the end of the spend where the ledger keeps it in our database, and tells it. */
  record(trx: DatabaseTransaction, spend: Spend, settlement: Settlement, now: Date): Promise<Recorded>;
  /** Adds value once per key. A refusal is a `LedgerRefusal`. */
  deposit(request: DepositRequest): Promise<void>;
  /** Standing enrolments per learner paid through a policy. */
  enrollmentCounts(subsidyUuid: string, policyUuid: string): Promise<ReadonlyMap<number, number>>;
  /** US cents that transactions through a policy have taken, in flight or done, without what went back. */
  spentCents(subsidyUuid: string, policyUuid: string): Promise<number>;
}

/** Where we remember what assignments hold of a balance that is not in our database. */
export interface Reservations {
  of(subsidyUuids: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Adds to what is held unless that would be more than the balance; says whether it did. */
  add(trx: DatabaseTransaction, subsidy: Earmarked, cents: number): Promise<boolean>;
  remove(trx: DatabaseTransaction, subsidyUuid: string, cents: number): Promise<void>;
}

/** The ledger understood and said no. */
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
