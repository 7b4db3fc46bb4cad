import { newUuid } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, startApp, tokenFor } from '../support/harness.ts';
import { daysFromNow, licenseRow, NOW, newAgreement, newPlan } from './lifecycle-plans.ts';

const LOOK_UP = '/api/v1/staff_lookup_licenses/';
const VIEW = '/api/v1/admin-license-view/';
const staff = () => tokenFor('enterprise_learner', newUuid(), 9_001, { isStaff: true });

describe.each(dialects)('licences for support staff on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
    world.world.now = NOW;
  });
  afterAll(() => world.stop());

  async function made(email: string) {
    const agreement = await newAgreement(world);
    const assigned = licenseRow('assigned', { user_email: email, assigned_date: daysFromNow(-10) });
    const revoked = licenseRow('revoked', { user_email: email, assigned_date: daysFromNow(-40) });
    const plan = await newPlan(world, agreement, [revoked, assigned, licenseRow('assigned')]);
    return { ...agreement, plan, assigned, revoked };
  }
  const lookUp = (body: object, token = staff(), slash = '/') =>
    world.call('POST', `/api/v1/staff_lookup_licenses${slash}`, token, body);
  const view = (query: string, token = staff(), slash = '/') =>
    world.call('GET', `/api/v1/admin-license-view${slash}?${query}`, token);

  test('an address is looked up in all plans of all customers, the newest assignment first', async () => {
    const email = `${newUuid()}@x.org`;
    const [first, second] = [await made(email), await made(email.toUpperCase())];
    const reply = await lookUp({ user_email: email });
    expect(reply.status).toBe(200);
    expect(reply.body).toHaveLength(4);
    const row = await world.db('subscription_plans').where({ uuid: first.plan }).first();
    const found = reply.body.find(
      (each: { status: string; subscription_plan_title: string }) =>
        each.status === 'assigned' && each.subscription_plan_title === row.title,
    );
    expect(found).toEqual({
      status: 'assigned',
      assigned_date: '2026-05-22T12:00:00Z',
      activation_date: null,
      revoked_date: null,
      last_remind_date: '2026-05-02T12:00:00Z',
      subscription_plan_title: row.title,
      subscription_plan_expiration_date: '2026-07-31T12:00:00Z',
      activation_link: `http://portal.test/slug-${first.uuid.slice(-12)}/licenses/${first.assigned.activation_key}/activate`,
    });
    expect(reply.body.map(({ status }: { status: string }) => status)).toEqual([
      'assigned',
      'assigned',
      'revoked',
      'revoked',
    ]);
    expect((await lookUp({ user_email: email }, staff(), '')).body).toEqual(reply.body);
    expect(second.plan).not.toBe(first.plan);
  });

  test('without an address 400 with a text; without licences 404 without a body', async () => {
    const text = 'A ``user_email`` is required in the request data';
    expect(await lookUp({})).toMatchObject({ status: 400, body: text });
    expect(await lookUp({ user_email: '' })).toMatchObject({ status: 400, body: text });
    expect(await lookUp({ user_email: 'nobody@x.org' })).toMatchObject({ status: 404, body: null });
  });

  test('the licences of a learner at one customer, with their plans', async () => {
    const email = `${newUuid()}@x.org`;
    const { plan, customer, assigned, uuid } = await made(email);
    await made(email);
    const reply = await view(`user_email=${email}&enterprise_customer_uuid=${customer}`);
    expect(reply).toMatchObject({ status: 200, body: { count: 2, next: null, previous: null } });
    const row = await world.db('subscription_plans').where({ uuid: plan }).first();
    expect(reply.body.results[0]).toEqual({
      uuid: assigned.uuid,
      status: 'assigned',
      user_email: email,
      assigned_date: '2026-05-22T12:00:00Z',
      activation_date: null,
      revoked_date: null,
      last_remind_date: '2026-05-02T12:00:00Z',
      subscription_plan_title: row.title,
      subscription_plan_expiration_date: '2026-07-31T12:00:00Z',
      subscription_plan: {
        title: row.title,
        uuid: plan,
        start_date: '2025-08-05T12:00:00Z',
        expiration_date: '2026-07-31T12:00:00Z',
        enterprise_customer_uuid: customer,
        enterprise_catalog_uuid: row.enterprise_catalog_uuid,
        is_active: true,
        is_current: true,
        is_revocation_cap_enabled: false,
        days_until_expiration: 60,
        days_until_expiration_including_renewals: 60,
        is_locked_for_renewal_processing: false,
        should_auto_apply_licenses: null,
        created: '2026-06-01T12:00:00Z',
        product: null,
        salesforce_opportunity_line_item: null,
      },
    });
    expect(uuid).toBeDefined();
    expect(reply.body.results[1]).toMatchObject({ status: 'revoked' });
    expect(await view(`user_email=x@y.org&enterprise_customer_uuid=${customer}`, staff(), '')).toMatchObject({
      status: 200,
      body: { count: 0, results: [] },
    });
  });

  test('W-21: what is missing is a text, what is malformed is bad input', async () => {
    expect(await view(`enterprise_customer_uuid=${newUuid()}`)).toMatchObject({
      status: 400,
      body: 'A ``user_email`` is required in the request data',
    });
    expect(await view('user_email=a@x.org')).toMatchObject({
      status: 400,
      body: 'An ``enterprise_customer_uuid`` is required in the request data',
    });
    expect(await view('user_email=a@x.org&enterprise_customer_uuid=none')).toMatchObject({
      status: 400,
      body: { detail: 'none is not a valid uuid.' },
    });
    expect(await view(`user_email=a@x.org&enterprise_customer_uuid=${newUuid()}&page=2`)).toMatchObject({
      status: 404,
      body: { detail: 'Invalid page.' },
    });
  });

  test('only staff: no role of a customer or of all customers opens them', async () => {
    const roles = ['enterprise_admin', 'enterprise_openedx_operator', 'enterprise_provisioning_admin'];
    for (const role of roles) {
      const token = tokenFor(role, '*', 9_100);
      expect(await lookUp({ user_email: 'a@x.org' }, token)).toMatchObject({ status: 403 });
      expect(await view(`user_email=a@x.org&enterprise_customer_uuid=${newUuid()}`, token)).toMatchObject({
        status: 403,
        body: { detail: 'You do not have permission to perform this action.' },
      });
    }
    expect(await world.call('GET', VIEW, null)).toMatchObject({ status: 401 });
    expect(await world.call('GET', LOOK_UP, staff())).toMatchObject({ status: 405 });
  });
});
