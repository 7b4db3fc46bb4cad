import { type Connection, insertIfAbsent, type Transaction } from '@enterprise-access/db';

/** Value on its way out of a policy, for one learner. */
export interface Charge {
  readonly policyUuid: string;
  readonly lmsUserId: number;
  readonly priceCents: number;
  /** Assignment that is redeemed, whose price the policy holds already; null for other redemptions. */
  readonly assignmentUuid: string | null;
}

/** What gives a charge back does not ask where it came from. */
export type GivenBack = Omit<Charge, 'assignmentUuid'>;

export type BudgetRefusal =
  | 'policy_expired'
  | 'policy_spend_limit_reached'
  | 'learner_max_enrollments_reached'
  | 'learner_max_spend_reached';

// A policy's total and a learner's share of it are conditional updates: however many callers come at once, the database
// lets pass only what fits. After a refusal the caller's transaction must be rolled back.
//
// Every caller takes or gives back in one order: learner's share, ledger, policy. The rows that most callers want come
// last and are held shortest; and callers that take them in the same order queue instead of deadlocking.

/** Takes the price from the policy, or says what is in the way. */
export async function takeBudget(trx: Transaction, charge: Charge): Promise<BudgetRefusal | null> {
  const { priceCents } = charge;
  const isAssigned = charge.assignmentUuid !== null;
  // What others are allocated is theirs; what this learner is allocated becomes spent.
  const total = isAssigned ? 'spent_cents + ?' : 'spent_cents + allocated_cents + ?';
  const taken = await trx('policies')
    .where({ uuid: charge.policyUuid, active: true, retired: false })
    .where((limit) => limit.whereNull('spend_limit_cents').orWhereRaw(`${total} <= spend_limit_cents`, [priceCents]))
    .update({
      spent_cents: trx.raw('spent_cents + ?', [priceCents]),
      ...(isAssigned ? { allocated_cents: trx.raw('allocated_cents - ?', [priceCents]) } : {}),
    });
  if (taken === 1) return null;
  return (await isOpen(trx, charge.policyUuid)) ? 'policy_spend_limit_reached' : 'policy_expired';
}

/** Takes the price from what the learner may still take of the policy, or says which limit is in the way. */
export async function takeShare(trx: Transaction, charge: Charge): Promise<BudgetRefusal | null> {
  // The learner's row comes with the first redemption.
  await insertIfAbsent(trx, 'policy_learner_budgets', {
    policy_uuid: charge.policyUuid,
    lms_user_id: charge.lmsUserId,
  });
  const taken = await trx('policy_learner_budgets')
    .where({ policy_uuid: charge.policyUuid, lms_user_id: charge.lmsUserId })
    .whereRaw(
      `exists (select 1 from policies p where p.uuid = policy_learner_budgets.policy_uuid
         and (p.per_learner_enrollment_limit is null or policy_learner_budgets.redemption_count < p.per_learner_enrollment_limit)
         and (p.per_learner_spend_limit_cents is null or p.learner_credit_request_config_uuid is not null
              or policy_learner_budgets.spent_cents + ? <= p.per_learner_spend_limit_cents))`,
      [charge.priceCents],
    )
    .update({
      spent_cents: trx.raw('spent_cents + ?', [charge.priceCents]),
      redemption_count: trx.raw('redemption_count + 1'),
    });
  if (taken === 1) return null;
  return (await enrollmentLimit(trx, charge.policyUuid)) === null
    ? 'learner_max_spend_reached'
    : 'learner_max_enrollments_reached';
}

/**
 * Holds value for assignments of a policy as long as its limit allows, or says what is in the way. The value is held in
 * one subsidy: a policy that has moved to another one meanwhile is not the policy that was asked about.
 */
export async function allocateBudget(
  trx: Transaction,
  { uuid, subsidyUuid }: { readonly uuid: string; readonly subsidyUuid: string },
  cents: number,
): Promise<'policy_expired' | 'policy_spend_limit_reached' | null> {
  const held = await trx('policies')
    .where({ uuid, subsidy_uuid: subsidyUuid, active: true, retired: false })
    .where((limit) =>
      limit
        .whereNull('spend_limit_cents')
        .orWhereRaw('spent_cents + allocated_cents + ? <= spend_limit_cents', [cents]),
    )
    .update({ allocated_cents: trx.raw('allocated_cents + ?', [cents]) });
  if (held === 1) return null;
  return (await isOpen(trx, uuid, { subsidy_uuid: subsidyUuid })) ? 'policy_spend_limit_reached' : 'policy_expired';
}

/** Gives back what the policy held for assignments that are over. */
export const releaseBudget = (trx: Transaction, policyUuid: string, cents: number): Promise<number> =>
  trx('policies')
    .where({ uuid: policyUuid })
    .update({ allocated_cents: trx.raw('allocated_cents - ?', [cents]) });

/** Gives back what a failed or reversed redemption had taken from the policy. */
export const giveBackBudget = (trx: Transaction, charge: GivenBack): Promise<number> =>
  trx('policies')
    .where({ uuid: charge.policyUuid })
    .update({ spent_cents: trx.raw('spent_cents - ?', [charge.priceCents]) });

/** Gives back what a failed or reversed redemption had taken from the learner's share. */
export const giveBackShare = (trx: Transaction, charge: GivenBack): Promise<number> =>
  trx('policy_learner_budgets')
    .where({ policy_uuid: charge.policyUuid, lms_user_id: charge.lmsUserId })
    .update({
      spent_cents: trx.raw('spent_cents - ?', [charge.priceCents]),
      redemption_count: trx.raw('redemption_count - 1'),
    });

/** Makes the price that was taken what a ledger of somebody else has charged. Limits do not count: that value is gone. */
export async function adjust(trx: Transaction, charge: GivenBack, chargedCents: number): Promise<void> {
  const cents = chargedCents - charge.priceCents;
  if (cents === 0) return;
  await trx('policy_learner_budgets')
    .where({ policy_uuid: charge.policyUuid, lms_user_id: charge.lmsUserId })
    .update({ spent_cents: trx.raw('spent_cents + ?', [cents]) });
  await trx('policies')
    .where({ uuid: charge.policyUuid })
    .update({ spent_cents: trx.raw('spent_cents + ?', [cents]) });
}

async function isOpen(trx: Transaction, policyUuid: string, more: object = {}): Promise<boolean> {
  const row = await trx('policies')
    .where({ uuid: policyUuid, active: true, retired: false, ...more })
    .first('uuid');
  return row !== undefined;
}

async function enrollmentLimit(trx: Transaction, policyUuid: string): Promise<number | null> {
  const row: { limit: number | null } | undefined = await trx('policies')
    .where({ uuid: policyUuid })
    .first({ limit: 'per_learner_enrollment_limit' });
  return row?.limit ?? null;
}

/** What a learner has taken from a policy: value in cents and number of redemptions. */
export interface LearnerShare {
  readonly spentCents: number;
  readonly redemptionCount: number;
}

export async function sharesOf(
  db: Connection,
  policyUuids: readonly string[],
  lmsUserId: number,
): Promise<Map<string, LearnerShare>> {
  if (policyUuids.length === 0) return new Map();
  const rows: { policy_uuid: string; spent_cents: number; redemption_count: number }[] = await db(
    'policy_learner_budgets',
  )
    .whereIn('policy_uuid', policyUuids)
    .where({ lms_user_id: lmsUserId })
    .select('policy_uuid', 'spent_cents', 'redemption_count');
  return new Map(
    rows.map((row) => [row.policy_uuid, { spentCents: row.spent_cents, redemptionCount: row.redemption_count }]),
  );
}
