import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { World } from '../support/examples.ts';
import { tokenFor } from '../support/harness.ts';

export const AGREEMENTS = '/api/v1/provisioning-admins/customer-agreement/';
export const PLANS = '/api/v1/provisioning-admins/subscriptions/';
export const RENEWALS = '/api/v1/provisioning-admins/subscription-plan-renewals/';

/** Without a rule for line items: plan type `Test`. */
export const LINE_ITEM = '00k456789123456789';

export const provisioner = (): string => tokenFor('enterprise_provisioning_admin', '*', 70);

/** What the tests of provisioning have in common. */
export function provisioningOf(world: () => World) {
  const call = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
    world().call(method, path, provisioner(), body);

  /** A product whose plans need a line item, and one whose plans do not. */
  async function products(): Promise<{ paid: number; free: number }> {
    const make = async (planType: number) => {
      const body = { name: randomUUID(), plan_type: planType, netsuite_id: 1 };
      const made = await call('POST', '/api/v1/provisioning-admins/products/', body);
      expect(made.status, JSON.stringify(made.body)).toBe(201);
      return made.body.id as number;
    };
    return { paid: await make(1), free: await make(4) };
  }

  async function agreement(change: object = {}): Promise<{ uuid: string; customer: string; catalog: string }> {
    const [customer, catalog] = [randomUUID(), randomUUID()];
    world().world.catalogs.set(catalog, customer);
    const body = { enterprise_customer_uuid: customer, default_enterprise_catalog_uuid: catalog, ...change };
    const made = await call('POST', AGREEMENTS, body);
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    return { uuid: made.body.uuid, customer, catalog };
  }

  const planBody = (agreementUuid: string, product: number, change: object = {}) => ({
    title: `Plan ${randomUUID()}`,
    start_date: '2026-01-01T00:00:00Z',
    expiration_date: '2026-12-31T00:00:00Z',
    customer_agreement: agreementUuid,
    desired_num_licenses: 5,
    change_reason: 'new',
    salesforce_opportunity_line_item: LINE_ITEM,
    product,
    is_active: true,
    ...change,
  });

  async function plan(agreementUuid: string, product: number, change: object = {}): Promise<string> {
    const made = await call('POST', PLANS, planBody(agreementUuid, product, change));
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    return made.body.uuid;
  }

  return { call, products, agreement, planBody, plan };
}

interface Holders {
  readonly assigned?: number;
  readonly activated?: number;
  readonly revoked?: number;
}

export const ASSIGNED = new Date('2026-02-03T04:05:06Z');

/** Gives free licences of a plan to learners, without the operations of the API. */
export async function holdLicenses({ db }: Pick<World, 'db'>, plan: string, holders: Holders): Promise<void> {
  for (const [status, wanted] of Object.entries(holders)) {
    const free: { uuid: string }[] = await db('licenses')
      .where({ subscription_plan_uuid: plan, status: 'unassigned' })
      .limit(wanted);
    expect(free).toHaveLength(wanted);
    for (const { uuid } of free)
      await db('licenses')
        .where({ uuid })
        .update({
          status,
          user_email: `${uuid}@holder.example`,
          lms_user_id: status === 'assigned' ? null : 4_711,
          activation_key: randomUUID(),
          assigned_date: ASSIGNED,
          activation_date: status === 'assigned' ? null : ASSIGNED,
          revoked_date: status === 'revoked' ? ASSIGNED : null,
        });
    await db('subscription_plans')
      .where({ uuid: plan })
      .update({
        unassigned_count: db.raw('unassigned_count - ?', [wanted]),
        [`${status}_count`]: db.raw('?? + ?', [`${status}_count`, wanted]),
      });
  }
}

/** The counters of a plan, which must be what is there. */
export async function countsOf({ db }: Pick<World, 'db'>, plan: string): Promise<Record<string, number>> {
  const row = await db('subscription_plans').where({ uuid: plan }).first();
  const stored: { status: string; n: number }[] = await db('licenses')
    .where({ subscription_plan_uuid: plan })
    .groupBy('status')
    .select('status')
    .count({ n: '*' });
  const counts = Object.fromEntries(stored.map(({ status, n }) => [status, Number(n)]));
  for (const status of ['unassigned', 'assigned', 'activated', 'revoked'])
    expect({ status, n: row[`${status}_count`] }).toEqual({ status, n: counts[status] ?? 0 });
  return counts;
}
