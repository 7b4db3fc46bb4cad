import { newUuid } from '@enterprise-access/domain';
import { contentWith } from '@enterprise-access/domain/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, operatorToken, run, startApp } from '../support/harness.ts';
import { daysFromNow, licenseRow, newPlan } from './lifecycle-plans.ts';
import { customerWithPlan, emailOf, held, reset } from './seats-world.ts';

describe.each(dialects)('the subsidy of a licence on %s', (dialect) => {
  let world: World;
  /** Catalogs that contain the course; null answers nothing. */
  const containing = new Map<string, boolean | null>();
  const asked: string[] = [];
  beforeAll(async () => {
    world = await startApp(dialect);
    Object.assign(world.runtime.settings, { subsidyChecksumSecret: 'foo' });
    Object.assign(world.runtime.catalog, {
      contains: async (catalog: string) => {
        asked.push(catalog);
        const answer = containing.get(catalog) ?? false;
        if (containing.get(catalog) === null) throw new Error('no answer');
        return answer;
      },
    });
    world.world.contents.set(run, contentWith({}));
  });
  beforeEach(async () => {
    await reset(world);
    containing.clear();
    asked.length = 0;
  });
  afterAll(() => world.stop());

  const subsidy = (customer: string | undefined, token: string | null, course: string | undefined = run) => {
    const query = new URLSearchParams({
      ...(customer === undefined ? {} : { enterprise_customer_uuid: customer }),
      ...(course === undefined ? {} : { course_key: course }),
    });
    return world.call('GET', `/api/v1/license-subsidy/?${query}`, token);
  };
  const applicable = (customer: string, token: string) =>
    world.call(
      'GET',
      `/api/v1/license-subsidy/applicable/?${new URLSearchParams({ enterprise_customer_uuid: customer, course_key: run })}`,
      token,
    );
  const catalogOf = async (plan: string): Promise<string> =>
    (await world.db('subscription_plans').where({ uuid: plan }).first()).enterprise_catalog_uuid;

  test('R-LIC-80, R-LIC-81, example 19: the licence of the plan that expires last, signed', async () => {
    const first = held('activated', 123);
    const { agreement, learner, plan } = await customerWithPlan(world, [first]);
    const longer = licenseRow('activated', {
      user_email: emailOf(123),
      lms_user_id: 123,
      uuid: '11111111-2222-4333-8444-555555555555',
    });
    const other = await newPlan(world, agreement, [longer], { expiration_date: daysFromNow(200) });
    for (const each of [plan, other]) containing.set(await catalogOf(each), true);
    const reply = await subsidy(agreement.customer, learner(123), 'demoX');
    expect(reply).toMatchObject({
      status: 200,
      body: {
        discount_type: 'percentage',
        discount_value: 100,
        status: 'activated',
        subsidy_id: longer.uuid,
        subsidy_checksum: 'vY/yFZYw4euRhB8k0rFVASe+HhtP3CNBHn8GJ9lP+90=',
      },
    });
    await world.call('PUT', `/api/v1/subscriptions/${plan}/priority/`, operatorToken(), { priority: 5 });
    expect((await subsidy(agreement.customer, learner(123), 'demoX')).body).toMatchObject({ subsidy_id: first.uuid });
    await world.db('licenses').where({ uuid: longer.uuid }).delete();
  });

  test('W-30: neither assigned nor revoked licences, nor those of plans that are inactive or over', async () => {
    const { agreement, learner, plan } = await customerWithPlan(world, [held('assigned', 1), held('revoked', 1)]);
    const plans = [plan];
    for (const change of [{ is_active: false }, { expiration_date: daysFromNow(-1) }, { start_date: daysFromNow(1) }])
      plans.push(await newPlan(world, agreement, [held('activated', 1)], change));
    for (const each of plans) containing.set(await catalogOf(each), true);
    expect(await subsidy(agreement.customer, learner(1))).toMatchObject({
      status: 404,
      body: 'This course was not found in the subscription plan catalogs associated with the specified enterprise UUID.',
    });
    expect(asked).toEqual([]);
    const reply = await applicable(agreement.customer, learner(1));
    const verdicts = reply.body.licenses.map(({ verdict }: { verdict: string }) => verdict);
    expect(reply.body.license_uuid).toBeNull();
    expect(verdicts.toSorted()).toEqual([
      'not_activated',
      'plan_expired',
      'plan_not_active',
      'plan_not_started',
      'revoked',
    ]);
  });

  test('licenses.applicable says for each licence why it does not give the course', async () => {
    const { agreement, learner, plan } = await customerWithPlan(world, [held('activated', 1)]);
    const plans = [plan];
    for (const days of [70, 80, 90])
      plans.push(await newPlan(world, agreement, [held('activated', 1)], { expiration_date: daysFromNow(days) }));
    const [a = '', b = '', c = '', d = ''] = await Promise.all(plans.map(catalogOf));
    containing.set(a, true).set(b, true).set(c, null).set(d, false);
    const reply = await applicable(agreement.customer, learner(1));
    expect(reply.body.licenses.map(({ verdict }: { verdict: string }) => verdict)).toEqual([
      'course_not_in_catalog',
      'catalog_did_not_answer',
      'applies',
      'another_comes_first',
    ]);
    expect((await subsidy(agreement.customer, learner(1))).status).toBe(200);
    const other = await customerWithPlan(world, []);
    expect(await applicable(agreement.customer, other.learner(1))).toMatchObject({ status: 403 });
  });

  test('W-41: no catalog answers: 503, not “not found”', async () => {
    const { agreement, learner, plan } = await customerWithPlan(world, [held('activated', 1)]);
    containing.set(await catalogOf(plan), null);
    expect(await subsidy(agreement.customer, learner(1))).toMatchObject({ status: 503 });
  });

  test('corrections 44: the role is asked first, then the customer is looked for, then the course', async () => {
    const { agreement, learner } = await customerWithPlan(world, []);
    const none = { status: 404, body: { detail: 'No CustomerAgreement matches the given query.' } };
    for (const customer of [undefined, newUuid()]) {
      expect(await subsidy(customer, learner(1))).toMatchObject({ status: 403 });
      expect(await subsidy(customer, operatorToken())).toMatchObject(none);
    }
    const other = await customerWithPlan(world, []);
    expect(await subsidy(agreement.customer, other.learner(1))).toMatchObject({ status: 403 });
    expect(
      await world.call('GET', `/api/v1/license-subsidy/?enterprise_customer_uuid=${agreement.customer}`, learner(1)),
    ).toMatchObject({
      status: 400,
      body: 'You must supply the course_key query parameter',
    });
    expect(await subsidy('nonsense', learner(1))).toMatchObject({ status: 403 });
    expect(await subsidy('nonsense', operatorToken())).toMatchObject({ status: 400 });
    expect(await subsidy(agreement.customer, null)).toMatchObject({ status: 401 });
  });
});
