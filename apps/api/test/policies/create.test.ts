import { randomUUID } from 'node:crypto';
import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { historyOf, isUuid, POLICIES, spentOf } from '../support/fixtures.ts';
import { demonstration, dialects, startApp } from '../support/harness.ts';
import { policyRequests } from './requests.ts';

const prefixed = (type: string, message: string) =>
  expect.stringMatching(new RegExp(`^<${type} uuid=[0-9a-f-]{36}> ${message}$`));

describe.each(dialects)('creating policies on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    expect(await spentOf(world, demonstration.spendPolicy)).toBe(0);
    await world.stop();
  });
  const { call, at, update, subsidyWith, bodyOn, made } = policyRequests(() => world);

  test('R-POL-01: needs a concrete type; lists show the type of each', async () => {
    const subsidy = await subsidyWith();
    const { policy_type: _type, ...untyped } = bodyOn(subsidy);
    expect(await call('POST', POLICIES, untyped)).toMatchObject({
      status: 400,
      body: { policy_type: ['This field is required.'] },
    });
    expect(await call('POST', POLICIES, bodyOn(subsidy, { policy_type: 'SubsidyAccessPolicy' }))).toMatchObject({
      status: 400,
      body: { policy_type: ['"SubsidyAccessPolicy" is not a valid choice.'] },
    });
    const list = await call('GET', `${POLICIES}?enterprise_customer_uuid=${demonstration.customer}`);
    const types = new Map(
      list.body.results.map((each: { uuid: string; policy_type: string }) => [each.uuid, each.policy_type]),
    );
    expect(types.get(demonstration.spendPolicy)).toBe('PerLearnerSpendCreditAccessPolicy');
    expect(types.get(demonstration.enrollmentPolicy)).toBe('PerLearnerEnrollmentCreditAccessPolicy');
    expect(types.get(demonstration.assignedPolicy)).toBe('AssignedLearnerCreditAccessPolicy');
  });

  test.each([
    [
      'PerLearnerSpendCreditAccessPolicy',
      { per_learner_enrollment_limit: 1 },
      'per_learner_enrollment_limit',
      'must not define a per-learner enrollment limit.',
    ],
    [
      'PerLearnerEnrollmentCreditAccessPolicy',
      { per_learner_spend_limit: 1 },
      'per_learner_spend_limit',
      'must not define a per-learner spend limit.',
    ],
    ['AssignedLearnerCreditAccessPolicy', {}, 'spend_limit', 'must define a spend_limit.'],
    [
      'AssignedLearnerCreditAccessPolicy',
      { spend_limit: 1, per_learner_spend_limit: 1 },
      'per_learner_spend_limit',
      'must not define a per-learner spend limit.',
    ],
  ])('R-POL-02: %s with %o is 400 on the field', async (policy_type, change, field, message) => {
    const subsidy = await subsidyWith();
    const reply = await call('POST', POLICIES, bodyOn(subsidy, { policy_type, ...change }));
    expect(reply).toMatchObject({ status: 400, body: { [field]: [prefixed(policy_type, message)] } });
    expect(Object.keys(reply.body)).toEqual([field]);
  });

  test('R-POL-02: several violations are each on their own field', async () => {
    const change = { policy_type: 'AssignedLearnerCreditAccessPolicy', per_learner_spend_limit: 1 };
    const reply = await call(
      'POST',
      POLICIES,
      bodyOn(await subsidyWith(), { ...change, per_learner_enrollment_limit: 1 }),
    );
    expect({ status: reply.status, body: reply.body }).toEqual({
      status: 400,
      body: {
        per_learner_spend_limit: [prefixed(change.policy_type, 'must not define a per-learner spend limit.')],
        per_learner_enrollment_limit: [prefixed(change.policy_type, 'must not define a per-learner enrollment limit.')],
        spend_limit: [prefixed(change.policy_type, 'must define a spend_limit.')],
      },
    });
  });

  test('R-POL-02: the same on update, as one sentence in a list; nothing is stored', async () => {
    const policy = await made(await subsidyWith());
    const reply = await update(policy, { per_learner_enrollment_limit: 2, description: 'z' });
    expect({ status: reply.status, body: reply.body }).toEqual({
      status: 400,
      body: [
        `<PerLearnerSpendCreditAccessPolicy uuid=${policy}> has the following field violations: ['must not define a per-learner enrollment limit.']`,
      ],
    });
    expect((await call('GET', at(policy))).body).toMatchObject({
      description: '',
      per_learner_enrollment_limit: null,
    });
    expect(await historyOf(world, policy)).toHaveLength(1);
  });

  test('R-POL-03, W14: an assigned policy is `assigned` whatever was said, has a configuration, and is found again', async () => {
    const subsidy = await subsidyWith();
    const body = bodyOn(subsidy, { policy_type: 'AssignedLearnerCreditAccessPolicy', spend_limit: 1_000 });
    const first = await call('POST', POLICIES, body);
    expect(first).toMatchObject({ status: 201, body: { access_method: 'assigned' } });
    expect((await call('GET', at(first.body.uuid))).body.assignment_configuration).toEqual({
      uuid: isUuid,
      subsidy_access_policy: first.body.uuid,
      enterprise_customer_uuid: demonstration.customer,
      active: true,
    });
    const again = await call('POST', POLICIES, body);
    expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: first.body });
    expect((await update(first.body.uuid, { access_method: 'direct' })).body.access_method).toBe('assigned');
  });

  test('W15: an assigned policy that is refused leaves no configuration behind', async () => {
    const configurations = async () =>
      (await world.db('assignment_configurations').count({ n: '*' }).first())?.n as number;
    const before = await configurations();
    const subsidy = await subsidyWith(100);
    const body = bodyOn(subsidy, { policy_type: 'AssignedLearnerCreditAccessPolicy', spend_limit: 101 });
    expect((await call('POST', POLICIES, body)).status).toBe(400);
    expect(await configurations()).toBe(before);
  });

  test('R-POL-08: the first match is returned unchanged; other keys, or an inactive one, are no match', async () => {
    const subsidy = await subsidyWith();
    const first = await made(subsidy, { spend_limit: 100 });
    const again = await call('POST', POLICIES, bodyOn(subsidy, { spend_limit: 999, active: false }));
    expect(again).toMatchObject({ status: 200, body: { uuid: first, spend_limit: 100, active: true } });
    const others = [
      await made(subsidy, { access_method: 'request' }),
      await made(subsidy, { policy_type: 'PerLearnerEnrollmentCreditAccessPolicy' }),
      await made(await subsidyWith()),
    ];
    expect(new Set([first, ...others]).size).toBe(4);
    await call('DELETE', at(first));
    expect(await made(subsidy)).not.toBe(first);
    // Validation comes before the match.
    expect((await call('POST', POLICIES, bodyOn(subsidy, { per_learner_enrollment_limit: 1 }))).status).toBe(400);
  });

  test('R-POL-08, W14: twenty at once make one', async () => {
    const body = bodyOn(await subsidyWith());
    const replies = await Promise.all(Array.from({ length: 20 }, () => call('POST', POLICIES, body)));
    expect(replies.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 19 }, () => 200), 201]);
    expect(new Set(replies.map((reply) => reply.body.uuid)).size).toBe(1);
  });

  test('names and descriptions lose the space around them; blank ones are kept', async () => {
    const named = { display_name: '  Name ', description: '\n text ' };
    const uuid = await made(await subsidyWith(), named);
    expect((await call('GET', at(uuid))).body).toMatchObject({ display_name: 'Name', description: 'text' });
    const blank = { display_name: null, description: '' };
    expect((await update(uuid, blank)).body).toMatchObject(blank);
  });

  test('keys that creation does not know, and those that are only read, are ignored', async () => {
    const more = { uuid: randomUUID(), is_subsidy_active: false, spent_cents: 5, assignment_configuration: null };
    const uuid = await made(await subsidyWith(), more);
    expect(uuid).not.toBe(more.uuid);
    expect((await call('GET', at(uuid))).body).toMatchObject({
      is_subsidy_active: true,
      aggregates: { amount_redeemed_usd_cents: 0 },
    });
  });

  test.each([
    [{ display_name: 'x'.repeat(513) }, { display_name: ['Ensure this field has no more than 512 characters.'] }],
    [{ description: 'x'.repeat(201) }, { description: ['Ensure this field has no more than 200 characters.'] }],
    [{ spend_limit: -1 }, { spend_limit: ['Ensure this value is greater than or equal to 0.'] }],
    [{ spend_limit: 2 ** 31 }, { spend_limit: ['Ensure this value is less than or equal to 2147483647.'] }],
    [{ retired: null }, { retired: ['This field may not be null.'] }],
    [{ access_method: 'gift' }, { access_method: ['"gift" is not a valid choice.'] }],
    [{ subsidy_uuid: null }, { subsidy_uuid: ['This field may not be null.'] }],
  ])('400: %o', async (change, body) => {
    const reply = await call('POST', POLICIES, bodyOn(await subsidyWith(), change));
    expect({ status: reply.status, body: reply.body }).toEqual({ status: 400, body });
  });
});
