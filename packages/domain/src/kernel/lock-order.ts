/**
 * The order in which a transaction locks rows, by table. Two transactions that lock the same rows in the same order
 * wait
 * for each other; in different orders they deadlock. This is the only place where the order is written down; decisions
 * 0002 and 0015 and CONTRIBUTING refer to it. The tests watch every statement of the API and fail when a transaction
 * locks a row of an earlier table after one of a later table.
 *
 * The rows that belong to one learner come first. The rows that many transactions want (ledger, policy, counters) come
 * last, so that they are locked for the shortest time. Several rows of one table are locked in the order of their keys.
 */
export const lockOrder = [
  /** Serializes deliveries of one message: a redelivery waits here before it takes other locks. */
  'inbox',
  /** Held while somebody changes a workflow or signals to it. */
  'workflows',
  'plan_types',
  'products',
  /** Held while the spend limits of the policies of one subsidy change. */
  'policy_ceilings',
  'policy_deposits',
  'forced_redemptions',
  /** One chunk of a bulk allocation. */
  'allocation_batches',
  'allocation_chunks',
  /** Held while assignments of one configuration are allocated. */
  'assignment_configurations',
  /** Held while its pairs are stored. */
  'bulk_enrollments',
  'bulk_enrollment_pairs',
  /** Held while plans and renewals of one agreement change together. */
  'customer_agreements',
  /** Held while licences of the plan change; the plans of one transaction in the order of their uuids. */
  'subscription_plans',
  'subscription_plan_renewals',
  'licenses',
  'plan_notifications',
  'redemptions',
  'assignments',
  /** A learner's spend in one policy. */
  'policy_learner_budgets',
  'ssp_products',
  'enterprise_academies',
  'checkout_intents',
  /** Slugs and names of checkout intents. */
  'checkout_reservations',
  'stripe_events',
  'stripe_event_summaries',
  'stripe_subscriptions',
  'subscription_renewals',
  'stripe_invoices',
  'subsidies',
  'ledger_transactions',
  'ledger_reversals',
  'ledgers',
  'ledger_deposits',
  /** Value reserved by assignments in a remote ledger; takes the place of `ledgers`. */
  'subsidy_reservations',
  'policies',
  'assignment_counts',
  'audit_exports',
  /** Written by those only who hold their workflow, after the effect of the step. */
  'workflow_steps',
  'workflow_signals',
  /** Progress row of a job that is enqueued in the same transaction. */
  'job_runs',
] as const;

/**
 * Tables in which nobody can wait for a new row, so that an insert takes no relevant lock: their only unique key is the
 * uuid, or, as for licences, the others hold for rows that have a holder. Provisioning inserts before it locks the plan.
 */
export const newRowsAreOwn: ReadonlySet<string> = new Set(['ledgers', 'licenses']);

/** Tables to which transactions only add rows of their own, so that they can be written at any point. */
export const addedOnly: ReadonlySet<string> = new Set([
  'outbox',
  'assignment_actions',
  'redemption_decisions',
  'audit_entries',
  'audit_changes',
]);
