import { randomUUID } from 'node:crypto';
import { jobs, runJob } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { historyOf, isUuid, trpcData, trpcError } from '../support/fixtures.ts';
import { dialects, startApp } from '../support/harness.ts';
import { ASSIGNED, countsOf, holdLicenses, PLANS, provisioner, provisioningOf, RENEWALS } from './provisioning.ts';

const NOW = new Date('2026-06-01T12:00:00.000Z');
const HOUR_MS = 3_600_000;
const EFFECTIVE = '2026-06-01T20:00:00Z';

describe.each(dialects)('renewals on %s', (dialect) => {
  let world: World;
  let product: number;
  beforeAll(async () => {
    world = await startApp(dialect);
    product = (await provisioningOf(() => world).products()).free;
  });
  afterAll(() => world.stop());
  const { call, agreement, plan } = provisioningOf(() => world);

  const draft = (prior: string, change: object = {}) => ({
    prior_subscription_plan: prior,
    salesforce_opportunity_id: null,
    number_of_licenses: 10,
    effective_date: EFFECTIVE,
    renewed_expiration_date: '2027-06-01T00:00:00Z',
    ...change,
  });

  async function renewal(prior: string, change: object = {}): Promise<number> {
    const made = await call('POST', RENEWALS, draft(prior, change));
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    return made.body.id;
  }

  const process = (id: number) => call('POST', `${RENEWALS}${id}/process/`, {});
  const licensesOf = (uuid: string) =>
    world.db('licenses').where({ subscription_plan_uuid: uuid }).orderBy('user_email');
  const newPlan = async (licenses: number, change: object = {}, ofAgreement?: string): Promise<string> =>
    plan(ofAgreement ?? (await agreement()).uuid, product, { desired_num_licenses: licenses, ...change });

  async function runRenewals(dryRun = false) {
    const job = jobs.find(({ contract }) => contract.name === 'licenses.processRenewals');
    if (!job) throw new Error('No job.');
    const { signal } = new AbortController();
    return runJob(world.runtime, job, { uuid: randomUUID(), payload: {}, signal, dryRun, isLast: true });
  }
  /** Leaves no renewal of other tests to the job. */
  const settle = () => world.db('subscription_plan_renewals').update({ processed: true });

  test('a renewal from creation to deletion, with exact bodies', async () => {
    const { uuid: agreementUuid, customer } = await agreement();
    const prior = await newPlan(3, { title: 'Prior' }, agreementUuid);
    const made = await call('POST', RENEWALS, draft(prior));
    const expected = {
      id: expect.any(Number),
      created: '2026-06-01T12:00:00Z',
      modified: '2026-06-01T12:00:00Z',
      prior_subscription_plan: prior,
      prior_subscription_plan_title: 'Prior',
      renewed_subscription_plan: null,
      renewed_subscription_plan_title: null,
      salesforce_opportunity_id: null,
      number_of_licenses: 10,
      effective_date: EFFECTIVE,
      renewed_expiration_date: '2027-06-01T00:00:00Z',
      processed: false,
      processed_datetime: null,
      renewed_plan_title: null,
      license_types_to_copy: 'assigned_and_activated',
      disable_auto_apply_licenses: false,
      exempt_from_batch_processing: false,
      enterprise_customer_uuid: customer,
    };
    expect(made).toMatchObject({ status: 201 });
    expect(made.body).toEqual(expected);
    const path = `${RENEWALS}${made.body.id}/`;
    expect((await call('GET', path)).body).toEqual(made.body);
    const listed = await call('GET', `${RENEWALS}?prior_subscription_plan=${prior}`);
    expect(listed.body).toEqual({ count: 1, next: null, previous: null, results: [made.body] });
    for (const method of ['PATCH', 'PUT'] as const) {
      const changed = await call(method, path, {
        number_of_licenses: 12,
        salesforce_opportunity_id: '00k456789123456789',
      });
      expect(changed).toMatchObject({
        status: 200,
        body: { ...expected, number_of_licenses: 12, salesforce_opportunity_id: '00k456789123456789' },
      });
    }
    expect(await call('DELETE', path)).toMatchObject({ status: 204, body: null });
    for (const gone of ['GET', 'DELETE'] as const)
      expect(await call(gone, path)).toMatchObject({
        status: 404,
        body: { detail: 'No SubscriptionPlanRenewal matches the given query.' },
      });
    expect((await process(made.body.id)).body).toEqual({
      detail: 'No SubscriptionPlanRenewal matches the given query.',
    });
    expect(await call('GET', `${RENEWALS}x/`)).toMatchObject({ status: 404, body: { detail: 'Not found.' } });
  });

  test.each([
    [
      'missing fields',
      (_p: string) => ({ number_of_licenses: undefined, salesforce_opportunity_id: undefined }),
      {
        number_of_licenses: ['This field is required.'],
        salesforce_opportunity_id: ['This field is required.'],
      },
    ],
    [
      'no licences',
      () => ({ number_of_licenses: 0 }),
      { number_of_licenses: ['Ensure this value is greater than or equal to 1.'] },
    ],
    [
      'a malformed plan',
      () => ({ prior_subscription_plan: 'x' }),
      { prior_subscription_plan: ['“x” is not a valid UUID.'] },
    ],
    [
      'a short line item',
      () => ({ salesforce_opportunity_id: '00k' }),
      { salesforce_opportunity_id: ['Ensure this field has at least 18 characters.'] },
    ],
    [
      'a long line item',
      () => ({ salesforce_opportunity_id: '00k4567891234567890' }),
      { salesforce_opportunity_id: ['Ensure this field has no more than 18 characters.'] },
    ],
    [
      'an effect before the start',
      () => ({ effective_date: '2025-12-31T23:59:59Z' }),
      { non_field_errors: ['Effective date must be on or after the prior subscription plan start date.'] },
    ],
    [
      'an end at the effect',
      () => ({ renewed_expiration_date: EFFECTIVE }),
      { non_field_errors: ['Renewed expiration date must be after the effective date.'] },
    ],
    [
      'itself as the next plan',
      (prior: string) => ({ renewed_subscription_plan: prior }),
      { non_field_errors: ['A renewal must not lead back to a plan that it renews.'] },
    ],
  ])('a renewal is not created: %s', async (_case, change, body) => {
    const prior = await newPlan(1);
    const wish = JSON.parse(JSON.stringify(draft(prior, change(prior))));
    expect(await call('POST', RENEWALS, wish)).toMatchObject({ status: 400, body });
  });

  test('unknown plans, plans of other agreements, and a blank line item', async () => {
    const [prior, foreign, unknown] = [await newPlan(1), await newPlan(1), randomUUID()];
    const pk = [`Invalid pk "${unknown}" - object does not exist.`];
    expect((await call('POST', RENEWALS, draft(unknown))).body).toEqual({ prior_subscription_plan: pk });
    expect((await call('POST', RENEWALS, draft(prior, { renewed_subscription_plan: unknown }))).body).toEqual({
      renewed_subscription_plan: pk,
    });
    expect((await call('POST', RENEWALS, draft(prior, { renewed_subscription_plan: foreign }))).body).toEqual({
      non_field_errors: ['Prior and renewed subscription plans must belong to the same customer agreement.'],
    });
    const id = await renewal(prior, { salesforce_opportunity_id: '', unknown_key: 1 });
    expect(await call('PATCH', `${RENEWALS}${id}/`, { renewed_subscription_plan: foreign })).toMatchObject({
      status: 400,
      body: {
        non_field_errors: ['Renewed subscription plan must belong to the same customer agreement as the prior plan.'],
      },
    });
  });

  test('licences example 20: the same plans are found, others conflict; the key may be absent', async () => {
    const { uuid } = await agreement();
    const [a, b, c, d] = [
      await newPlan(1, {}, uuid),
      await newPlan(1, {}, uuid),
      await newPlan(1, {}, uuid),
      await newPlan(1, {}, uuid),
    ];
    const id = await renewal(a, { renewed_subscription_plan: b });
    const again = await call(
      'POST',
      RENEWALS,
      draft(a, {
        renewed_subscription_plan: b,
        number_of_licenses: 99,
        salesforce_opportunity_id: '00k456789123456789',
      }),
    );
    expect(again).toMatchObject({ status: 200, body: { id, number_of_licenses: 10 } });
    const conflict = { status: 422, body: { id, renewed_subscription_plan: b } };
    for (const other of [
      draft(a, { renewed_subscription_plan: null }),
      draft(a),
      draft(a, { renewed_subscription_plan: c }),
      draft(d, { renewed_subscription_plan: b }),
    ])
      expect(await call('POST', RENEWALS, other)).toMatchObject(conflict);
    const open = await renewal(c);
    expect(await call('POST', RENEWALS, draft(c))).toMatchObject({ status: 200, body: { id: open } });
    expect(await call('POST', RENEWALS, draft(c, { renewed_subscription_plan: d }))).toMatchObject({
      status: 422,
      body: { id: open },
    });
    // W-21: it was a failure of the server.
    expect(await call('PATCH', `${RENEWALS}${open}/`, { renewed_subscription_plan: b })).toMatchObject({
      status: 400,
      body: { renewed_subscription_plan: ['This field must be unique.'] },
    });
  });

  test('circles are refused, and readers end on those that are stored', async () => {
    const { uuid } = await agreement();
    const [a, b, c] = [await newPlan(1, {}, uuid), await newPlan(1, {}, uuid), await newPlan(1, {}, uuid)];
    await renewal(a, { renewed_subscription_plan: b });
    await renewal(b, { renewed_subscription_plan: c });
    const circle = {
      status: 400,
      body: { non_field_errors: ['A renewal must not lead back to a plan that it renews.'] },
    };
    expect(await call('POST', RENEWALS, draft(c, { renewed_subscription_plan: a }))).toMatchObject(circle);
    const id = await renewal(c);
    expect(await call('PATCH', `${RENEWALS}${id}/`, { renewed_subscription_plan: a })).toMatchObject(circle);
    await world.db('subscription_plan_renewals').where({ id }).update({ renewed_subscription_plan_uuid: a });
    const read = await call('GET', `${PLANS}${a}/`);
    expect(read.status).toBe(200);
    expect(read.body.prior_renewals).toHaveLength(3);
    // Four at once that together would make one.
    const { uuid: other } = await agreement();
    const ring = [
      await newPlan(1, {}, other),
      await newPlan(1, {}, other),
      await newPlan(1, {}, other),
      await newPlan(1, {}, other),
    ];
    const replies = await Promise.all(
      ring.map((each, at) => call('POST', RENEWALS, draft(each, { renewed_subscription_plan: ring[(at + 1) % 4] }))),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 201, 201, 400]);
  });

  test('filters of the list', async () => {
    const prior = await newPlan(1);
    const at = async (query: string) => call('GET', `${RENEWALS}?${query}`);
    expect((await at(`prior_subscription_plan=${prior}`)).body).toMatchObject({ count: 0, results: [] });
    const choice = ['Select a valid choice. That choice is not one of the available choices.'];
    expect(await at(`prior_subscription_plan=${randomUUID()}`)).toMatchObject({
      status: 400,
      body: { prior_subscription_plan: choice },
    });
    expect(await at('renewed_subscription_plan=abc')).toMatchObject({
      status: 400,
      body: { renewed_subscription_plan: ['“abc” is not a valid UUID.'] },
    });
    expect((await at('salesforce_opportunity_id=nobody')).body).toMatchObject({ count: 0 });
  });

  test('an update refuses other fields, null and wrong dates', async () => {
    const id = await renewal(await newPlan(1));
    const patch = async (body: object) => (await call('PATCH', `${RENEWALS}${id}/`, body)).body;
    expect(await patch({ prior_subscription_plan: randomUUID(), b: 1 })).toEqual({
      non_field_errors: ['Field(s) are not updatable: b, prior_subscription_plan'],
    });
    expect(await patch({ salesforce_opportunity_id: null })).toEqual({
      salesforce_opportunity_id: ['This field may not be null.'],
    });
    expect(await patch({ effective_date: '2028-01-01T00:00:00Z' })).toEqual({
      non_field_errors: ['Renewed expiration date must be after the effective date.'],
    });
  });

  test('licences example 11, R-LIC-62, 63, 65: without a plan that follows', async () => {
    const { uuid: agreementUuid, catalog } = await agreement();
    const prior = await newPlan(
      11,
      { title: 'Yearly', is_revocation_cap_enabled: true, revoke_max_percentage: 7, can_freeze_unused_licenses: true },
      agreementUuid,
    );
    await holdLicenses(world, prior, { activated: 5, assigned: 5, revoked: 1 });
    const before = await licensesOf(prior);
    const id = await renewal(prior, { salesforce_opportunity_id: '00k456789123456789' });
    expect((await call('GET', `${RENEWALS}${id}/preview/`)).body).toEqual({
      processed: false,
      refusal: null,
      copied: { assigned: 5, activated: 5, total: 10 },
      number_of_licenses: 10,
      existing_licenses: 0,
      added_licenses: 10,
      unassigned_licenses: 0,
      renewed_plan: {
        uuid: null,
        title: 'Yearly - Renewal 2026',
        start_date: EFFECTIVE,
        expiration_date: '2027-06-01T00:00:00Z',
      },
      auto_apply: 'unchanged',
    });
    const done = await process(id);
    expect(done).toMatchObject({
      status: 201,
      body: {
        processed: true,
        processed_datetime: '2026-06-01T12:00:00Z',
        renewed_subscription_plan: isUuid,
        renewed_subscription_plan_title: 'Yearly - Renewal 2026',
      },
    });
    const renewed = done.body.renewed_subscription_plan;
    expect(await countsOf(world, renewed)).toEqual({ activated: 5, assigned: 5 });
    expect((await call('GET', `${PLANS}${renewed}/`)).body).toMatchObject({
      start_date: EFFECTIVE,
      expiration_date: '2027-06-01T00:00:00Z',
      enterprise_catalog_uuid: catalog,
      is_active: true,
      is_revocation_cap_enabled: true,
      salesforce_opportunity_line_item: '00k456789123456789',
      product,
      should_auto_apply_licenses: null,
      prior_renewals: [
        { prior_subscription_plan_id: prior, prior_subscription_plan_start_date: '2026-01-01 00:00:00+00:00' },
      ],
    });
    const stored = await world.db('subscription_plans').where({ uuid: renewed }).first();
    expect(stored).toMatchObject({
      revoke_max_percentage: 7,
      desired_num_licenses: null,
      can_freeze_unused_licenses: false,
    });

    const copies = await licensesOf(renewed);
    const originals = (await licensesOf(prior)).filter(({ renewed_to_uuid: to }) => to !== null);
    expect(originals).toHaveLength(10);
    for (const original of originals) {
      const copy = copies.find(({ uuid }) => uuid === original.renewed_to_uuid);
      expect(copy).toMatchObject({
        status: original.status,
        user_email: original.user_email,
        lms_user_id: original.lms_user_id,
        activation_key: original.activation_key,
        assigned_date: ASSIGNED,
        activation_date: original.status === 'activated' ? new Date(EFFECTIVE) : null,
        auto_applied: false,
        reminded_of_expiration: null,
      });
      expect(before.find(({ uuid }) => uuid === original.uuid)).toMatchObject({
        status: original.status,
        renewed_to_uuid: null,
      });
    }
    const events: { payload: string | object }[] = await world
      .db('outbox')
      .where({ kind: 'event', name: 'edx.server.license-manager.license-lifecycle.renewed' })
      .whereIn(
        'message_key',
        copies.map(({ uuid }) => uuid),
      );
    expect(events).toHaveLength(10);
    for (const { payload } of events) {
      const { previous_license_uuid: previous, is_auto_renewed: isAuto } =
        typeof payload === 'string' ? JSON.parse(payload) : payload;
      expect(originals.map(({ uuid }) => uuid)).toContain(previous);
      expect(isAuto).toBe(false);
    }
    // The trail tells of each licence, and of the renewal.
    const [copy] = copies;
    expect((await historyOf(world, copy.uuid)).map(({ action }) => action)).toEqual(['created']);
    const [, last] = await historyOf(world, (await world.db('subscription_plan_renewals').where({ id }).first()).uuid);
    expect(last).toMatchObject({ action: 'updated', note: 'copied 10 licenses' });

    expect(await process(id)).toMatchObject({ status: 200, body: { id, processed: true } });
    expect(await countsOf(world, renewed)).toEqual({ activated: 5, assigned: 5 });
    expect((await call('GET', `${RENEWALS}${id}/preview/`)).body).toMatchObject({ processed: true, refusal: null });
  });

  test('licences example 11: refusals, in their order, change nothing', async () => {
    const { uuid } = await agreement();
    const prior = await newPlan(5, { title: 'Refused' }, uuid);
    await holdLicenses(world, prior, { activated: 5 });
    const used = await newPlan(2, {}, uuid);
    await holdLicenses(world, used, { revoked: 1 });
    const big = await newPlan(50, {}, uuid);
    const id = await renewal(prior, { number_of_licenses: 2 });
    const expectRefusal = async (change: object, error: string, reason: string) => {
      await call('PATCH', `${RENEWALS}${id}/`, change);
      const counts = await countsOf(world, prior);
      expect((await call('GET', `${RENEWALS}${id}/preview/`)).body.refusal).toEqual({ reason, message: error });
      expect(await process(id)).toMatchObject({ status: 422, body: { error } });
      expect(await countsOf(world, prior)).toEqual(counts);
      expect((await call('GET', `${RENEWALS}${id}/`)).body.processed).toBe(false);
    };
    await expectRefusal(
      {},
      'Cannot renew for fewer than the number of original activated licenses.',
      'too_few_licenses',
    );
    await expectRefusal(
      { number_of_licenses: 20, renewed_subscription_plan: used },
      `Renewal ID ${id} can't be processed; there are existing licenses in the renewed plan that are activated/assigned/revoked.`,
      'renewed_plan_in_use',
    );
    await expectRefusal(
      { renewed_subscription_plan: big },
      'More licenses exist than were requested to be renewed.',
      'more_licenses_than_requested',
    );
    await newPlan(1, { title: 'Taken' }, uuid);
    await expectRefusal(
      { renewed_subscription_plan: null, renewed_plan_title: 'Taken' },
      'Another plan of the agreement has the title Taken.',
      'title_taken',
    );
    const error = await trpcError(world, 'renewals.process', { id }, provisioner());
    expect(error).toMatchObject({ code: 'renewal_refused', details: { reason: 'title_taken' } });
  });

  test('licences example 11: free licences of the plan that follows are used first', async () => {
    const { uuid } = await agreement();
    const prior = await newPlan(72, {}, uuid);
    await holdLicenses(world, prior, { activated: 5, revoked: 67 });
    const future = await newPlan(10, { title: 'Kept', start_date: '2026-07-01T00:00:00Z' }, uuid);
    const known = (await licensesOf(future)).map((row) => row.uuid).sort();
    const id = await renewal(prior, { renewed_subscription_plan: future });
    expect((await process(id)).status).toBe(201);
    expect(await countsOf(world, future)).toEqual({ activated: 5, unassigned: 5 });
    const rows = await licensesOf(future);
    expect(rows.map((row) => row.uuid).sort()).toEqual(known);
    // A linked plan keeps its own title and dates.
    const activated = rows.find(({ status }) => status === 'activated');
    expect(activated?.activation_date).toEqual(new Date('2026-07-01T00:00:00Z'));
    expect((await call('GET', `${PLANS}${future}/`)).body).toMatchObject({ title: 'Kept' });
  });

  test.each([
    ['nothing', {}, { unassigned: 10 }],
    ['activated', {}, { activated: 2, unassigned: 8 }],
    ['assigned_and_activated', {}, { activated: 2, assigned: 3, unassigned: 5 }],
  ])('R-LIC-60: copies %s', async (types, change, expected) => {
    const prior = await newPlan(6);
    await holdLicenses(world, prior, { activated: 2, assigned: 3, revoked: 1 });
    const id = await renewal(prior, { license_types_to_copy: types, ...change });
    const { body } = await process(id);
    expect(await countsOf(world, body.renewed_subscription_plan)).toEqual(expected);
    expect(await countsOf(world, prior)).toEqual({ activated: 2, assigned: 3, revoked: 1 });
  });

  test('more licences than one statement takes', async () => {
    const prior = await newPlan(2_300);
    const job = jobs.find(({ contract }) => contract.name === 'licenses.provision');
    const { signal } = new AbortController();
    const { enterprise_customer_uuid: enterpriseCustomerUuid } = await world
      .db('subscription_plans')
      .where({ uuid: prior })
      .first();
    if (job)
      await runJob(world.runtime, job, {
        uuid: randomUUID(),
        payload: { planUuid: prior, enterpriseCustomerUuid },
        signal,
        dryRun: false,
        isLast: true,
      });
    await holdLicenses(world, prior, { activated: 1_100, assigned: 1_100 });
    const { body } = await process(await renewal(prior, { number_of_licenses: 2_500 }));
    expect(await countsOf(world, body.renewed_subscription_plan)).toEqual({
      activated: 1_100,
      assigned: 1_100,
      unassigned: 300,
    });
    const linked = await world
      .db('licenses')
      .where({ subscription_plan_uuid: prior })
      .whereNotNull('renewed_to_uuid')
      .countDistinct({ n: 'renewed_to_uuid' })
      .first();
    expect(Number(linked?.n)).toBe(2_200);
  }, 120_000);

  test('W-14: ten callers at once process a renewal once', async () => {
    const prior = await newPlan(20);
    await holdLicenses(world, prior, { activated: 5, assigned: 5 });
    const id = await renewal(prior, { number_of_licenses: 15 });
    const replies = await Promise.all(Array.from({ length: 10 }, () => process(id)));
    expect(replies.map(({ status }) => status).sort()).toEqual([...Array(9).fill(200), 201]);
    const plans = new Set(replies.map(({ body }) => body.renewed_subscription_plan));
    expect(plans.size).toBe(1);
    expect(await countsOf(world, [...plans][0])).toEqual({ activated: 5, assigned: 5, unassigned: 5 });
  });

  describe('automatic licences', () => {
    const flags = async (...uuids: string[]) => {
      const rows = await world
        .db('subscription_plans')
        .whereIn('uuid', uuids)
        .select('uuid', 'should_auto_apply_licenses as flag');
      return uuids.map((uuid) => Boolean(rows.find((row) => row.uuid === uuid)?.flag));
    };

    test('W-31, R-LIC-64: they follow without a gap', async () => {
      const { uuid, customer } = await agreement();
      const prior = await newPlan(
        2,
        { should_auto_apply_licenses: true, expiration_date: '2026-06-01T21:00:00Z' },
        uuid,
      );
      const id = await renewal(prior);
      expect((await call('GET', `${RENEWALS}${id}/preview/`)).body.auto_apply).toBe('follows');
      const renewed = (await process(id)).body.renewed_subscription_plan;
      expect(await flags(prior, renewed)).toEqual([true, true]);
      const applied = async (at: string) => {
        world.world.now = new Date(at);
        const read = await call('GET', `/api/v1/provisioning-admins/customer-agreement/${uuid}/`);
        expect(read.body.enterprise_customer_uuid).toBe(customer);
        return read.body.subscription_for_auto_applied_licenses;
      };
      try {
        expect(await applied('2026-06-01T19:59:59Z')).toBe(prior);
        expect(await applied(EFFECTIVE)).toBe(renewed);
        expect(await applied('2026-06-02T00:00:00Z')).toBe(renewed);
      } finally {
        world.world.now = NOW;
      }
    });

    test('the prior plan ends with them at once when the next one is current', async () => {
      const prior = await newPlan(2, { should_auto_apply_licenses: true });
      const id = await renewal(prior, { effective_date: '2026-06-01T11:00:00Z' });
      const renewed = (await process(id)).body.renewed_subscription_plan;
      expect(await flags(prior, renewed)).toEqual([false, true]);
    });

    test('they can end for the whole agreement', async () => {
      const { uuid } = await agreement();
      const prior = await newPlan(2, { should_auto_apply_licenses: true }, uuid);
      const other = await newPlan(2, { should_auto_apply_licenses: true }, uuid);
      const id = await renewal(prior, { disable_auto_apply_licenses: true });
      const renewed = (await process(id)).body.renewed_subscription_plan;
      expect(await flags(prior, other, renewed)).toEqual([false, false, false]);
    });

    test('R-LIC-17: one plan of the agreement is chosen', async () => {
      const { uuid } = await agreement();
      const [a, b] = [await newPlan(1, { should_auto_apply_licenses: true }, uuid), await newPlan(1, {}, uuid)];
      const path = `/api/v1/provisioning-admins/customer-agreement/${uuid}/auto-applied-plan/`;
      const chosen = await call('PUT', path, { subscription_plan: b });
      expect(chosen).toMatchObject({ status: 200, body: { subscription_for_auto_applied_licenses: b } });
      expect(await flags(a, b)).toEqual([false, true]);
      const future = await newPlan(1, { start_date: '2026-12-01T00:00:00Z' }, uuid);
      for (const unfit of [future, await newPlan(1), randomUUID()])
        expect((await call('PUT', path, { subscription_plan: unfit })).status).toBe(422);
      expect((await call('PUT', path, { subscription_plan: null })).status).toBe(200);
      expect(await flags(a, b)).toEqual([false, false]);
    });
  });

  describe('the scheduled job', () => {
    test.each([
      ['exactly 12 h ahead', 12 * HOUR_MS, true, false],
      ['11 h 59 min ahead', 12 * HOUR_MS - 60_000, true, true],
      ['12 h and a second ahead', 12 * HOUR_MS + 1_000, false, false],
      ['now', 0, true, true],
      // W-31: the old service forgot those.
      ['a second ago', -1_000, true, false],
      ['days ago', (-240 * HOUR_MS) / 10, true, false],
    ])('licences example 12, R-LIC-67, R-LIC-70: %s', async (_case, ahead, isPicked, isLocked) => {
      await settle();
      const prior = await newPlan(1);
      const id = await renewal(prior, { effective_date: new Date(NOW.getTime() + ahead).toISOString() });
      expect((await call('GET', `${PLANS}${prior}/`)).body.is_locked_for_renewal_processing).toBe(isLocked);
      const found = isPicked ? 1 : 0;
      expect(await runRenewals(true)).toEqual({ processed: found, failed: 0, licenses: 0 });
      expect((await call('GET', `${RENEWALS}${id}/`)).body.processed).toBe(false);
      expect(await runRenewals()).toEqual({ processed: found, failed: 0, licenses: 0 });
      expect((await call('GET', `${RENEWALS}${id}/`)).body.processed).toBe(isPicked);
    });

    test('W-31: one that fails does not stop the others; exempt ones are left alone', async () => {
      await settle();
      const [bad, good, exempt] = [await newPlan(3), await newPlan(3), await newPlan(3)];
      await holdLicenses(world, bad, { activated: 3 });
      await holdLicenses(world, good, { activated: 2 });
      const early = { effective_date: '2026-06-01T13:00:00Z' };
      const failing = await renewal(bad, { number_of_licenses: 1, ...early });
      const passing = await renewal(good);
      const left = await renewal(exempt, { exempt_from_batch_processing: true });
      expect(await runRenewals()).toEqual({ processed: 1, failed: 1, licenses: 2 });
      const states = await Promise.all(
        [failing, passing, left].map(async (id) => (await call('GET', `${RENEWALS}${id}/`)).body.processed),
      );
      expect(states).toEqual([false, true, false]);
    });
  });

  test('through tRPC, with the same facts', async () => {
    const { uuid: agreementUuid } = await agreement();
    const prior = await newPlan(2, {}, agreementUuid);
    const next = await newPlan(1, {}, agreementUuid);
    await holdLicenses(world, prior, { activated: 1 });
    const token = provisioner();
    type Made = { renewal: { id: number }; created: boolean };
    const wish = {
      priorSubscriptionPlan: prior,
      salesforceOpportunityId: null,
      numberOfLicenses: 2,
      effectiveDate: new Date(EFFECTIVE),
      renewedExpirationDate: new Date('2027-06-01T00:00:00Z'),
    };
    const made = await trpcData<Made>(world, 'renewals.create', wish, token);
    expect(made).toMatchObject({ created: true, renewal: { processed: false } });
    const { id } = made.renewal;
    expect(await trpcData(world, 'renewals.create', wish, token)).toMatchObject({ created: false, renewal: { id } });
    const conflict = await trpcError(world, 'renewals.create', { ...wish, renewedSubscriptionPlan: next }, token);
    expect(conflict).toMatchObject({ code: 'renewal_conflict', details: { renewal: { id } } });
    expect(await trpcData(world, 'renewals.preview', { id }, token)).toMatchObject({
      copied: { total: 1 },
      refusal: null,
    });
    expect(await trpcData(world, 'renewals.process', { id }, token)).toMatchObject({ processedNow: true });
    expect(await trpcData(world, 'renewals.process', { id }, token)).toMatchObject({ processedNow: false });
    expect(await trpcData(world, 'renewals.remove', { id }, token)).toEqual({ deleted: true });
  });
});
