/**
 * The order in which a transaction locks rows, by table. Two transactions that lock the same rows in the same order wait
 * for each other; in different orders they deadlock. This is the only place where the order is written down; decisions
 * 0002 and 0015 and CONTRIBUTING refer to it. The tests watch every statement of the API and fail when a transaction
 * locks a row of an earlier table after one of a later table.
 *
 * The rows that belong to one learner come first. The rows that many transactions want (ledger, policy, counters) come
 * last, so that they are locked for the shortest time. Several rows of one table are locked in the order of their keys.
 */
export const lockOrder = [
  /** One delivery of a message: a redelivery waits here before it takes anything else. */
  'inbox',
  /** Held while the spend limits of the policies of one subsidy change. */
  'policy_ceilings',
  'policy_deposits',
  'forced_redemptions',
  /** One chunk of a bulk allocation. */
  'allocation_batches',
  'allocation_chunks',
  /** Held while assignments of one configuration are allocated. */
  'assignment_configurations',
  'redemptions',
  'assignments',
  /** What one learner has taken from one policy. */
  'policy_learner_budgets',
  'subsidies',
  'ledger_transactions',
  'ledger_reversals',
  'ledgers',
  'ledger_deposits',
  /** What assignments reserve in a ledger that is not ours: it takes the place of `ledgers`. */
  'subsidy_reservations',
  'policies',
  'assignment_counts',
  'audit_exports',
  /** A job that is asked for in the transaction of what it follows from. */
  'job_runs',
] as const;

/** A new row has nothing but its uuid that is unique, so nobody else can wait for it: its insert locks nothing. */
export const newRowsAreOwn: ReadonlySet<string> = new Set(['ledgers']);

/** Tables to which transactions only add rows of their own, so that they can be written at any point. */
export const addedOnly: ReadonlySet<string> = new Set([
  'outbox',
  'assignment_actions',
  'audit_entries',
  'audit_changes',
]);
