import { newUuid } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { trpcData } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { daysFromNow, licenseRow, NOW, newAgreement, newPlan, renew } from './lifecycle-plans.ts';

const NOT_ALLOWED = { detail: 'You do not have permission to perform this action.' };

describe.each(dialects)('reading licences on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
    world.world.now = NOW;
  });
  afterAll(() => world.stop());

  const admin = (customer: string) => tokenFor('enterprise_admin', customer, 7);
  const learner = (customer: string) => tokenFor('enterprise_learner', customer, 1_000);
  const get = (path: string, token: string) => world.call('GET', `/api/v1/${path}`, token);

  /** An agreement with a current plan with licences in every state, the plan before it and an inactive one. */
  async function made() {
    const agreement = await newAgreement(world, { default_enterprise_catalog_uuid: newUuid() });
    const [product] = await world
      .db('products')
      .insert({
        uuid: newUuid(),
        name: `P ${newUuid()}`,
        description: '',
        plan_type_id: 1,
        created: NOW,
        modified: NOW,
      })
      .then(() => world.db('products').orderBy('id', 'desc').limit(1));
    const licenses = [
      licenseRow('activated', { user_email: 'c@x.org' }),
      licenseRow('assigned', { user_email: 'b@x.org' }),
      licenseRow('assigned', { user_email: 'a@x.org' }),
      licenseRow('revoked', { user_email: 'd@x.org' }),
      licenseRow('revoked', { user_email: null }),
      licenseRow('unassigned'),
      licenseRow('unassigned'),
    ];
    const plan = await newPlan(world, agreement, licenses, {
      is_revocation_cap_enabled: true,
      revoke_max_percentage: 50,
      num_revocations_applied: 1,
      product_id: product.id,
      should_auto_apply_licenses: true,
      salesforce_opportunity_line_item: '00k000000000000001',
      start_date: new Date('2026-03-01T10:00:00.250Z'),
    });
    const before = await newPlan(world, agreement, [], {
      start_date: daysFromNow(-600),
      expiration_date: daysFromNow(-93),
    });
    const inactive = await newPlan(world, agreement, [], { is_active: false, start_date: daysFromNow(-700) });
    await renew(world, agreement, before, {
      renewed_subscription_plan_uuid: plan,
      effective_date: new Date('2026-03-01T10:00:00.250Z'),
      renewed_expiration_date: daysFromNow(60),
    });
    return { ...agreement, plan, before, inactive, product: product.id as number, licenses };
  }

  test('a plan: field by field, with counts, cap and earlier renewals, in both forms of time', async () => {
    const { customer, plan, before, product } = await made();
    const row = await world.db('subscription_plans').where({ uuid: plan }).first();
    const reply = await get(`subscriptions/${plan}/`, admin(customer));
    const expected = {
      title: row.title,
      uuid: plan,
      start_date: '2026-03-01T10:00:00.250000Z',
      expiration_date: '2026-07-31T12:00:00Z',
      enterprise_customer_uuid: customer,
      enterprise_catalog_uuid: row.enterprise_catalog_uuid,
      is_active: true,
      is_current: true,
      is_revocation_cap_enabled: true,
      days_until_expiration: 60,
      days_until_expiration_including_renewals: 60,
      is_locked_for_renewal_processing: false,
      should_auto_apply_licenses: true,
      created: '2026-06-01T12:00:00Z',
      plan_type: 'Standard Paid',
      product,
      salesforce_opportunity_line_item: '00k000000000000001',
      licenses: { activated: 1, assigned: 2, unassigned: 2, revoked: 2, total: 5, allocated: 3 },
      revocations: { applied: 1, remaining: 2 },
      prior_renewals: [
        {
          prior_subscription_plan_id: before,
          prior_subscription_plan_start_date: '2024-10-09 12:00:00+00:00',
          renewed_subscription_plan_id: plan,
          renewed_subscription_plan_start_date: '2026-03-01 10:00:00.250000+00:00',
        },
      ],
    };
    expect(reply).toMatchObject({ status: 200 });
    expect(reply.body).toEqual(expected);
    expect((await get(`subscriptions/${plan}`, admin(customer))).body).toEqual(expected);
    const own = await get(`learner-subscriptions/${plan}/?enterprise_customer_uuid=${customer}`, learner(customer));
    expect(own.body).toEqual(expected);
  });

  test('correction 45: a plan without product has no plan_type, and product null; without a cap no revocations', async () => {
    const { customer, before } = await made();
    const { body } = await get(`subscriptions/${before}/`, admin(customer));
    expect(body).not.toHaveProperty('plan_type');
    expect(body).toMatchObject({ product: null, revocations: null, prior_renewals: [], is_current: false });
    expect(body.days_until_expiration).toBe(-93);
    expect(body.days_until_expiration_including_renewals).toBe(60);
  });

  test('correction 3: plans whose renewals form a circle are read like others', async () => {
    const agreement = await newAgreement(world);
    const [first, second] = [await newPlan(world, agreement, []), await newPlan(world, agreement, [])];
    await renew(world, agreement, first, { renewed_subscription_plan_uuid: second });
    await renew(world, agreement, second, { renewed_subscription_plan_uuid: first });
    expect((await get(`subscriptions/${first}/`, admin(agreement.customer))).body.prior_renewals).toHaveLength(2);
    expect((await get(`customer-agreement/${agreement.uuid}/`, admin(agreement.customer))).status).toBe(200);
  });

  test('plans of one customer: active ones, the newest start first; of all customers also the others', async () => {
    const { customer, plan, before, inactive } = await made();
    const of = async (query: string, token: string) =>
      (await get(`subscriptions/${query}`, token)).body.results.map(({ uuid }: { uuid: string }) => uuid);
    expect(await of(`?enterprise_customer_uuid=${customer}`, admin(customer))).toEqual([plan, before]);
    expect(await of('', admin(customer))).toEqual([plan, before, inactive]);
    expect((await get('subscriptions', admin(customer))).body.count).toBe(3);
    expect((await of('', operatorToken())).length).toBeGreaterThanOrEqual(3);
    const list = await get(`learner-subscriptions/?enterprise_customer_uuid=${customer}`, learner(customer));
    expect(list.body).toMatchObject({ count: 2, next: null, previous: null, results: [{ uuid: plan }, {}] });
    expect(Object.keys(list.body).toSorted()).toEqual(['count', 'next', 'previous', 'results']);
    expect((await get('learner-subscriptions/', learner(customer))).body).toMatchObject({ count: 0, results: [] });
  });

  test('current is the active, current plan that was created last, and needs a customer', async () => {
    const { customer, plan, uuid } = await made();
    const later = await newPlan(world, { customer, uuid }, [], { created: daysFromNow(1) });
    const current = (query: string) => get(`subscriptions/?current=true${query}`, admin(customer));
    const ofCustomer = await current(`&enterprise_customer_uuid=${customer}`);
    expect(ofCustomer.body).toMatchObject({ count: 1, results: [{ uuid: later }] });
    expect(plan).not.toBe(later);
    expect(await current('')).toMatchObject({
      status: 400,
      body: { detail: 'Current plan cannot be used without enterprise_uuid' },
    });
  });

  test('an agreement: field by field, with active plans or with all', async () => {
    const { uuid, customer, plan, before, inactive } = await made();
    const row = await world.db('customer_agreements').where({ uuid }).first();
    const catalogOf = async (id: string) =>
      (await world.db('subscription_plans').where({ uuid: id }).first()).enterprise_catalog_uuid;
    const reply = await get(`customer-agreement/${uuid}/`, learner(customer));
    const { subscriptions, available_subscription_catalogs: catalogs, ...fields } = reply.body;
    expect(fields).toEqual({
      uuid,
      enterprise_customer_uuid: customer,
      enterprise_customer_slug: row.enterprise_customer_slug,
      default_enterprise_catalog_uuid: row.default_enterprise_catalog_uuid,
      disable_expiration_notifications: false,
      net_days_until_expiration: 60,
      subscription_for_auto_applied_licenses: plan,
      enable_auto_applied_subscriptions_with_universal_link: false,
      has_custom_license_expiration_messaging_v2: fields.has_custom_license_expiration_messaging_v2,
      modal_header_text_v2: null,
      expired_subscription_modal_messaging_v2: null,
      button_label_in_modal_v2: null,
      url_for_button_in_modal_v2: null,
    });
    expect(catalogs.toSorted()).toEqual([await catalogOf(plan), await catalogOf(before)].toSorted());
    expect(subscriptions.map((each: { uuid: string }) => each.uuid)).toEqual([plan, before]);
    expect(subscriptions[0]).toEqual((await get(`subscriptions/${plan}/`, admin(customer))).body);
    const plansWith = async (flag: string) =>
      (await get(`customer-agreement/${uuid}?active_plans_only=${flag}`, admin(customer))).body.subscriptions.length;
    expect([await plansWith('true'), await plansWith('TRUE')]).toEqual([2, 2]);
    expect([await plansWith('false'), await plansWith('1'), await plansWith('no')]).toEqual([3, 3, 3]);
    expect(inactive).toBeDefined();
  });

  test('correction 37: of the flag of a list of agreements only the word true is true; a blank customer is no filter', async () => {
    const { customer } = await made();
    const of = async (query: string) => (await get(`customer-agreement/${query}`, learner(customer))).body;
    const plansIn = async (query: string) => (await of(query)).results[0].subscriptions.length;
    expect(await plansIn('?active_plans_only=banana')).toBe(3);
    expect(await plansIn('?active_plans_only=True')).toBe(2);
    expect(await of('?enterprise_customer_uuid=')).toMatchObject({ count: 1, results: [{ subscriptions: [{}, {}] }] });
  });

  test('the list rule: who may see anything gets what may be seen, others are refused; staff see an empty page', async () => {
    const [own, other] = [await made(), await made()];
    for (const path of ['customer-agreement/', 'subscriptions/', 'learner-subscriptions/']) {
      const of = `${path}?enterprise_customer_uuid=${other.customer}`;
      expect(await get(of, admin(own.customer))).toMatchObject({ status: 200, body: { count: 0, results: [] } });
      expect(await get(of, tokenFor('enterprise_provisioning_admin', '*', 7))).toMatchObject({
        status: 403,
        body: NOT_ALLOWED,
      });
      const staff = tokenFor('no_role', own.customer, 55, { isStaff: true });
      expect(await get(of, staff)).toMatchObject({ status: 200, body: { count: 0, results: [] } });
    }
    const licenses = `subscriptions/${other.plan}/licenses/`;
    expect(await get(licenses, admin(own.customer))).toMatchObject({ status: 200, body: { count: 0, num_pages: 1 } });
    expect(await get(licenses, learner(other.customer))).toMatchObject({ status: 403, body: NOT_ALLOWED });
    // Correction 28.
    expect(await get(`subscriptions/${newUuid()}/licenses/`, admin(own.customer))).toMatchObject({
      status: 200,
      body: { count: 0, results: [], num_pages: 1 },
    });
  });

  test('single objects of other customers are refused, unknown ones too, except for callers who may see all', async () => {
    const [own, other] = [await made(), await made()];
    const [license] = other.licenses;
    const unknown = newUuid();
    const denied = (permission: string) => ({ status: 403, body: { detail: `Missing: subscriptions.${permission}` } });
    const paths = [
      [`customer-agreement/${other.uuid}/`, 'has_learner_or_admin_access', `customer-agreement/${unknown}/`],
      [`subscriptions/${other.plan}/`, 'has_admin_access', `subscriptions/${unknown}/`],
      [
        `learner-subscriptions/${other.plan}/?enterprise_customer_uuid=${other.customer}`,
        'has_learner_or_admin_access',
        `learner-subscriptions/${unknown}/`,
      ],
      [
        `subscriptions/${other.plan}/licenses/${license?.uuid}/`,
        'has_admin_access',
        `subscriptions/${other.plan}/licenses/${unknown}/`,
      ],
      [
        `subscriptions/${other.plan}/licenses/overview/`,
        'has_admin_access',
        `subscriptions/${unknown}/licenses/overview/`,
      ],
    ] as const;
    for (const [path, permission, missing] of paths) {
      expect(await get(path, admin(own.customer)), path).toMatchObject(denied(permission));
      expect((await get(path, operatorToken())).status, path).toBe(200);
      expect(await get(missing, operatorToken()), missing).toMatchObject({ status: 404 });
      expect(await get(missing, admin(own.customer)), missing).toMatchObject({ status: 403 });
    }
    expect(await get(`subscriptions/${own.plan}/licenses/${license?.uuid}/`, admin(own.customer))).toMatchObject({
      status: 404,
      body: { detail: 'No License matches the given query.' },
    });
  });

  test('W-21: malformed ids and numbers are bad input', async () => {
    const { customer, plan } = await made();
    for (const path of [
      'customer-agreement/none/',
      'subscriptions/none/',
      'subscriptions/none/licenses/overview/',
      `subscriptions/${plan}/licenses/none/`,
    ])
      expect((await get(path, operatorToken())).status, path).toBe(400);
    expect(await get('subscriptions/?enterprise_customer_uuid=none', admin(customer))).toMatchObject({
      status: 400,
      body: { detail: 'none is not a valid uuid.' },
    });
    expect(await get(`subscriptions/${plan}/licenses/?active_only=many`, admin(customer))).toMatchObject({
      status: 400,
      body: { active_only: ['Enter a number.'] },
    });
    expect((await get(`subscriptions/${plan}/licenses/?search=%00`, admin(customer))).status).toBe(400);
  });

  test('W-07: a licence, field by field; its key is shown to nobody but its holder', async () => {
    const { customer, plan, licenses } = await made();
    const [license] = licenses;
    const expected = {
      uuid: license?.uuid,
      status: 'activated',
      user_email: 'c@x.org',
      activation_date: '2026-05-02T12:00:00Z',
      last_remind_date: '2026-05-02T12:00:00Z',
      subscription_plan_uuid: plan,
      revoked_date: null,
      activation_key: null,
    };
    const base = `subscriptions/${plan}/licenses`;
    expect((await get(`${base}/${license?.uuid}/`, admin(customer))).body).toEqual(expected);
    const { body } = await get(base, admin(customer));
    expect(Object.keys(body).toSorted()).toEqual(['count', 'next', 'num_pages', 'previous', 'results']);
    expect(body).toMatchObject({ count: 7, next: null, previous: null, num_pages: 1 });
    expect(body.results[0]).toEqual(expected);
    expect(body.results.map(({ user_email }: { user_email: string }) => user_email)).toEqual([
      'c@x.org',
      'a@x.org',
      'b@x.org',
      null,
      'd@x.org',
      null,
      null,
    ]);
  });

  describe('filters, orders and pages of licences', () => {
    let plan: Awaited<ReturnType<typeof made>>;
    beforeAll(async () => {
      plan = await made();
    });
    const list = async (query: string) =>
      (await get(`subscriptions/${plan.plan}/licenses/?${query}`, admin(plan.customer))).body;
    const addresses = async (query: string) =>
      (await list(query)).results.map((each: { user_email: string | null }) => each.user_email);

    test.each([
      ['status=assigned', ['a@x.org', 'b@x.org']],
      ['status=activated,assigned', ['c@x.org', 'a@x.org', 'b@x.org']],
      ['status=assigned,unknown', ['a@x.org', 'b@x.org']],
      ['status=unknown', []],
      ['status=assigned, activated', ['a@x.org', 'b@x.org']],
      ['status=&page_size=2', ['c@x.org', 'a@x.org']],
      ['active_only=1', ['c@x.org', 'a@x.org', 'b@x.org']],
      ['active_only=0&page_size=1', ['c@x.org']],
      ['ignore_null_emails=1&status=revoked', ['d@x.org']],
      ['ignore_null_emails=perhaps&status=revoked', [null, 'd@x.org']],
      ['ignore_null_emails=true&status=unassigned', [null, null]],
      ['search=B@X', ['b@x.org']],
      ['search=x.org,a@', ['a@x.org']],
      ['search=x.org a@', ['a@x.org']],
      ['search=%25', []],
      ['search=zzz', []],
      ['ordering=user_email&status=assigned,activated', ['a@x.org', 'b@x.org', 'c@x.org']],
      ['ordering=-user_email&status=assigned,activated', ['c@x.org', 'b@x.org', 'a@x.org']],
      ['ordering=-status&status=assigned,activated', ['b@x.org', 'a@x.org', 'c@x.org']],
      ['ordering=unknown&status=assigned', ['a@x.org', 'b@x.org']],
    ])('%s', async (query, expected) => {
      expect(await addresses(query)).toEqual(expected);
      expect((await list(query.replace('&page_size=2', '').replace('&page_size=1', ''))).count).toBeGreaterThanOrEqual(
        expected.length,
      );
    });

    test('orders by time, with nothing first when ascending', async () => {
      const dated = await addresses('ordering=activation_date');
      expect(dated.slice(0, 4).toSorted()).toEqual(['a@x.org', 'b@x.org', null, null].toSorted());
      expect((await addresses('ordering=-activation_date')).at(-1)).not.toBe('c@x.org');
      expect((await addresses('ordering=last_remind_date')).slice(0, 2)).toEqual([null, null]);
    });

    test('correction 35: pages link to each other with absolute addresses; a page beyond the end is not found', async () => {
      const base = `/subscriptions/${plan.plan}/licenses/`;
      const second = await list('page=2&page_size=3&status=activated,assigned,revoked,unassigned');
      expect(second).toMatchObject({ count: 7, num_pages: 3 });
      const link = (page: string) =>
        `http://access.test/api/v1${base}?${page}page_size=3&status=activated%2Cassigned%2Crevoked%2Cunassigned`;
      expect([second.previous, second.next]).toEqual([link(''), link('page=3&')]);
      expect((await list('page=last&page_size=3')).results).toHaveLength(1);
      for (const page of ['0', '-1', 'abc', '4']) {
        expect(await get(`${base.slice(1)}?page=${page}&page_size=3`, admin(plan.customer)), page).toMatchObject({
          status: 404,
          body: { detail: 'Invalid page.' },
        });
      }
      expect((await list('page_size=0')).results).toHaveLength(7);
      expect((await list('page_size=many')).results).toHaveLength(7);
    });

    test('overview: counts by status, the largest first, with the same filters; absent when there are none', async () => {
      const overview = async (query: string) =>
        (await get(`subscriptions/${plan.plan}/licenses/overview${query}`, admin(plan.customer))).body;
      const all = await overview('/');
      expect(all.map(({ count }: { count: number }) => count)).toEqual([2, 2, 2, 1]);
      expect(all.at(-1)).toEqual({ status: 'activated', count: 1 });
      expect(await overview('?status=activated,assigned')).toEqual([
        { status: 'assigned', count: 2 },
        { status: 'activated', count: 1 },
      ]);
      expect(await overview('?search=b@')).toEqual([{ status: 'assigned', count: 1 }]);
      expect(await overview('?status=revoked&ignore_null_emails=1')).toEqual([{ status: 'revoked', count: 1 }]);
      expect(await overview('?search=zzz')).toEqual([]);
    });

    test('correction 38: counts are exact for large plans, too', async () => {
      await world.db('subscription_plans').where({ uuid: plan.plan }).update({ desired_num_licenses: 20_000 });
      expect(await list('status=unassigned,assigned,activated')).toMatchObject({ count: 5, num_pages: 1 });
      expect(await list('status=unassigned,assigned,activated&search=zzz')).toMatchObject({ count: 0, results: [] });
    });

    test('the same over tRPC, with cursors', async () => {
      const first: { items: { userEmail: string }[]; nextCursor: string } = await trpcData(world, 'licenses.list', {
        planUuid: plan.plan,
        pageSize: 5,
      });
      expect(first.items).toHaveLength(5);
      const rest: { items: unknown[]; nextCursor: null } = await trpcData(world, 'licenses.list', {
        planUuid: plan.plan,
        pageSize: 5,
        cursor: first.nextCursor,
      });
      expect(rest).toMatchObject({ items: [{}, {}], nextCursor: null });
    });
  });

  test('W-40: at most five statements for a page of plans, agreements or licences, whatever their number', async () => {
    const [small, large] = [await made(), await made()];
    for (let at = 0; at < 30; at += 1) await newPlan(world, large, [licenseRow('assigned')]);
    const statementsOf = async (path: string, token: string) => {
      expect((await get(path, token)).status).toBe(200);
      let statements = 0;
      const count = () => {
        statements += 1;
      };
      world.db.on('query', count);
      await get(path, token).finally(() => world.db.off('query', count));
      return statements;
    };
    for (const { customer, uuid, plan } of [small, large]) {
      const paths = [
        `subscriptions/?enterprise_customer_uuid=${customer}`,
        `subscriptions/${plan}/`,
        `customer-agreement/?enterprise_customer_uuid=${customer}`,
        `customer-agreement/${uuid}/`,
        `subscriptions/${plan}/licenses/`,
        `subscriptions/${plan}/licenses/overview/`,
      ];
      for (const path of paths) expect(await statementsOf(path, admin(customer)), path).toBeLessThanOrEqual(5);
    }
  });

  test('correction 42: a method that no route has is 405', async () => {
    const { customer, plan } = await made();
    for (const path of ['customer-agreement/', `subscriptions/${plan}/`]) {
      const reply = await world.call('DELETE', `/api/v1/${path}`, admin(customer));
      expect(reply).toMatchObject({ status: 405, body: { detail: 'Method "DELETE" not allowed.' } });
      expect(reply.headers.allow).toMatch(/GET/);
    }
  });
});
