import { UpstreamFailure, UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newBuyer, purchase } from '../billing/support.ts';
import type { World } from '../support/examples.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';

const PATH = '/api/v1/provisioning';
const OLI = `${PATH}/subscription-plan-oli-update`;

describe.each(dialects)('provisioning on %s', (dialect) => {
  let world: World;
  let next = 0;
  const lineItem = () => {
    next += 1;
    return `00k${String(next).padStart(15, '0')}`;
  };
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  const body = (slug: string, change: object = {}) => ({
    enterprise_customer: { name: `Company ${slug}`, slug, country: 'US' },
    pending_admins: [{ user_email: 'New.Admin@demo.example' }, { user_email: 'new.admin@demo.example' }],
    enterprise_catalog: { title: 'Everything', catalog_query_id: 41 },
    trial_subscription_plan: {
      title: 'Trial',
      salesforce_opportunity_line_item: lineItem(),
      start_date: '2026-06-01T00:00:00Z',
      expiration_date: '2026-06-15T00:00:00Z',
      product_id: 3,
      desired_num_licenses: 7,
    },
    first_paid_subscription_plan: { title: 'Paid', salesforce_opportunity_line_item: null, product_id: 4 },
    ...change,
  });
  const create = (slug: string, change: object = {}, token = operatorToken()) =>
    world.call('POST', PATH, token, body(slug, change));
  /** A customer has paid, and waits for what it bought. */
  const paid = async () => {
    const buyer = newBuyer();
    const { intent } = await purchase(world, buyer);
    return { slug: intent.enterprise_slug as string, intent: intent.uuid as string };
  };
  const intentNow = (uuid: string) => world.db('checkout_intents').where({ uuid }).first();
  const product = async (id: number) =>
    (await world.db('products').where({ id }).first('id')) ??
    (await world.db('products').insert({
      id,
      uuid: `00000000-0000-4000-8000-00000000000${id}`,
      name: `Product ${id}`,
      description: 'For tests.',
      plan_type_id: 4,
      created: new Date(),
      modified: new Date(),
    }));
  beforeAll(async () => {
    for (const id of [3, 4]) await product(id);
  });

  test('R-PROV-01: builds the customer with everything, and fulfils the checkout', async () => {
    const { slug, intent } = await paid();
    const made = await create(slug);
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const { enterprise_customer: customer, trial_subscription_plan: trial } = made.body;
    expect(made.body).toMatchObject({
      enterprise_customer: { name: `Company ${slug}`, slug, country: 'US' },
      customer_admins: { created_admins: [{ user_email: 'new.admin@demo.example' }], existing_admins: [] },
      enterprise_catalog: { enterprise_customer_uuid: customer.uuid, title: 'Everything', catalog_query_id: 41 },
      academy: { academy_uuid: null, enterprise_catalog_uuid: made.body.enterprise_catalog.uuid },
      customer_agreement: { enterprise_customer_uuid: customer.uuid, subscriptions: [] },
      trial_subscription_plan: { title: 'Trial', product: 3, is_active: true },
      first_paid_subscription_plan: {
        title: 'Paid',
        start_date: '2026-06-15T00:00:00Z',
        expiration_date: '2027-06-15T00:00:00Z',
      },
      subscription_plan_renewal: { prior_subscription_plan: trial.uuid, number_of_licenses: 7 },
    });
    expect(await intentNow(intent)).toMatchObject({
      state: 'fulfilled',
      enterprise_customer_uuid: customer.uuid,
      last_provisioning_error: null,
    });
    const licenses = await world.db('licenses').where({ subscription_plan_uuid: trial.uuid });
    expect(licenses).toHaveLength(7);
    const [renewal] = await world.db('subscription_renewals').where({ checkout_intent_uuid: intent });
    expect(renewal).toMatchObject({ subscription_plan_renewal_id: made.body.subscription_plan_renewal.id });
    // What the workflow changed names it.
    const entry = await world
      .db('audit_changes as c')
      .join('audit_entries as e', 'e.uuid', 'c.entry_uuid')
      .where({ 'c.subject_uuid': trial.uuid })
      .first('e.operation', 'e.reason');
    expect(entry).toMatchObject({ operation: 'provisioning.customer.trialPlan' });
  });

  test('R-PROV-02: the same request again answers the same and makes nothing, also fifty at once', async () => {
    const { slug } = await paid();
    const all = await Promise.all(Array.from({ length: 50 }, () => create(slug)));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(all.map(({ body: made }) => made.enterprise_customer.uuid)).size).toBe(1);
    expect(new Set(all.map(({ body: made }) => made.first_paid_subscription_plan.uuid)).size).toBe(1);
    expect(await world.db('workflows').where({ idempotency_key: slug })).toHaveLength(1);
  });

  test('R-PROV-05: without a paid checkout nothing is made', async () => {
    const refused = await create('nobody-paid');
    expect(refused).toMatchObject({
      status: 422,
      body: {
        detail: 'Error in provisioning workflow: No fulfillable CheckoutIntent records for the given slug were found.',
      },
    });
    expect(await world.runtime.customers.bySlug('nobody-paid')).toBeNull();
  });

  test('R-PROV-35: a refusal names the step, the intent says so, and the same request goes on there', async () => {
    const { slug, intent } = await paid();
    const { customers } = world.runtime;
    const { createCatalog, create: createCustomer } = customers;
    let customersMade = 0;
    Object.assign(customers, {
      create: (customer: Parameters<typeof createCustomer>[0]) => {
        customersMade += 1;
        return createCustomer(customer);
      },
      createCatalog: () => Promise.reject(new UpstreamRefusal('lms', 400, { detail: 'somebody@example.com' })),
    });
    const failed = await create(slug);
    const sentence = 'Create the catalog: lms refused it with status 400.';
    expect(failed).toMatchObject({ status: 422, body: { detail: `Error in provisioning workflow: ${sentence}` } });
    expect(await intentNow(intent)).toMatchObject({
      state: 'errored_provisioning',
      last_provisioning_error: sentence,
    });
    Object.assign(customers, { createCatalog });
    expect((await create(slug)).status).toBe(201);
    expect(customersMade).toBe(1);
    expect((await intentNow(intent)).state).toBe('fulfilled');
    Object.assign(customers, { create: createCustomer });
  });

  test('a service that does not answer is tried again; the request says that it goes on', async () => {
    const { slug } = await paid();
    const { customers, settings } = world.runtime;
    const { bySlug } = customers;
    Object.assign(customers, { bySlug: () => Promise.reject(new UpstreamFailure('lms', 'silent')) });
    Object.assign(settings, { provisioningWaitSeconds: 0.2 });
    const waiting = await create(slug);
    expect(waiting).toMatchObject({ status: 202, body: { workflow_uuid: expect.any(String) } });
    Object.assign(customers, { bySlug });
    Object.assign(settings, { provisioningWaitSeconds: 25 });
    expect((await create(slug)).status).toBe(201);
    const view = await world.call('GET', `/api/v1/workflows/${waiting.body.workflow_uuid}/`, operatorToken());
    expect(view.body).toMatchObject({ status: 'succeeded', position: 9 });
  });

  test.each([
    [{ enterprise_customer: { name: 'X', slug: 'a b', country: 'US' } }, 'enterprise_customer', 'slug'],
    [{ enterprise_customer: { name: 'X', slug: 'x', country: 'Atlantis' } }, 'enterprise_customer', 'country'],
    [
      { trial_subscription_plan: { title: 'T', salesforce_opportunity_line_item: null } },
      'trial_subscription_plan',
      'start_date',
    ],
  ])('bad input %j names its field', async (change, object, field) => {
    const refused = await create('bad-input', change);
    expect(refused.status).toBe(400);
    expect(refused.body[object]).toHaveProperty(field);
  });

  test('R-ADD-102: an unknown product is refused before anything is made', async () => {
    const refused = await create('unknown-product', { ssp_product_slug: 'no-such-product' });
    expect(refused.status).toBe(400);
    expect(JSON.stringify(refused.body)).toContain('Unknown ssp_product_slug: no-such-product');
  });

  test('any context of the role may provision, and no other role', async () => {
    const elsewhere = tokenFor('enterprise_provisioning_admin', '00000000-0000-4000-8000-000000000001', 5);
    expect((await create('nobody-paid', {}, elsewhere)).status).toBe(422);
    const admin = tokenFor('enterprise_admin', '*', 5);
    expect(await create('nobody-paid', {}, admin)).toMatchObject({
      status: 403,
      body: { detail: 'MISSING: provisioning.can_create' },
    });
  });

  test('R-ADD-111: the line item of the paid plan is stored', async () => {
    const { slug, intent } = await paid();
    const made = await create(slug);
    const plan = made.body.first_paid_subscription_plan.uuid;
    const other = '00k000000000000999';
    const update = (change: object) =>
      world.call('POST', OLI, operatorToken(), {
        checkout_intent_uuid: intent,
        salesforce_opportunity_line_item: other,
        ...change,
      });
    expect(await update({})).toMatchObject({ status: 200, body: { success: true, subscription_plan_uuid: plan } });
    expect(await world.db('subscription_plans').where({ uuid: plan }).first()).toMatchObject({
      salesforce_opportunity_line_item: other,
    });
    expect(await update({ checkout_intent_id: 5 })).toMatchObject({
      status: 400,
      body: { non_field_errors: ['Only one of CheckoutIntent id or uuid can be provided'] },
    });
    expect((await update({ checkout_intent_uuid: null })).body).toEqual({
      non_field_errors: ['One of CheckoutIntent id or uuid is required'],
    });
    const unknown = '00000000-0000-4000-8000-000000000009';
    expect(await update({ checkout_intent_uuid: unknown })).toMatchObject({
      status: 404,
      body: { detail: `CheckoutIntent {'uuid': UUID('${unknown}')} not found` },
    });
  });
});
