import { newUuid } from '@enterprise-access/domain';
import type { World } from '../support/examples.ts';

type Row = Readonly<Record<string, unknown>>;
export const DAY_MS = 86_400_000;
export const NOW = new Date('2026-06-01T12:00:00Z');
export const daysFromNow = (days: number): Date => new Date(NOW.getTime() + days * DAY_MS);

const NOBODY = {
  user_email: null,
  lms_user_id: null,
  activation_key: null,
  assigned_date: null,
  last_remind_date: null,
  activation_date: null,
  revoked_date: null,
};

/** A licence of each status, as it is 30 days after it was assigned. */
export function licenseRow(status: 'unassigned' | 'assigned' | 'activated' | 'revoked', change: Row = {}): Row {
  const uuid = newUuid();
  const at = daysFromNow(-30);
  const held = {
    user_email: `${uuid}@demo.example`,
    activation_key: newUuid(),
    assigned_date: at,
    last_remind_date: at,
  };
  const used = { ...held, lms_user_id: 1_500, activation_date: at };
  const byStatus = { unassigned: {}, assigned: held, activated: used, revoked: { ...used, revoked_date: at } };
  return { uuid, status, ...NOBODY, ...byStatus[status], auto_applied: false, ...change };
}

export async function newAgreement(
  { db }: Pick<World, 'db'>,
  change: Row = {},
): Promise<{ uuid: string; customer: string }> {
  const [uuid, customer] = [newUuid(), newUuid()];
  const row = {
    uuid,
    enterprise_customer_uuid: customer,
    enterprise_customer_slug: `slug-${uuid.slice(-12)}`,
    enterprise_customer_name: 'Example',
    days_before_purge: 90,
    created: NOW,
    modified: NOW,
    ...change,
  };
  await db('customer_agreements').insert(row);
  return { uuid, customer };
}

/** A plan with these licences, and counters that fit. Returns its uuid. */
export async function newPlan(
  { db }: Pick<World, 'db'>,
  agreement: { uuid: string; customer: string },
  licenses: readonly Row[],
  change: Row = {},
): Promise<string> {
  const uuid = newUuid();
  const count = (status: string) => licenses.filter((each) => each.status === status).length;
  await db('subscription_plans').insert({
    uuid,
    enterprise_customer_uuid: agreement.customer,
    customer_agreement_uuid: agreement.uuid,
    title: `Plan ${uuid}`,
    start_date: daysFromNow(-300),
    expiration_date: daysFromNow(60),
    enterprise_catalog_uuid: newUuid(),
    is_active: true,
    revoke_max_percentage: 5,
    unassigned_count: count('unassigned'),
    assigned_count: count('assigned'),
    activated_count: count('activated'),
    revoked_count: count('revoked'),
    retired_count: licenses.filter((each) => each.status === 'revoked' && each.user_email === null).length,
    created: NOW,
    modified: NOW,
    ...change,
  });
  const rows = licenses.map((each) => ({
    ...each,
    subscription_plan_uuid: uuid,
    enterprise_customer_uuid: agreement.customer,
    created: NOW,
    modified: NOW,
  }));
  for (let at = 0; at < rows.length; at += 500) await db('licenses').insert(rows.slice(at, at + 500));
  return uuid;
}

export const renew = (
  { db }: Pick<World, 'db'>,
  agreement: { uuid: string; customer: string },
  prior: string,
  change: Row = {},
) =>
  db('subscription_plan_renewals').insert({
    uuid: newUuid(),
    enterprise_customer_uuid: agreement.customer,
    customer_agreement_uuid: agreement.uuid,
    prior_subscription_plan_uuid: prior,
    number_of_licenses: 10,
    effective_date: NOW,
    renewed_expiration_date: daysFromNow(365),
    license_types_to_copy: 'assigned_and_activated',
    created: NOW,
    modified: NOW,
    ...change,
  });

/** The counters of a plan, and what they must be. */
export async function countersOf({ db }: Pick<World, 'db'>, plan: string) {
  const row = await db('subscription_plans').where({ uuid: plan }).first();
  const rows: Row[] = await db('licenses').where({ subscription_plan_uuid: plan });
  const count = (status: string) => rows.filter((each) => each.status === status).length;
  const retired = rows.filter((each) => each.status === 'revoked' && each.user_email === null).length;
  return {
    stored: [row.unassigned_count, row.assigned_count, row.activated_count, row.revoked_count, row.retired_count],
    counted: [count('unassigned'), count('assigned'), count('activated'), count('revoked'), retired],
  };
}
