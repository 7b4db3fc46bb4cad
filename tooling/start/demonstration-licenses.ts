import type { Database } from '@enterprise-access/db';
import { newUuid } from '@enterprise-access/domain';
import { demonstration } from '@enterprise-access/domain/demonstration';

const DAY_MS = 86_400_000;
const BATCH = 100;

interface PlanSeed {
  readonly uuid: string;
  readonly agreement: string;
  readonly customer: string;
  readonly catalog: string;
  readonly title: string;
  readonly start: Date;
  readonly end: Date;
  /** Learners by status; the rest of the licences is free. */
  readonly learners: Readonly<Record<'activated' | 'assigned' | 'revoked', readonly number[]>>;
  readonly size: number;
}

const seedAgreement = (db: Database, uuid: string, customer: string, name: string, slug: string, catalog: string) =>
  db('customer_agreements').insert({
    uuid,
    enterprise_customer_uuid: customer,
    enterprise_customer_slug: slug,
    enterprise_customer_name: name,
    default_enterprise_catalog_uuid: catalog,
    days_before_purge: 90,
    created: new Date(),
    modified: new Date(),
  });

async function seedPlan(db: Database, seed: PlanSeed): Promise<void> {
  const now = new Date();
  const { activated, assigned, revoked } = seed.learners;
  await db('subscription_plans').insert({
    uuid: seed.uuid,
    enterprise_customer_uuid: seed.customer,
    customer_agreement_uuid: seed.agreement,
    title: seed.title,
    start_date: seed.start,
    expiration_date: seed.end,
    enterprise_catalog_uuid: seed.catalog,
    is_active: true,
    revoke_max_percentage: 5,
    salesforce_opportunity_line_item: '00kDEMO0000000003A',
    desired_num_licenses: seed.size,
    unassigned_count: seed.size - activated.length - assigned.length,
    assigned_count: assigned.length,
    activated_count: activated.length,
    revoked_count: revoked.length,
    created: now,
    modified: now,
  });
  const held = Object.entries(seed.learners).flatMap(([status, learners]) =>
    learners.map((learner) => ({
      status,
      user_email: `learner-${learner}@demo.example`,
      lms_user_id: status === 'assigned' ? null : learner,
      activation_key: newUuid(),
      assigned_date: now,
      last_remind_date: now,
      activation_date: status === 'assigned' ? null : now,
      revoked_date: status === 'revoked' ? now : null,
    })),
  );
  const free = Array.from({ length: seed.size - activated.length - assigned.length }, () => ({
    status: 'unassigned',
    user_email: null,
    lms_user_id: null,
    activation_key: null,
    assigned_date: null,
    last_remind_date: null,
    activation_date: null,
    revoked_date: null,
  }));
  const rows = [...held, ...free].map((row, at) => ({
    ...row,
    uuid: seed.uuid === demonstration.plan && at === 0 ? demonstration.license : newUuid(),
    enterprise_customer_uuid: seed.customer,
    subscription_plan_uuid: seed.uuid,
    created: now,
    modified: now,
  }));
  for (let at = 0; at < rows.length; at += BATCH) await db('licenses').insert(rows.slice(at, at + BATCH));
}

const NOBODY = { activated: [], assigned: [], revoked: [] };

/** Agreements with plans: one in use, one that follows it, one of another customer. */
export async function seedLicenses(db: Database): Promise<void> {
  if (await db('customer_agreements').where({ uuid: demonstration.agreement }).first('uuid')) return;
  const now = Date.now();
  const end = new Date(now + 300 * DAY_MS);
  const { agreement, otherAgreement, customer, otherCustomer, catalog, otherCatalog } = demonstration;
  await seedAgreement(db, agreement, customer, 'Demo Company', 'demo-company', catalog);
  await seedAgreement(db, otherAgreement, otherCustomer, 'Other Company', 'other-company', otherCatalog);
  const own = { agreement, customer, catalog, size: 100 };
  await seedPlan(db, {
    ...own,
    uuid: demonstration.plan,
    title: 'Demo subscription',
    start: new Date(now - 65 * DAY_MS),
    end,
    learners: { activated: [1900, 1901, 1902, 1903], assigned: [1910, 1911, 1912], revoked: [1920] },
  });
  await seedPlan(db, {
    ...own,
    uuid: demonstration.futurePlan,
    title: 'Demo subscription, next year',
    start: end,
    end: new Date(end.getTime() + 365 * DAY_MS),
    learners: NOBODY,
  });
  await db('subscription_plan_renewals').insert({
    uuid: newUuid(),
    enterprise_customer_uuid: customer,
    customer_agreement_uuid: agreement,
    prior_subscription_plan_uuid: demonstration.plan,
    renewed_subscription_plan_uuid: demonstration.futurePlan,
    number_of_licenses: 100,
    effective_date: end,
    renewed_expiration_date: new Date(end.getTime() + 365 * DAY_MS),
    license_types_to_copy: 'assigned_and_activated',
    created: new Date(),
    modified: new Date(),
  });
  await seedPlan(db, {
    agreement: otherAgreement,
    customer: otherCustomer,
    catalog: otherCatalog,
    size: 10,
    uuid: demonstration.otherPlan,
    title: 'Other subscription',
    start: new Date(now - 65 * DAY_MS),
    end,
    learners: NOBODY,
  });
}
