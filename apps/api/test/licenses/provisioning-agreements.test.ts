import { randomUUID } from 'node:crypto';
import { jobs, runJob } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { historyOf, isUuid, trpcData, trpcError } from '../support/fixtures.ts';
import { dialects, startApp } from '../support/harness.ts';
import { AGREEMENTS, PLANS, provisioner, provisioningOf, RENEWALS } from './provisioning.ts';

const PRODUCTS = '/api/v1/provisioning-admins/products/';
const PLAN_TYPES = '/api/v1/provisioning-admins/plan-types/';

describe.each(dialects)('provisioning of agreements and products on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());
  const { call, products, agreement, plan } = provisioningOf(() => world);

  test('an agreement from creation to change, with exact bodies', async () => {
    const [customer, catalog, slug] = [randomUUID(), randomUUID(), `slug-${randomUUID()}`];
    const made = await call('POST', AGREEMENTS, { enterprise_customer_uuid: customer, enterprise_customer_slug: slug });
    const expected = {
      uuid: isUuid,
      enterprise_customer_uuid: customer,
      enterprise_customer_slug: slug,
      default_enterprise_catalog_uuid: null,
      disable_expiration_notifications: false,
      net_days_until_expiration: 0,
      subscription_for_auto_applied_licenses: null,
      available_subscription_catalogs: [],
      enable_auto_applied_subscriptions_with_universal_link: false,
      has_custom_license_expiration_messaging_v2: null,
      modal_header_text_v2: null,
      expired_subscription_modal_messaging_v2: null,
      button_label_in_modal_v2: null,
      url_for_button_in_modal_v2: null,
      subscriptions: [],
    };
    expect(made).toMatchObject({ status: 201 });
    expect(made.body).toEqual(expected);
    const path = `${AGREEMENTS}${made.body.uuid}/`;
    expect((await call('GET', path)).body).toEqual(made.body);
    for (const method of ['PATCH', 'PUT'] as const) {
      const change = { default_enterprise_catalog_uuid: catalog, disable_onboarding_notifications: true };
      const changed = await call(method, path, change);
      expect(changed.status).toBe(200);
      expect(changed.body).toEqual({ ...expected, default_enterprise_catalog_uuid: catalog });
      // W-09: the old service let PUT move an agreement to another customer.
      for (const value of [randomUUID(), customer, null, 'x'])
        expect(await call(method, path, { enterprise_customer_uuid: value })).toMatchObject({
          status: 400,
          body: 'enterprise_customer_uuid cannot be updated',
        });
    }
    // W-23: it was advertised and ignored.
    const stored = await world.db('customer_agreements').where({ uuid: made.body.uuid }).first();
    expect(stored).toMatchObject({ disable_onboarding_notifications: true, enterprise_customer_uuid: customer });
    expect((await historyOf(world, made.body.uuid)).map(({ action }) => action)).toEqual(['created', 'updated']);
    expect((await call('DELETE', path)).status).toBe(405);
  });

  test('customer and slug are unique, both at once', async () => {
    const slug = `slug-${randomUUID()}`;
    const { customer, uuid } = await agreement({ enterprise_customer_slug: slug });
    const [ofCustomer, ofSlug] = ['uuid', 'slug'].map((what) => [
      `Customer Agreement with this enterprise customer ${what} already exists.`,
    ]);
    const same = { enterprise_customer_uuid: customer, enterprise_customer_slug: slug };
    expect(await call('POST', AGREEMENTS, same)).toMatchObject({
      status: 400,
      body: { enterprise_customer_uuid: ofCustomer, enterprise_customer_slug: ofSlug },
    });
    const other = await agreement();
    expect(await call('PATCH', `${AGREEMENTS}${other.uuid}/`, { enterprise_customer_slug: slug })).toMatchObject({
      status: 400,
      body: { enterprise_customer_slug: ofSlug },
    });
    expect((await call('PATCH', `${AGREEMENTS}${uuid}/`, { enterprise_customer_slug: slug })).status).toBe(200);
    const at = randomUUID();
    const replies = await Promise.all([1, 2, 3].map(() => call('POST', AGREEMENTS, { enterprise_customer_uuid: at })));
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 400, 400]);
    expect((await call('POST', AGREEMENTS, { enterprise_customer_uuid: 'x' })).body).toEqual({
      enterprise_customer_uuid: ['Must be a valid UUID.'],
    });
  });

  test('W-21: unknown and malformed uuids', async () => {
    expect(await call('GET', `${AGREEMENTS}x/`)).toMatchObject({ status: 404, body: { detail: 'Not found.' } });
    expect((await call('PATCH', `${AGREEMENTS}${randomUUID()}/`, {})).status).toBe(404);
    const error = await trpcError(world, 'agreements.getForProvisioning', { uuid: randomUUID() }, provisioner());
    expect(error).toMatchObject({ status: 404, code: 'not_found' });
  });

  describe('settings of operators', () => {
    const texts = {
      has_custom_license_expiration_messaging: true,
      modal_header_text: 'Over',
      expired_subscription_modal_messaging:
        '<p onclick="x()">Ask <a href="https://help.example/a" onclick="x()">us</a> <script>alert(1)</script><b style="color: red; position: fixed">now</b></p><a href="javascript:x()">no</a><img src=x onerror=x()>',
      button_label_in_modal: 'Go',
      url_for_button_in_modal: 'https://go.example/',
    };

    test('W-08, R-LIC-18: the text that learners see is cleaned before it is stored', async () => {
      const { uuid } = await agreement();
      const set = await call('PATCH', `${AGREEMENTS}${uuid}/settings/`, texts);
      expect(set.status, JSON.stringify(set.body)).toBe(200);
      const clean =
        'Ask <a href="https://help.example/a" rel="nofollow">us</a> <b style="color:red">now</b><a rel="nofollow">no</a>';
      expect(set.body.expired_subscription_modal_messaging).toBe(clean);
      expect((await call('GET', `${AGREEMENTS}${uuid}/`)).body).toMatchObject({
        has_custom_license_expiration_messaging_v2: true,
        modal_header_text_v2: 'Over',
        expired_subscription_modal_messaging_v2: clean,
        button_label_in_modal_v2: 'Go',
        url_for_button_in_modal_v2: 'https://go.example/',
      });
    });

    test.each([
      [
        'a text is missing',
        { ...texts, modal_header_text: '' },
        { modal_header_text: ['This field is required for a custom message.'] },
      ],
      [
        'texts that are not used',
        { ...texts, has_custom_license_expiration_messaging: false, url_for_button_in_modal: '' },
        {
          modal_header_text: ['This field must be blank without a custom message.'],
          expired_subscription_modal_messaging: ['This field must be blank without a custom message.'],
          button_label_in_modal: ['This field must be blank without a custom message.'],
        },
      ],
      [
        'another kind of address',
        { ...texts, url_for_button_in_modal: 'ftp://go.example/' },
        { url_for_button_in_modal: ['The URL must begin with http:// or https://.'] },
      ],
      [
        'a share above all',
        { auto_scaling_threshold_percentage: 101 },
        { auto_scaling_threshold_percentage: ['Ensure this value is less than or equal to 100.'] },
      ],
    ])('refused: %s', async (_case, body, expected) => {
      const { uuid } = await agreement();
      expect(await call('PATCH', `${AGREEMENTS}${uuid}/settings/`, body)).toMatchObject({
        status: 400,
        body: expected,
      });
    });

    test('through tRPC: growth and retention', async () => {
      const { uuid } = await agreement();
      const wish = {
        uuid,
        enterpriseCustomerName: 'Named',
        daysBeforePurge: 30,
        enableAutoScalingOfCurrentPlan: true,
        autoScalingMaxLicenses: 100,
        autoScalingThresholdPercentage: 30,
        autoScalingIncrementPercentage: 50,
      };
      expect(await trpcData(world, 'agreements.configure', wish, provisioner())).toMatchObject(wish);
    });
  });

  test('R-LICX-03, R-LICX-53: products and the NetSuite rule', async () => {
    const name = randomUUID();
    const wish = { name, plan_type: 1, salesforce_product_id: 'sf' };
    const missing = { netsuite_id: ['You must specify Netsuite ID for selected plan type.'] };
    expect(await call('POST', PRODUCTS, wish)).toMatchObject({ status: 400, body: missing });
    const made = await call('POST', PRODUCTS, { ...wish, netsuite_id: 106 });
    expect(made).toMatchObject({ status: 201 });
    expect(made.body).toEqual({
      id: expect.any(Number),
      name,
      description: '',
      salesforce_product_id: 'sf',
      netsuite_id: 106,
      plan_type: 1,
      plan_type_label: 'Standard Paid',
    });
    // The same NetSuite id twice.
    expect((await call('POST', PRODUCTS, { ...wish, name: randomUUID(), netsuite_id: 106 })).status).toBe(201);
    expect((await call('POST', PRODUCTS, { ...wish, netsuite_id: 1 })).body).toEqual({
      non_field_errors: ['The fields name, plan_type must make a unique set.'],
    });
    const path = `${PRODUCTS}${made.body.id}/`;
    expect(await call('PATCH', path, { netsuite_id: null })).toMatchObject({ status: 400, body: missing });
    expect(await call('PATCH', path, { netsuite_id: 107, description: 'New' })).toMatchObject({
      status: 200,
      body: { ...made.body, netsuite_id: 107, description: 'New' },
    });
    expect((await call('PATCH', path, { plan_type: 999_999 })).body).toEqual({
      plan_type: ['Invalid pk "999999" - object does not exist.'],
    });
    expect((await call('PATCH', `${PRODUCTS}999999/`, {})).status).toBe(404);
    const { uuid } = await world.db('products').where({ id: made.body.id }).first();
    expect((await historyOf(world, uuid)).map(({ action }) => action)).toEqual(['created', 'updated']);
    const listed = await call('GET', `${PRODUCTS}?page_size=1`);
    expect(listed.body).toMatchObject({ previous: null, results: [{ id: expect.any(Number) }] });
  });

  test('W-LICX-23, R-LICX-07: the products of trials come with their plan type, once', async () => {
    const job = jobs.find(({ contract }) => contract.name === 'licenses.seedProducts');
    if (!job) throw new Error('No job.');
    const seed = () => {
      const { signal } = new AbortController();
      return runJob(world.runtime, job, { uuid: randomUUID(), payload: {}, signal, dryRun: false, isLast: true });
    };
    const type = await call('POST', PLAN_TYPES, { label: 'self-service-trial', ns_id_required: false });
    expect(type).toMatchObject({ status: 201, body: { is_paid_subscription: true } });
    const academies = () => world.db('products').where({ plan_type_id: type.body.id }).orderBy('id');
    expect(await academies()).toHaveLength(8);
    const [first] = await academies();
    expect(first).toMatchObject({ name: 'SSP Essentials AI Academy', description: 'SSP Essentials AI Academy' });
    await call('PATCH', `${PRODUCTS}${first.id}/`, { description: 'Ours' });
    expect(await seed()).toEqual({ created: 5 });
    expect(await seed()).toEqual({ created: 0 });
    expect((await academies()).map(({ description }) => description)).toContain('Ours');
    expect((await call('POST', PLAN_TYPES, { label: 'self-service-trial' })).body).toEqual({
      label: ['Plan Type with this label already exists.'],
    });
    expect(await call('PATCH', `${PLAN_TYPES}${type.body.id}/`, { is_paid_subscription: false })).toMatchObject({
      status: 200,
      body: { is_paid_subscription: false },
    });
    expect((await call('GET', PLAN_TYPES)).body.results.map(({ label }: { label: string }) => label)).toEqual([
      'Standard Paid',
      'OCE',
      'Trial',
      'Test',
      'self-service-trial',
    ]);
  });

  test('W-40: lists of plans, agreements and renewals need at most five statements a page', async () => {
    const { free } = await products();
    const made = await agreement();
    const plans = [];
    for (let at = 0; at < 12; at += 1) plans.push(await plan(made.uuid, free, { desired_num_licenses: 1 }));
    for (const [at, prior] of plans.slice(0, -1).entries())
      await call('POST', RENEWALS, {
        prior_subscription_plan: prior,
        renewed_subscription_plan: plans[at + 1],
        salesforce_opportunity_id: null,
        number_of_licenses: 1,
        effective_date: '2026-06-01T20:00:00Z',
        renewed_expiration_date: '2027-06-01T00:00:00Z',
      });
    const statementsOnce = async (path: string) => {
      expect((await call('GET', path)).status).toBe(200);
      let count = 0;
      const add = () => {
        count += 1;
      };
      world.db.on('query', add);
      await call('GET', path).finally(() => world.db.off('query', add));
      return count;
    };
    // The caller's roles are read again every ten seconds, which can fall into one of the calls.
    const statements = async (path: string) => Math.min(await statementsOnce(path), await statementsOnce(path));
    for (const path of [
      `${PLANS}?enterprise_customer_uuid=${made.customer}`,
      `${AGREEMENTS}${made.uuid}/`,
      RENEWALS,
      PRODUCTS,
    ]) {
      const count = await statements(path);
      expect({ path, count: count > 0 && count <= 5 }).toEqual({ path, count: true });
    }
  });
});
