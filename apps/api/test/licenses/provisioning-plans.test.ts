import { randomUUID } from 'node:crypto';
import { jobs, runJob } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { historyOf, isUuid, trpcData } from '../support/fixtures.ts';
import { demonstration, dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { countsOf, holdLicenses, LINE_ITEM, PLANS, provisioner, provisioningOf } from './provisioning.ts';

describe.each(dialects)('provisioning of plans on %s', (dialect) => {
  let world: World;
  let product: { paid: number; free: number };
  beforeAll(async () => {
    world = await startApp(dialect);
    product = await provisioningOf(() => world).products();
  });
  afterAll(() => world.stop());
  const { call, agreement, plan, planBody } = provisioningOf(() => world);

  const rule = (text: string) => ({ error: `An error occurred: ${text}` });

  /** Runs the jobs of a name that wait in the outbox. */
  async function work(name: string) {
    const job = jobs.find(({ contract }) => contract.name === name);
    if (!job) throw new Error(`No job ${name}.`);
    const results: Record<string, unknown>[] = [];
    const waiting = await world.db('outbox').where({ kind: 'job', name }).whereNull('sent').orderBy('created');
    for (const { uuid, payload } of waiting) {
      const given = typeof payload === 'string' ? JSON.parse(payload) : payload;
      const { signal } = new AbortController();
      results.push(await runJob(world.runtime, job, { uuid, payload: given, signal, dryRun: false, isLast: true }));
      await world.db('outbox').where({ uuid }).update({ sent: new Date() });
    }
    return results;
  }

  test('a plan from creation to change, with exact bodies', async () => {
    const { uuid: agreementUuid, customer, catalog } = await agreement();
    const wish = planBody(agreementUuid, product.paid, { title: 'Exact' });
    const made = await call('POST', PLANS, wish);
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      title: 'Exact',
      uuid: isUuid,
      start_date: '2026-01-01T00:00:00Z',
      expiration_date: '2026-12-31T00:00:00Z',
      enterprise_customer_uuid: customer,
      enterprise_catalog_uuid: catalog,
      is_active: true,
      is_current: true,
      is_revocation_cap_enabled: false,
      days_until_expiration: 212,
      days_until_expiration_including_renewals: 212,
      is_locked_for_renewal_processing: false,
      should_auto_apply_licenses: null,
      created: '2026-06-01T12:00:00Z',
      plan_type: 'Standard Paid',
      product: product.paid,
      salesforce_opportunity_line_item: LINE_ITEM,
      can_freeze_unused_licenses: false,
      customer_agreement: agreementUuid,
      desired_num_licenses: 5,
      expiration_processed: false,
      for_internal_use_only: false,
      last_freeze_timestamp: null,
      num_revocations_applied: 0,
      revoke_max_percentage: 5,
      change_reason: 'new',
    });
    const path = `${PLANS}${made.body.uuid}/`;
    expect(await countsOf(world, made.body.uuid)).toEqual({ unassigned: 5 });
    expect((await call('GET', path)).body).toMatchObject({
      licenses: { total: 5, unassigned: 5 },
      product: product.paid,
    });

    const changed = await call('PATCH', path, { change_reason: 'other', desired_num_licenses: 7, title: 'Changed' });
    expect(changed.status, JSON.stringify(changed.body)).toBe(200);
    const { is_current: _current, created: _created, plan_type: _type, ...kept } = made.body;
    expect(changed.body).toEqual({ ...kept, title: 'Changed', desired_num_licenses: 7, change_reason: 'other' });
    expect(await countsOf(world, made.body.uuid)).toEqual({ unassigned: 7 });
    // Never fewer (R-LIC-20).
    expect((await call('PATCH', path, { change_reason: 'other', desired_num_licenses: 3 })).status).toBe(200);
    expect(await countsOf(world, made.body.uuid)).toEqual({ unassigned: 7 });

    const history = await historyOf(world, made.body.uuid);
    expect(history.map(({ action, note, reason }) => [action, note, reason])).toEqual([
      ['created', null, 'new'],
      ['updated', 'provisioned 5 licenses', 'new'],
      ['updated', null, 'other'],
      ['updated', 'provisioned 2 licenses', 'other'],
      ['updated', null, 'other'],
    ]);
    for (const method of ['PUT', 'DELETE'] as const) expect((await call(method, path, {})).status).toBe(405);
  });

  test('through tRPC, with the same facts', async () => {
    const { uuid: customerAgreement } = await agreement();
    const made = await trpcData<{ uuid: string; provisioningJob: string | null }>(
      world,
      'plans.create',
      {
        title: 'Typed',
        startDate: new Date('2026-01-01T00:00:00Z'),
        expirationDate: new Date('2026-12-31T00:00:00Z'),
        customerAgreement,
        desiredNumLicenses: 301,
        changeReason: 'new',
        salesforceOpportunityLineItem: null,
        product: product.free,
      },
      provisioner(),
    );
    expect(made).toMatchObject({ isActive: false, provisioningJob: isUuid });
    expect(await work('licenses.provision')).toEqual([{ added: 301, total: 301 }]);
    expect(await countsOf(world, made.uuid)).toEqual({ unassigned: 301 });
    const change = { uuid: made.uuid, includeInactive: true, isActive: true, changeReason: 'other' };
    expect(await trpcData(world, 'plans.update', change, provisioner())).toMatchObject({ isActive: true });
  });

  test.each([
    ['no product', { product: null }, rule('Product is required.')],
    ['product absent', { product: undefined }, rule('Product is required.')],
    [
      'unknown product',
      { product: 2_000_000 },
      { error: { product: ['Invalid pk "2000000" - object does not exist.'] } },
    ],
    ['no reason', { change_reason: undefined }, { error: { change_reason: ['This field is required.'] } }],
    ['odd reason', { change_reason: 'because' }, { error: { change_reason: ['"because" is not a valid choice.'] } }],
    ['unknown agreement', { customer_agreement: randomUUID() }, rule("Provided customer_agreement doesn't exist.")],
    [
      'no line item',
      { salesforce_opportunity_line_item: null },
      rule('You must specify Salesforce ID for selected product.'),
    ],
    [
      'odd line item',
      { salesforce_opportunity_line_item: '00K1' },
      rule("Invalid Salesforce ID format. It must start with '00k'."),
    ],
    [
      'blank line item',
      { salesforce_opportunity_line_item: '' },
      { error: { salesforce_opportunity_line_item: ['This field may not be blank.'] } },
    ],
    [
      'long line item',
      { salesforce_opportunity_line_item: `${LINE_ITEM}0` },
      { error: { salesforce_opportunity_line_item: ['Ensure this field has no more than 18 characters.'] } },
    ],
    [
      'unknown catalog',
      { enterprise_catalog_uuid: randomUUID() },
      rule('A catalog with the given UUID does not exist for this enterprise customer.'),
    ],
    [
      'catalog of another customer',
      { enterprise_catalog_uuid: demonstration.otherCatalog },
      rule(
        'Unknown error occured while connecting to enterprise catalog API. An error occurred: A catalog with the given UUID does not exist for this enterprise customer.',
      ),
    ],
    [
      'W-23, W-LICX-20: a negative count',
      { desired_num_licenses: -1 },
      { error: { desired_num_licenses: ['Ensure this value is greater than or equal to 0.'] } },
    ],
    [
      'W-23, R-LIC-19: more than a million',
      { desired_num_licenses: 1_000_001 },
      rule('Only plans for internal use can have more than 1000000 licenses.'),
    ],
    [
      'W-LICX-20: a malformed catalog',
      { enterprise_catalog_uuid: 'x' },
      { error: { enterprise_catalog_uuid: ['Must be a valid UUID.'] } },
    ],
  ])('a plan is not created: %s', async (_case, change, body) => {
    const { uuid } = await agreement();
    const wish = JSON.parse(JSON.stringify(planBody(uuid, product.paid, change)));
    expect(await call('POST', PLANS, wish)).toMatchObject({ status: 400, body });
    // W-16: nothing is left of it.
    expect(await world.db('subscription_plans').where({ customer_agreement_uuid: uuid })).toEqual([]);
  });

  test('a short line item and a start after the end are stored', async () => {
    const { uuid } = await agreement();
    const odd = { salesforce_opportunity_line_item: '00k', start_date: '2027-01-01' };
    expect((await call('POST', PLANS, planBody(uuid, product.paid, odd))).status).toBe(201);
  });

  test('an agreement without a catalog needs one on the plan', async () => {
    const { uuid } = await agreement({ default_enterprise_catalog_uuid: null });
    expect(await call('POST', PLANS, planBody(uuid, product.paid))).toMatchObject({
      status: 400,
      body: rule('The subscription must have an enterprise catalog uuid from itself or its customer agreement'),
    });
  });

  test('a title is unique among the plans of an agreement', async () => {
    const { uuid } = await agreement();
    const taken = { error: { non_field_errors: ['The fields title, customer_agreement must make a unique set.'] } };
    await plan(uuid, product.paid, { title: 'Same' });
    expect(await call('POST', PLANS, planBody(uuid, product.paid, { title: 'Same' }))).toMatchObject({
      status: 400,
      body: taken,
    });
    const other = await plan(uuid, product.paid);
    const change = { title: 'Same', change_reason: 'other' };
    expect(await call('PATCH', `${PLANS}${other}/`, change)).toMatchObject({ status: 400, body: taken });
  });

  test('unreadable bodies and lists', async () => {
    const send = (payload: string, type = 'application/json', method: 'POST' | 'PATCH' = 'POST') =>
      world.app.inject({
        method,
        url: method === 'POST' ? PLANS : `${PLANS}${demonstration.plan}/`,
        headers: { authorization: `JWT ${provisioner()}`, 'content-type': type },
        payload,
      });
    for (const method of ['POST', 'PATCH'] as const) {
      const malformed = await send('{', 'application/json', method);
      expect([malformed.statusCode, malformed.json()]).toEqual([400, { error: 'Unknown error.' }]);
      const typed = await send('a=b', 'text/plain', method);
      expect([typed.statusCode, typed.json()]).toEqual([400, { error: 'Unknown error.' }]);
    }
    const list = await send('[]');
    expect([list.statusCode, list.json()]).toEqual([400, { error: "'list' object has no attribute 'get'" }]);
  });

  describe('a change', () => {
    const patch = (uuid: string, body: object, query = '') => call('PATCH', `${PLANS}${uuid}/${query}`, body);
    const reason = { change_reason: 'other' };

    test.each([
      ['no reason', {}, rule('change_reason is required.')],
      ['reason null', { change_reason: null }, { error: { change_reason: ['This field may not be null.'] } }],
      [
        'count null',
        { ...reason, desired_num_licenses: null },
        { error: { desired_num_licenses: ['This field may not be null.'] } },
      ],
      [
        'W-LICX-20: count negative',
        { ...reason, desired_num_licenses: -1 },
        { error: { desired_num_licenses: ['Ensure this value is greater than or equal to 0.'] } },
      ],
      [
        'W-LICX-20: malformed catalog',
        { ...reason, enterprise_catalog_uuid: 'not-a-uuid' },
        { error: { enterprise_catalog_uuid: ['Must be a valid UUID.'] } },
      ],
    ])('is refused: %s', async (_case, body, expected) => {
      const uuid = await plan((await agreement()).uuid, product.paid);
      expect(await patch(uuid, body)).toMatchObject({ status: 400, body: expected });
    });

    test('W-24: the line item counts only with the product, and only if its plan type says so', async () => {
      const uuid = await plan((await agreement()).uuid, product.paid);
      const missing = rule("You must specify Salesforce ID for selected product. It must start with '00k'.");
      expect(await patch(uuid, { ...reason, product: product.paid })).toMatchObject({ status: 400, body: missing });
      const odd = { ...reason, product: product.free, salesforce_opportunity_line_item: 'x' };
      expect(await patch(uuid, odd)).toMatchObject({ status: 400, body: missing });
      expect(await patch(uuid, { ...reason, product: product.free })).toMatchObject({ status: 200 });
      const without = { ...reason, salesforce_opportunity_line_item: null };
      expect(await patch(uuid, without)).toMatchObject({
        status: 200,
        body: { salesforce_opportunity_line_item: null },
      });
    });

    test('read-only fields are ignored', async () => {
      const { uuid: agreementUuid } = await agreement();
      const uuid = await plan(agreementUuid, product.paid);
      const fixed = {
        customer_agreement: randomUUID(),
        expiration_processed: true,
        last_freeze_timestamp: '2026-01-01T00:00:00Z',
        num_revocations_applied: 9,
      };
      expect(await patch(uuid, { ...reason, ...fixed })).toMatchObject({
        status: 200,
        body: {
          customer_agreement: agreementUuid,
          expiration_processed: false,
          last_freeze_timestamp: null,
          num_revocations_applied: 0,
        },
      });
    });

    test('licences example 10, W-LICX-21: an inactive plan', async () => {
      const { uuid: agreementUuid, customer } = await agreement();
      const uuid = await plan(agreementUuid, product.paid, { is_active: false });
      const gone = { status: 404, body: { detail: 'No SubscriptionPlan matches the given query.' } };
      expect(await patch(uuid, reason)).toMatchObject(gone);
      expect(await patch(randomUUID(), reason)).toMatchObject(gone);
      expect(await patch(uuid, reason, '?include_inactive=false')).toMatchObject(gone);
      // As enterprise-access sends it.
      expect((await patch(uuid, reason, '?include_inactive=True')).status).toBe(200);
      expect((await patch(uuid, reason, '?include_inactive=TRUE')).status).toBe(200);
      expect((await patch(uuid, reason, '?include_inactive=1')).status).toBe(200);
      expect(await patch(uuid, reason, '?include_inactive=yes')).toMatchObject({
        status: 400,
        body: { error: { include_inactive: ['Must be a valid boolean.'] } },
      });
      const listed = async (query: string) =>
        (await call('GET', `${PLANS}?enterprise_customer_uuid=${customer}${query}`)).body.count;
      expect(await listed('')).toBe(0);
      expect(await listed('&include_inactive=true')).toBe(1);
      const again = { ...reason, is_active: true };
      expect((await patch(uuid, again, '?include_inactive=true')).body.is_active).toBe(true);
      expect(await listed('')).toBe(1);
      expect((await call('GET', `${PLANS}${uuid}/`)).status).toBe(200);
    });

    test('the customer of the query restricts it', async () => {
      const { uuid: agreementUuid, customer } = await agreement();
      const uuid = await plan(agreementUuid, product.paid);
      const of = (value: string) => patch(uuid, reason, `?enterprise_customer_uuid=${value}`);
      expect((await of(customer)).status).toBe(200);
      expect((await of(randomUUID())).status).toBe(404);
      expect(await of('x')).toMatchObject({ status: 400, body: { detail: 'x is not a valid uuid.' } });
    });
  });

  test('W-21, W-LICX-22: malformed and unknown uuids', async () => {
    expect(await call('PATCH', `${PLANS}x/`, {})).toMatchObject({ status: 404, body: { detail: 'Not found.' } });
    for (const uuid of ['x', randomUUID()])
      expect(await call('GET', `${PLANS}${uuid}/`)).toMatchObject({ status: 404, body: { error: 'No record found.' } });
  });

  test('W-06: only the role for all customers passes', async () => {
    for (const context of [demonstration.customer, 'None', '']) {
      const token = tokenFor('enterprise_provisioning_admin', context, 71);
      expect((await world.call('GET', PLANS, token)).status).toBe(403);
    }
    expect((await world.call('GET', PLANS, tokenFor('enterprise_openedx_operator', '*', 72))).status).toBe(403);
  });

  test('a catalog service that does not answer stores nothing', async () => {
    const { uuid } = await agreement();
    const catalog = { ...world.runtime.catalog };
    Object.assign(world.runtime.catalog, { customerOf: () => Promise.reject(new Error('connect ECONNREFUSED')) });
    const made = await call('POST', PLANS, planBody(uuid, product.paid));
    Object.assign(world.runtime.catalog, catalog);
    expect(made).toMatchObject({
      status: 400,
      body: rule('Could not verify the given UUID: the catalog service did not answer. Please try again.'),
    });
    expect(await world.db('subscription_plans').where({ customer_agreement_uuid: uuid })).toEqual([]);
  });

  test('R-LIC-20: the job recomputes what is missing, and stops for a frozen plan', async () => {
    const uuid = await plan((await agreement()).uuid, product.free, { desired_num_licenses: 6_000 });
    await call('PATCH', `${PLANS}${uuid}/`, { change_reason: 'other', desired_num_licenses: 5_500 });
    // Two jobs wait; together they add what is missing once.
    const results = await work('licenses.provision');
    expect(results).toEqual([
      { added: 5_500, total: 5_500 },
      { added: 0, total: 5_500 },
    ]);
    expect(await countsOf(world, uuid)).toEqual({ unassigned: 5_500 });
    expect(await call('POST', `${PLANS}${uuid}/provision/`, {})).toMatchObject({ body: { added: 0, job: null } });
  });

  test('R-LIC-22: freezing deletes unused licences and ends provisioning', async () => {
    const uuid = await plan((await agreement()).uuid, product.free, { desired_num_licenses: 6, title: 'Cold' });
    await holdLicenses(world, uuid, { assigned: 1, activated: 1 });
    expect(await call('POST', `${PLANS}${uuid}/freeze/`, {})).toMatchObject({
      status: 422,
      body: { detail: 'Cannot freeze Cold. The plan does not support freezing unused licenses.' },
    });
    await call('PATCH', `${PLANS}${uuid}/`, { change_reason: 'other', can_freeze_unused_licenses: true });
    expect(await call('POST', `${PLANS}${uuid}/freeze/`, { reason: 'contract' })).toMatchObject({ status: 200 });
    expect(await work('licenses.deleteUnused')).toEqual([{ deleted: 4 }]);
    expect(await countsOf(world, uuid)).toEqual({ assigned: 1, activated: 1 });
    await call('PATCH', `${PLANS}${uuid}/`, { change_reason: 'other', desired_num_licenses: 50 });
    expect(await countsOf(world, uuid)).toEqual({ assigned: 1, activated: 1 });
    const notes = (await historyOf(world, uuid)).map(({ note }) => note).filter((note) => note !== null);
    expect(notes).toEqual(['provisioned 6 licenses', 'deleted 4 licenses']);
  });

  test('revoked licences are deleted with a record each', async () => {
    const uuid = await plan((await agreement()).uuid, product.free, { desired_num_licenses: 4 });
    await holdLicenses(world, uuid, { revoked: 3 });
    const revoked: { uuid: string }[] = await world
      .db('licenses')
      .where({ subscription_plan_uuid: uuid, status: 'revoked' });
    expect((await call('POST', `${PLANS}${uuid}/delete-revoked-licenses/`, {})).status).toBe(202);
    expect(await work('licenses.deleteRevoked')).toEqual([{ deleted: 3 }]);
    expect(await countsOf(world, uuid)).toEqual({ unassigned: 1 });
    for (const { uuid: license } of revoked)
      expect((await historyOf(world, license)).map(({ action }) => action)).toEqual(['deleted']);
  });

  test('two jobs at once never add too many', async () => {
    const uuid = await plan((await agreement()).uuid, product.free, { desired_num_licenses: 12_000 });
    const job = jobs.find(({ contract }) => contract.name === 'licenses.provision');
    if (!job) throw new Error('No job.');
    const { enterprise_customer_uuid: enterpriseCustomerUuid } = await world
      .db('subscription_plans')
      .where({ uuid })
      .first();
    const payload = { planUuid: uuid, enterpriseCustomerUuid };
    const { signal } = new AbortController();
    const results = await Promise.all(
      [1, 2, 3].map(() =>
        runJob(world.runtime, job, { uuid: randomUUID(), payload, signal, dryRun: false, isLast: true }),
      ),
    );
    expect(results.reduce((sum, { added }) => sum + Number(added), 0)).toBe(12_000);
    expect(await countsOf(world, uuid)).toEqual({ unassigned: 12_000 });
  }, 120_000);

  test('licences get the state that they had at a time, all or none', async () => {
    const uuid = await plan((await agreement()).uuid, product.free, { desired_num_licenses: 3 });
    const operator = operatorToken();
    const licenses = `/api/v1/subscriptions/${uuid}/licenses/`;
    const seats = () => world.db('licenses').where({ subscription_plan_uuid: uuid }).orderBy('user_email');
    const later = () => new Promise((resolve) => setTimeout(resolve, 5));
    const now = async () => {
      await later();
      const at = new Date().toISOString();
      await later();
      return at;
    };
    const before = await now();
    const emails = { user_emails: ['a@revert.example', 'b@revert.example'], notify_users: false };
    expect((await world.call('POST', `${licenses}assign/`, operator, emails)).status).toBe(200);
    const held = (await seats()).filter(({ user_email: email }) => email !== null);
    expect(held).toHaveLength(2);
    const assigned = await now();
    const revoked = await world.call('POST', `${licenses}bulk-revoke/`, operator, {
      user_emails: ['a@revert.example'],
    });
    expect(revoked.status).toBe(200);
    expect(await countsOf(world, uuid)).toEqual({ assigned: 1, revoked: 1, unassigned: 2 });

    const revert = (at: string, of = held.map((row) => row.uuid)) =>
      call('POST', `${PLANS}${uuid}/revert-licenses/`, { licenses: of, at, reason: 'by mistake' });
    expect(await revert(assigned)).toMatchObject({ status: 200, body: { reverted: 2 } });
    // The free licence that took the place of the revoked one stays.
    expect(await countsOf(world, uuid)).toEqual({ assigned: 2, unassigned: 2 });
    const back = (await seats()).filter(({ user_email: email }) => email !== null);
    for (const [at, row] of back.entries()) expect({ ...row, modified: null }).toEqual({ ...held[at], modified: null });
    expect((await historyOf(world, held[0].uuid)).at(-1)).toMatchObject({ note: 'reverted', reason: 'by mistake' });

    const emptied = await now();
    expect((await revert(before)).status).toBe(200);
    expect(await countsOf(world, uuid)).toEqual({ unassigned: 4 });
    // The trail keeps no keys.
    expect(await revert(emptied)).toMatchObject({ status: 422 });
    const foreign = await revert(before, [...held.map((row) => row.uuid), randomUUID()]);
    expect(foreign.status).toBe(422);
    expect(await countsOf(world, uuid)).toEqual({ unassigned: 4 });
  });
});
