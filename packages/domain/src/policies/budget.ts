import {
  type Connection,
  changeOne,
  insertIfAbsent,
  type Row,
  storeRecorded,
  type Transaction,
} from '@enterprise-access/db';
import { learnerBudgets, policies } from './tables.ts';

/** A deduction from a policy for one learner. */
export interface Charge {
  readonly policyUuid: string;
  readonly enterpriseCustomerUuid: string;
  readonly lmsUserId: number;
  readonly priceCents: number;
  /** Assignment that is redeemed, whose price is already allocated; null for other redemptions. */
  readonly assignmentUuid: string | null;
}

/** A released deduction; it does not matter whether it came from an assignment. */
export type Released = Omit<Charge, 'assignmentUuid' | 'enterpriseCustomerUuid'>;

/** Limits per learner, as read when the redemption was judged. */
export interface LearnerLimits {
  readonly perLearnerEnrollmentLimit: number | null;
  readonly perLearnerSpendLimitCents: number | null;
  /** With Browse & Request the limit per learner is checked when a request is made, not here. */
  readonly learnerCreditRequestConfigUuid: string | null;
}

export type BudgetRefusal =
  | 'policy_expired'
  | 'policy_spend_limit_reached'
  | 'learner_max_enrollments_reached'
  | 'learner_max_spend_reached';

/** The limits have changed since the caller read them: judge again. */
export type LimitsChanged = 'limits_changed';

// A policy's total and a learner's share are changed by conditional updates, so concurrent callers cannot exceed a
// limit. After a refusal the caller must roll back its transaction. For the lock order of these rows see
// kernel/lock-order.ts.

/**
 * Reserves the price in the policy's budget, or returns the refusal. The condition includes the limits that
 * `reserveShare` used in the same transaction: if they have changed meanwhile, the caller must roll back both
 * updates.
 */
export async function reserveBudget(
  trx: Transaction,
  charge: Charge,
  limits: LearnerLimits,
): Promise<BudgetRefusal | LimitsChanged | null> {
  const { priceCents } = charge;
  const isAssigned = charge.assignmentUuid !== null;
  // Allocated value is not available to others; the learner's own allocation becomes spent.
  const total = isAssigned ? 'spent_cents + ?' : 'spent_cents + allocated_cents + ?';
  const { perLearnerEnrollmentLimit, perLearnerSpendLimitCents, learnerCreditRequestConfigUuid } = limits;
  const read = policies.encode({
    perLearnerEnrollmentLimit,
    perLearnerSpendLimitCents,
    learnerCreditRequestConfigUuid,
  });
  await storeRecorded(trx);
  const reserved = await trx(policies.table)
    .where({ uuid: charge.policyUuid, active: true, retired: false, ...read })
    .where((limit) => limit.whereNull('spend_limit_cents').orWhereRaw(`${total} <= spend_limit_cents`, [priceCents]))
    .update({
      spent_cents: trx.raw('spent_cents + ?', [priceCents]),
      ...(isAssigned ? { allocated_cents: trx.raw('allocated_cents - ?', [priceCents]) } : {}),
    });
  if (reserved === 1) return null;
  if (!(await isOpen(trx, charge.policyUuid))) return 'policy_expired';
  return (await isOpen(trx, charge.policyUuid, read)) ? 'policy_spend_limit_reached' : 'limits_changed';
}

/** Reserves the price and one redemption in the learner's share of the policy, or returns the limit that refuses it. */
export async function reserveShare(
  trx: Transaction,
  charge: Charge,
  limits: LearnerLimits,
): Promise<BudgetRefusal | null> {
  const key = { policy_uuid: charge.policyUuid, lms_user_id: charge.lmsUserId };
  const { perLearnerEnrollmentLimit: count, perLearnerSpendLimitCents } = limits;
  const cents = limits.learnerCreditRequestConfigUuid === null ? perLearnerSpendLimitCents : null;
  // The learner's row is inserted with the first redemption.
  const { policyUuid, lmsUserId, enterpriseCustomerUuid } = charge;
  const unspent = learnerBudgets.encode({ policyUuid, lmsUserId, enterpriseCustomerUuid });
  await insertIfAbsent(trx, learnerBudgets.table, unspent);
  const reserved = await trx(learnerBudgets.table)
    .where(key)
    .modify((query) => {
      if (count !== null) query.where('redemption_count', '<', count);
      if (cents !== null) query.whereRaw('spent_cents + ? <= ?', [charge.priceCents, cents]);
    })
    .update({
      spent_cents: trx.raw('spent_cents + ?', [charge.priceCents]),
      redemption_count: trx.raw('redemption_count + 1'),
    });
  if (reserved === 1) return null;
  return count === null ? 'learner_max_spend_reached' : 'learner_max_enrollments_reached';
}

/**
 * Allocates value for assignments of a policy within its limit, or returns the refusal. The condition includes the
 * subsidy, in case the policy has moved to another one meanwhile.
 */
export async function allocateBudget(
  trx: Transaction,
  { uuid, subsidyUuid }: { readonly uuid: string; readonly subsidyUuid: string },
  cents: number,
): Promise<'policy_expired' | 'policy_spend_limit_reached' | null> {
  await storeRecorded(trx);
  const held = await trx(policies.table)
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

/** Undoes `allocateBudget` for ended assignments. */
export const deallocateBudget = (trx: Transaction, policyUuid: string, cents: number): Promise<void> =>
  changeOne(
    trx(policies.table)
      .where({ uuid: policyUuid })
      .where('allocated_cents', '>=', cents)
      .update({ allocated_cents: trx.raw('allocated_cents - ?', [cents]) }),
    `policy ${policyUuid} releases ${cents} allocated cents`,
  );

/** Undoes `reserveBudget` for a redemption that failed or was reversed. */
export const releaseBudget = (trx: Transaction, { policyUuid, priceCents }: Released): Promise<void> =>
  changeOne(
    trx(policies.table)
      .where({ uuid: policyUuid })
      .where('spent_cents', '>=', priceCents)
      .update({ spent_cents: trx.raw('spent_cents - ?', [priceCents]) }),
    `policy ${policyUuid} releases ${priceCents} spent cents`,
  );

/** Undoes `reserveShare` for a redemption that failed or was reversed. */
export const releaseShare = (trx: Transaction, { policyUuid, lmsUserId, priceCents }: Released): Promise<void> =>
  changeOne(
    trx(learnerBudgets.table)
      .where({ policy_uuid: policyUuid, lms_user_id: lmsUserId })
      .where('spent_cents', '>=', priceCents)
      .where('redemption_count', '>', 0)
      .update({
        spent_cents: trx.raw('spent_cents - ?', [priceCents]),
        redemption_count: trx.raw('redemption_count - 1'),
      }),
    `share of learner ${lmsUserId} in policy ${policyUuid} releases ${priceCents} cents`,
  );

/**
 * Corrects the reserved share to the amount that a remote ledger has charged. Limits do not apply, because the value
 * is spent.
 */
export async function adjustShare(trx: Transaction, reserved: Released, chargedCents: number): Promise<void> {
  const { policyUuid, lmsUserId } = reserved;
  const cents = chargedCents - reserved.priceCents;
  if (cents === 0) return;
  await changeOne(
    trx(learnerBudgets.table)
      .where({ policy_uuid: policyUuid, lms_user_id: lmsUserId })
      .update({ spent_cents: trx.raw('spent_cents + ?', [cents]) }),
    `share of learner ${lmsUserId} in policy ${policyUuid} is adjusted by ${cents} cents`,
  );
}

/** Corrects the reserved budget to the amount that a remote ledger has charged. */
export async function adjustBudget(trx: Transaction, reserved: Released, chargedCents: number): Promise<void> {
  const { policyUuid } = reserved;
  const cents = chargedCents - reserved.priceCents;
  if (cents === 0) return;
  await changeOne(
    trx(policies.table)
      .where({ uuid: policyUuid })
      .update({ spent_cents: trx.raw('spent_cents + ?', [cents]) }),
    `policy ${policyUuid} is adjusted by ${cents} cents`,
  );
}

async function isOpen(trx: Transaction, policyUuid: string, more: object = {}): Promise<boolean> {
  const row = await trx(policies.table)
    .where({ uuid: policyUuid, active: true, retired: false, ...more })
    .first('uuid');
  return row !== undefined;
}

/** A learner's usage of a policy: spent cents and number of redemptions. */
export type LearnerShare = Readonly<Pick<Row<typeof learnerBudgets>, 'spentCents' | 'redemptionCount'>>;

export async function sharesOf(
  db: Connection,
  policyUuids: readonly string[],
  lmsUserId: number,
): Promise<Map<string, LearnerShare>> {
  if (policyUuids.length === 0) return new Map();
  const rows: (LearnerShare & { policyUuid: string })[] = await db(learnerBudgets.table)
    .whereIn('policy_uuid', policyUuids)
    .where({ lms_user_id: lmsUserId })
    .select(learnerBudgets.pick('policyUuid', 'spentCents', 'redemptionCount'));
  return new Map(rows.map(({ policyUuid, ...share }) => [policyUuid, share]));
}
