import { randomUUID } from 'node:crypto';

export type TransactionState = 'created' | 'pending' | 'committed' | 'failed';

export interface Reversal {
  uuid: string;
  idempotencyKey: string;
  quantity: number;
  created: Date;
}

export interface Transaction {
  readonly uuid: string;
  readonly ledgerUuid: string;
  readonly idempotencyKey: string;
  /** Cents; spend is negative, a deposit positive. */
  readonly quantity: number;
  readonly kind: 'spend' | 'deposit';
  readonly lmsUserId: number | null;
  readonly lmsUserEmail: string | null;
  readonly contentKey: string | null;
  /** The run that the content key stood for, so that a course key and its run are one redemption. */
  readonly runKey: string | null;
  readonly parentContentKey: string | null;
  readonly contentTitle: string | null;
  readonly courseRunStartDate: string | null;
  readonly policyUuid: string | null;
  /** Only ever stored: nothing in here can reach the fields above. */
  readonly metadata: unknown;
  readonly created: Date;
  state: TransactionState;
  fulfilmentUuid: string | null;
  externalReferences: string[];
  reversal: Reversal | null;
  modified: Date;
}

type Optional =
  | 'lmsUserId'
  | 'lmsUserEmail'
  | 'contentKey'
  | 'runKey'
  | 'parentContentKey'
  | 'contentTitle'
  | 'courseRunStartDate'
  | 'policyUuid';
export type NewTransaction = Pick<Transaction, 'idempotencyKey' | 'quantity' | 'kind' | 'metadata'> &
  Partial<Pick<Transaction, Optional>>;

export interface Totals {
  count: number;
  quantity: number;
}

/** One subsidy's books. The sums run along with each change: no reader ever adds up the transactions. */
export interface Ledger {
  readonly uuid: string;
  readonly key: string;
  balance: number;
  totalDeposits: number;
  readonly transactions: Transaction[];
  readonly byKey: Map<string, Transaction>;
  readonly byLearner: Map<number, Transaction[]>;
  readonly byPolicy: Map<string, Transaction[]>;
  readonly byRedemption: Map<string, Transaction[]>;
  /** By policy (`''` for all) and state. */
  readonly totals: Map<string, Totals>;
  /** By policy (`''` for all): committed, unreversed transactions per learner. */
  readonly learnerCounts: Map<string, Map<number, number>>;
}

export const openLedger = (key: string): Ledger => ({
  uuid: randomUUID(),
  key,
  balance: 0,
  totalDeposits: 0,
  transactions: [],
  byKey: new Map(),
  byLearner: new Map(),
  byPolicy: new Map(),
  byRedemption: new Map(),
  totals: new Map(),
  learnerCounts: new Map(),
});

/** The ledger would go below zero; nothing was inserted. */
export class BalanceExceeded extends Error {
  override readonly name = 'BalanceExceeded';
}

/** The reversal asked for is not possible in the transaction's present state. */
export class NotReversible extends Error {
  override readonly name = 'NotReversible';
}

const bucket = (policy: string, state: TransactionState) => `${policy}:${state}`;
const redemption = (lmsUserId: number, runKey: string) => `${lmsUserId} ${runKey}`;

/** What the transaction is worth now: a reversal counts whatever its transaction's state (R-LED-01). */
export const netQuantity = (transaction: Transaction) => transaction.quantity + (transaction.reversal?.quantity ?? 0);

export const isActiveRedemption = (transaction: Transaction) =>
  transaction.state === 'committed' && transaction.reversal === null;

/** Adds the transaction to the sums, or with `-1` takes it out: the only place that knows what counts where. */
function tally(ledger: Ledger, transaction: Transaction, sign: 1 | -1): void {
  const net = sign * netQuantity(transaction);
  if (transaction.state !== 'failed') ledger.balance += net;
  if (transaction.kind === 'deposit' && transaction.state === 'committed') ledger.totalDeposits += net;

  for (const policy of transaction.policyUuid === null ? [''] : ['', transaction.policyUuid]) {
    const key = bucket(policy, transaction.state);
    const totals = ledger.totals.get(key) ?? { count: 0, quantity: 0 };
    ledger.totals.set(key, { count: totals.count + sign, quantity: totals.quantity + net });
    if (transaction.lmsUserId === null || !isActiveRedemption(transaction)) continue;
    const counts = ledger.learnerCounts.get(policy) ?? new Map<number, number>();
    ledger.learnerCounts.set(policy, counts);
    counts.set(transaction.lmsUserId, (counts.get(transaction.lmsUserId) ?? 0) + sign);
  }
}

/** Changes a transaction with the sums following. */
function amend(ledger: Ledger, transaction: Transaction, at: Date, change: (row: Transaction) => void): Transaction {
  tally(ledger, transaction, -1);
  change(transaction);
  transaction.modified = at;
  tally(ledger, transaction, 1);
  return transaction;
}

function append<K>(index: Map<K, Transaction[]>, key: K | null, transaction: Transaction): void {
  if (key === null) return;
  const rows = index.get(key);
  if (rows) rows.push(transaction);
  else index.set(key, [transaction]);
}

/** Inserts a row in state `created`. The key is looked up first, so that a replay never fails on balance. */
export function createTransaction(ledger: Ledger, row: NewTransaction, at: Date): Transaction {
  const known = ledger.byKey.get(row.idempotencyKey);
  if (known) return known;
  if (row.quantity < 0 && ledger.balance + row.quantity < 0) throw new BalanceExceeded();
  const transaction: Transaction = {
    lmsUserId: null,
    lmsUserEmail: null,
    contentKey: null,
    runKey: null,
    parentContentKey: null,
    contentTitle: null,
    courseRunStartDate: null,
    policyUuid: null,
    ...row,
    uuid: randomUUID(),
    ledgerUuid: ledger.uuid,
    created: at,
    modified: at,
    state: 'created',
    fulfilmentUuid: null,
    externalReferences: [],
    reversal: null,
  };
  ledger.transactions.push(transaction);
  ledger.byKey.set(transaction.idempotencyKey, transaction);
  append(ledger.byLearner, transaction.lmsUserId, transaction);
  append(ledger.byPolicy, transaction.policyUuid, transaction);
  if (transaction.lmsUserId !== null && transaction.runKey !== null) {
    append(ledger.byRedemption, redemption(transaction.lmsUserId, transaction.runKey), transaction);
  }
  tally(ledger, transaction, 1);
  return transaction;
}

export function commit(ledger: Ledger, transaction: Transaction, at: Date, fulfilment: string | null): Transaction {
  return amend(ledger, transaction, at, (row) => {
    row.state = 'committed';
    row.fulfilmentUuid = fulfilment;
  });
}

export function fail(ledger: Ledger, transaction: Transaction, at: Date): Transaction {
  return amend(ledger, transaction, at, (row) => {
    row.state = 'failed';
  });
}

/** Gives the whole value back. The same key again changes nothing; another key, or an uncommitted row, is refused. */
export function reverse(ledger: Ledger, transaction: Transaction, idempotencyKey: string, at: Date): Transaction {
  if (transaction.reversal?.idempotencyKey === idempotencyKey) return transaction;
  if (transaction.reversal) throw new NotReversible('The transaction is reversed already.');
  if (transaction.state !== 'committed') throw new NotReversible('Only a committed transaction can be reversed.');
  return amend(ledger, transaction, at, (row) => {
    row.reversal = { uuid: randomUUID(), idempotencyKey, quantity: 0 - row.quantity, created: at };
  });
}

/** Every transaction of that learner for that run, whatever its state and policy. */
export const redemptionsOf = (ledger: Ledger, lmsUserId: number, runKey: string): readonly Transaction[] =>
  ledger.byRedemption.get(redemption(lmsUserId, runKey)) ?? [];

/** Count and sum of a policy's transactions (or of all, for null) in the given states. */
export function totalsOf(ledger: Ledger, policyUuid: string | null, states: Iterable<TransactionState>): Totals {
  const sum = { count: 0, quantity: 0 };
  for (const state of states) {
    const totals = ledger.totals.get(bucket(policyUuid ?? '', state));
    sum.count += totals?.count ?? 0;
    sum.quantity += totals?.quantity ?? 0;
  }
  return sum;
}
