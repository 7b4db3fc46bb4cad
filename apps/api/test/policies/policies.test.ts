import { randomUUID } from 'node:crypto';
import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  balanceOf,
  eventsOf,
  historyOf,
  isUuid,
  newBudget,
  newCustomer,
  newPolicy,
  newSubsidy,
  operatorUserId,
  POLICIES,
  PRICE,
  redeemAs,
  reverseIn,
  SUBSIDIES,
  spentOf,
  trpcData,
  trpcError,
} from '../support/fixtures.ts';
import { demonstration, dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { attempt } from '../support/work.ts';

const NOW = '2026-06-01T12:00:00Z';
/** The message of a broken rule names the policy. */
const prefixed = (type: string, message: string) =>
  expect.stringMatching(new RegExp(`^<${type} uuid=[0-9a-f-]{36}> ${message}$`));
const LATER = '2026-06-02T08:00:00Z';
const LINE_ITEM = '00kDEMO0000000009A';

describe.each(dialects)('policies on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  const call = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
    world.call(method, path, operatorToken(), body);
  const at = (uuid: string) => `${POLICIES}${uuid}/`;
  const update = (uuid: string, body: object) => call('PATCH', at(uuid), body);
  /** A subsidy of Demo Company, so that policies on it meet no others. */
  const subsidyWith = (balance = 1_000_000) => newSubsidy(world, { customer: demonstration.customer, balance });
  const bodyOn = (subsidy: string, change: object = {}) => ({
    policy_type: 'PerLearnerSpendCreditAccessPolicy',
    enterprise_customer_uuid: demonstration.customer,
    catalog_uuid: demonstration.catalog,
    subsidy_uuid: subsidy,
    access_method: 'direct',
    active: true,
    ...change,
  });
  const made = async (subsidy: string, change: object = {}): Promise<string> => {
    const reply = await call('POST', POLICIES, bodyOn(subsidy, change));
    expect(reply.status, JSON.stringify(reply.body)).toBe(201);
    return reply.body.uuid;
  };
  const atTime = async <T>(time: string, work: () => Promise<T>): Promise<T> => {
    world.world.now = new Date(time);
    return work().finally(() => {
      world.world.now = new Date(NOW);
    });
  };

  describe('from creation to deletion', () => {
    test('through REST, with exact bodies, history and events', async () => {
      const subsidy = await subsidyWith(500_000);
      const created = await call(
        'POST',
        POLICIES,
        bodyOn(subsidy, {
          display_name: ' Budget ',
          description: 'For all',
          spend_limit: 300_000,
          per_learner_spend_limit: 50_000,
          late_redemption_allowed_until: '2026-06-01T12:00:01Z',
          // Read-only and unknown keys are ignored.
          uuid: randomUUID(),
          assignment_configuration: randomUUID(),
          nonsense: 1,
        }),
      );
      const crud = {
        uuid: isUuid,
        policy_type: 'PerLearnerSpendCreditAccessPolicy',
        display_name: 'Budget',
        description: 'For all',
        active: true,
        retired: false,
        retired_at: null,
        enterprise_customer_uuid: demonstration.customer,
        catalog_uuid: demonstration.catalog,
        subsidy_uuid: subsidy,
        access_method: 'direct',
        per_learner_enrollment_limit: null,
        per_learner_spend_limit: 50_000,
        spend_limit: 300_000,
        subsidy_active_datetime: '2026-01-01T00:00:00Z',
        subsidy_expiration_datetime: '2027-01-01T00:00:00Z',
        is_subsidy_active: true,
        group_associations: [],
        late_redemption_allowed_until: '2026-06-01T12:00:01Z',
        is_late_redemption_allowed: true,
      };
      expect(created.status).toBe(201);
      expect(created.body).toEqual(crud);
      const { uuid } = created.body;
      const response = {
        ...created.body,
        aggregates: {
          amount_redeemed_usd_cents: 0,
          amount_redeemed_usd: 0,
          amount_allocated_usd_cents: 0,
          amount_allocated_usd: 0,
          spend_available_usd_cents: 300_000,
          spend_available_usd: 3_000,
        },
        assignment_configuration: null,
        created: NOW,
        bnr_enabled: false,
        total_spend_limits_for_subsidy: 300_000,
        total_deposits_for_subsidy: 500_000,
      };
      const got = await call('GET', at(uuid));
      expect({ status: got.status, body: got.body }).toEqual({ status: 200, body: response });

      const changed = await update(uuid, { display_name: null, spend_limit: 200_000 });
      expect(changed.status).toBe(200);
      expect(changed.body).toEqual({
        ...response,
        display_name: null,
        spend_limit: 200_000,
        aggregates: { ...response.aggregates, spend_available_usd_cents: 200_000, spend_available_usd: 2_000 },
        total_spend_limits_for_subsidy: 200_000,
      });
      const gone = await call('DELETE', at(uuid), { reason: 'No longer wanted' });
      expect({ status: gone.status, body: gone.body }).toEqual({
        status: 200,
        body: { ...changed.body, active: false, total_spend_limits_for_subsidy: 0 },
      });

      const actor = await operatorUserId(world);
      const history = await historyOf(world, 'policies', uuid);
      expect(history.map((row) => [row.history_type, row.actor_user_id, row.reason])).toEqual([
        ['+', actor, null],
        ['~', actor, null],
        ['~', actor, 'No longer wanted'],
      ]);
      expect(history.map(({ snapshot }) => [snapshot.spendLimitCents, snapshot.displayName, snapshot.active])).toEqual([
        [300_000, 'Budget', true],
        [200_000, null, true],
        [200_000, null, false],
      ]);
    });

    test('through tRPC, with the same facts', async () => {
      const subsidy = await subsidyWith(500_000);
      const input = {
        policyType: 'PerLearnerEnrollmentCreditAccessPolicy',
        enterpriseCustomerUuid: demonstration.customer,
        catalogUuid: demonstration.catalog,
        subsidyUuid: subsidy,
        accessMethod: 'direct',
        active: true,
        perLearnerEnrollmentLimit: 3,
      };
      type Made = { policy: { uuid: string }; created: boolean };
      const first = await trpcData<Made>(world, 'policies.create', input);
      expect(first).toMatchObject({
        created: true,
        policy: { perLearnerEnrollmentLimit: 3, spentCents: 0, created: new Date(NOW), spendAvailableCents: 500_000 },
      });
      expect(await trpcData(world, 'policies.create', input)).toEqual({ ...first, created: false });
      const { uuid } = first.policy;
      expect(await trpcData(world, 'policies.get', { uuid })).toEqual(first.policy);
      expect(await trpcData(world, 'policies.update', { uuid, description: 'x' })).toMatchObject({ description: 'x' });
      expect(await trpcError(world, 'policies.update', { uuid, perLearnerSpendLimit: 1 })).toMatchObject({
        status: 400,
        code: 'invalid_policy',
        details: {
          field: 'perLearnerSpendLimit',
          messages: ['must not define a per-learner spend limit.'],
          fields: { perLearnerSpendLimit: ['must not define a per-learner spend limit.'] },
          kind: 'constraint',
        },
      });
      type Page = { items: { uuid: string }[]; nextCursor: string | null; count: number };
      const ask = { enterpriseCustomerUuid: demonstration.customer, active: true, pageSize: 2 };
      const seen: string[] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page: Page = await trpcData<Page>(world, 'policies.list', cursor ? { ...ask, cursor } : ask);
        seen.push(...page.items.map((item) => item.uuid));
        cursor = page.nextCursor;
        if (cursor === null) expect(seen).toHaveLength(page.count);
      }
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen).toContain(uuid);
      expect(await trpcData(world, 'policies.deactivate', { uuid, reason: 'x' })).toMatchObject({ active: false });
      expect((await historyOf(world, 'policies', uuid)).at(-1)).toMatchObject({ reason: 'x' });
    });

    test('each change is announced: created, updated, deleted', async () => {
      const customer = newCustomer(world);
      const subsidy = await newSubsidy(world, { customer });
      const policy = await newPolicy(world, { customer, subsidy });
      await update(policy, { description: 'y' });
      await update(policy, { active: false });
      await update(policy, { active: true });
      await call('DELETE', at(policy));
      // The second deletion changes nothing.
      await call('DELETE', at(policy));
      const before = await eventsOf(world, customer);
      expect(before).toEqual(
        ['updated', 'deleted', 'updated', 'deleted'].map((what) => `access.access-policy.${what}.v1`),
      );
      await made(await subsidyWith());
      expect((await eventsOf(world, demonstration.customer)).at(-1)).toBe('access.access-policy.created.v1');
    });
  });

  describe('creating', () => {
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
          per_learner_enrollment_limit: [
            prefixed(change.policy_type, 'must not define a per-learner enrollment limit.'),
          ],
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
      expect(await historyOf(world, 'policies', policy)).toHaveLength(1);
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

  describe('updating', () => {
    test('R-POL-09: PUT is PATCH; facts of the subsidy are ignored, other keys refused by name', async () => {
      const policy = await made(await subsidyWith(), { description: 'kept' });
      const ignored = {
        subsidy_active_datetime: '2000-01-01T00:00:00Z',
        subsidy_expiration_datetime: 'whatever',
        is_subsidy_active: false,
      };
      expect(await call('PUT', at(policy), { display_name: 'Put', ...ignored })).toMatchObject({
        status: 200,
        body: { display_name: 'Put', description: 'kept', is_subsidy_active: true },
      });
      const refused = await update(policy, { policy_type: 'x', enterprise_customer_uuid: randomUUID(), b: 1, a: 2 });
      expect({ status: refused.status, body: refused.body }).toEqual({
        status: 400,
        body: {
          non_field_errors: ['Field(s) are not updatable: a, b, enterprise_customer_uuid, policy_type'],
        },
      });
    });

    test('R-POL-05: retired_at follows retired', async () => {
      const policy = await made(await subsidyWith());
      const given = '2026-01-02T03:04:05Z';
      const retire = (body: object) => atTime(LATER, () => update(policy, body));
      expect((await retire({ retired: true, retired_at: given })).body).toMatchObject({ retired_at: LATER });
      expect((await retire({ retired_at: given })).body).toMatchObject({ retired: true, retired_at: given });
      expect((await retire({ retired: true })).body).toMatchObject({ retired_at: given });
      expect((await retire({ retired: false, retired_at: given })).body).toMatchObject({
        retired: false,
        retired_at: null,
      });
      // W15: the old service left it null.
      const born = await call('POST', POLICIES, bodyOn(await subsidyWith(), { retired: true }));
      expect(born.body).toMatchObject({ retired: true, retired_at: NOW });
    });

    test('R-POL-06, example 16: limits stay within deposits; a third policy counts too (W8)', async () => {
      const subsidy = await subsidyWith(50_000);
      const first = await made(subsidy, { spend_limit: 10_000 });
      const second = await made(subsidy, { spend_limit: 40_000, access_method: 'request' });
      const refused = await update(first, { spend_limit: 10_001 });
      const text = `<PerLearnerSpendCreditAccessPolicy uuid=${first}> You cannot make this change, as the sum of all budget spend_limits for a given subsidy would exceed the sum of all deposits into that subsidy. If you are trying to re-balance policies, FIRST reduce the spend_limit of one, THEN increase the spend_limit of another. Error: $500.01 is greater than $500.00`;
      expect({ status: refused.status, body: refused.body }).toEqual({ status: 400, body: { spend_limit: [text] } });
      expect((await call('GET', at(first))).body).toMatchObject({
        spend_limit: 10_000,
        total_spend_limits_for_subsidy: 50_000,
        total_deposits_for_subsidy: 50_000,
      });
      // The old service let this one pass.
      const third = bodyOn(subsidy, { policy_type: 'PerLearnerEnrollmentCreditAccessPolicy', spend_limit: 50_000 });
      expect((await call('POST', POLICIES, third)).status).toBe(400);
      // Inactive ones do not count until they are activated; unlimited ones count nothing.
      const dormant = await call('POST', POLICIES, { ...third, active: false });
      expect(dormant.status).toBe(201);
      expect((await update(dormant.body.uuid, { active: true })).status).toBe(400);
      expect((await update(dormant.body.uuid, { active: true, spend_limit: null })).status).toBe(200);
      expect((await call('DELETE', at(first))).status).toBe(200);
      expect((await update(second, { spend_limit: 50_000 })).status).toBe(200);
      expect((await update(second, { spend_limit: 50_001 })).status).toBe(400);
    });

    test('a limit that is lowered below what is spent stops spending, and is no disagreement of the books', async () => {
      const { customer, policy } = await newBudget(world, { spendLimit: 2 * PRICE, learners: [1, 2] });
      expect((await redeemAs(world, policy, customer, 1)).status).toBe(200);
      const lowered = await update(policy, { spend_limit: 1 });
      expect(lowered).toMatchObject({ status: 200, body: { aggregates: { spend_available_usd_cents: 0 } } });
      expect(await redeemAs(world, policy, customer, 2)).toMatchObject({
        status: 422,
        body: [{ reason: 'policy_spend_limit_reached' }],
      });
      expect((await attempt(world, 'books.audit', {})).result).toEqual({ discrepancies: 0 });
      await world.db('policies').where({ uuid: policy }).increment('spent_cents', 1);
      expect((await attempt(world, 'books.audit', {})).result).toEqual({ discrepancies: 1 });
      await world.db('policies').where({ uuid: policy }).decrement('spent_cents', 1);
      expect((await update(policy, { spend_limit: PRICE })).status).toBe(200);
    });

    test('R-POL-06, W8: of two raises at once that do not fit together one passes', async () => {
      const subsidy = await subsidyWith(100);
      const policies = [
        await made(subsidy, { spend_limit: 10 }),
        await made(subsidy, { spend_limit: 10, access_method: 'request' }),
      ];
      for (let round = 0; round < 5; round += 1) {
        const replies = await Promise.all(policies.map((policy) => update(policy, { spend_limit: 60 })));
        expect(replies.map(({ status }) => status).sort()).toEqual([200, 400]);
        for (const policy of policies) expect((await update(policy, { spend_limit: 10 })).status).toBe(200);
      }
    });

    test('R-POL-07: a policy with spend stays active, retired or not; reversed spend is none', async () => {
      const { customer, subsidy, policy } = await newBudget(world);
      const { body } = await redeemAs(world, policy, customer, 1);
      const expected = {
        status: 400,
        body: { active: ['Cannot deactivate this policy while it has existing spend.'] },
      };
      expect(await call('DELETE', at(policy), { reason: 'try' })).toMatchObject(expected);
      expect(await update(policy, { active: false })).toMatchObject(expected);
      expect((await update(policy, { retired: true })).status).toBe(200);
      expect(await call('DELETE', at(policy))).toMatchObject(expected);
      await reverseIn(world, subsidy, body.uuid);
      expect(await call('DELETE', at(policy))).toMatchObject({ status: 200, body: { active: false } });
    });

    test('R-POL-07: unless the setting allows it', async () => {
      const { customer, policy } = await newBudget(world);
      await redeemAs(world, policy, customer, 1);
      const settings = world.runtime.settings as { allowDeactivationWithSpend: boolean };
      settings.allowDeactivationWithSpend = true;
      const reply = await call('DELETE', at(policy)).finally(() => {
        settings.allowDeactivationWithSpend = false;
      });
      expect(reply).toMatchObject({ status: 200, body: { active: false } });
    });

    test('a client may name the type of a body that it does not send', async () => {
      const policy = await made(await subsidyWith());
      const headers = { authorization: `JWT ${operatorToken()}`, 'content-type': 'application/json' };
      const reply = await world.app.inject({ method: 'DELETE', url: at(policy), headers });
      expect(reply.statusCode).toBe(200);
      expect(reply.json()).toMatchObject({ uuid: policy, active: false });
      const created = await world.app.inject({ method: 'POST', url: POLICIES, headers, payload: '' });
      expect(created.statusCode).toBe(400);
      expect(created.json()).toMatchObject({ policy_type: ['This field is required.'] });
    });

    test('R-POL-11: deletion is soft and repeatable; an empty reason is none', async () => {
      for (const [body, reason] of [
        [{ reason: 'because' }, 'because'],
        [{ reason: '' }, null],
        [{ reason: null }, null],
        [{}, null],
        [undefined, null],
      ] as const) {
        const policy = await made(await subsidyWith());
        const first = await call('DELETE', at(policy), body);
        expect(first).toMatchObject({ status: 200, body: { active: false, uuid: policy } });
        const again = await call('DELETE', at(policy), { reason: 'again' });
        expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: first.body });
        const history = await historyOf(world, 'policies', policy);
        expect(history.map((row) => row.reason)).toEqual([null, reason]);
      }
      const policy = await made(await subsidyWith());
      expect(await call('DELETE', at(policy), { reason: 'x'.repeat(101) })).toMatchObject({
        status: 400,
        body: { reason: ['Ensure this field has no more than 100 characters.'] },
      });
      expect(await call('DELETE', at(randomUUID()))).toMatchObject({ status: 404, body: null });
    });
  });

  describe('totals', () => {
    test('R-POL-12: what is available is the limit less the spend, and never more than the balance', async () => {
      const { customer, subsidy, policy } = await newBudget(world, { balance: 40_000, spendLimit: 30_000 });
      const sibling = await newPolicy(world, { customer, subsidy, type: 'PerLearnerEnrollmentCreditAccessPolicy' });
      const available = async (uuid: string) => (await call('GET', at(uuid))).body.aggregates.spend_available_usd_cents;
      expect([await available(policy), await available(sibling)]).toEqual([30_000, 40_000]);
      await redeemAs(world, policy, customer, 1);
      expect([await available(policy), await available(sibling)]).toEqual([30_000 - PRICE, 40_000 - PRICE]);
      // A limit below the spend leaves nothing, not less.
      await update(policy, { spend_limit: 100 });
      expect((await call('GET', at(policy))).body.aggregates).toEqual({
        amount_redeemed_usd_cents: PRICE,
        amount_redeemed_usd: 149,
        amount_allocated_usd_cents: 0,
        amount_allocated_usd: 0,
        spend_available_usd_cents: 0,
        spend_available_usd: 0,
      });
      await update(policy, { spend_limit: 30_000 });
    });

    test('a policy whose subsidy is gone says so and breaks no list', async () => {
      const { customer, subsidy, policy } = await newBudget(world, { spendLimit: 100 });
      await call('DELETE', `${SUBSIDIES}${subsidy}/`);
      const list = await call('GET', `${POLICIES}?enterprise_customer_uuid=${customer}`);
      expect(list).toMatchObject({
        status: 200,
        body: {
          results: [
            {
              uuid: policy,
              is_subsidy_active: null,
              subsidy_active_datetime: null,
              subsidy_expiration_datetime: null,
              total_deposits_for_subsidy: 0,
              aggregates: { spend_available_usd_cents: null, spend_available_usd: null },
            },
          ],
        },
      });
    });
  });

  test('the list filters, pages newest first, and knows its end', async () => {
    const customer = newCustomer(world);
    const subsidy = await newSubsidy(world, { customer });
    const uuids: string[] = [];
    for (let n = 0; n < 12; n += 1) {
      const created = new Date(Date.UTC(2026, 0, 1, n));
      const type = n % 2 ? 'PerLearnerEnrollmentCreditAccessPolicy' : 'PerLearnerSpendCreditAccessPolicy';
      uuids.unshift(await newPolicy(world, { customer, subsidy, type, created }));
    }
    await world.db('policies').where({ uuid: uuids[0] }).update({ active: false });
    const list = async (query = '') =>
      call('GET', `${POLICIES}?enterprise_customer_uuid=${customer}${query}`).then(({ status, body }) => ({
        status,
        body,
        uuids: body.results?.map((each: { uuid: string }) => each.uuid),
      }));
    const all = await list();
    expect(all.uuids).toEqual(uuids);
    expect(all.body).toMatchObject({ count: 12, num_pages: 1, current_page: 1, start: 0, next: null, previous: null });
    for (const truth of ['true', 'True', '1']) expect((await list(`&active=${truth}`)).uuids).toEqual(uuids.slice(1));
    for (const falsehood of ['false', 'FALSE', '0'])
      expect((await list(`&active=${falsehood}`)).uuids).toEqual(uuids.slice(0, 1));
    expect((await list('&policy_type=PerLearnerEnrollmentCreditAccessPolicy')).uuids).toHaveLength(6);
    expect((await list('&policy_type=None')).uuids).toEqual([]);
    expect((await list('&policy_type=%F4%8E%AC%8F%C3%8F')).uuids).toEqual([]);
    const second = await list('&page=2&page_size=5');
    expect(second.uuids).toEqual(uuids.slice(5, 10));
    expect(second.body).toMatchObject({ count: 12, num_pages: 3, current_page: 2, start: 5 });
    expect(new URL(second.body.next).searchParams.get('page')).toBe('3');
    expect(new URL(second.body.previous).searchParams.has('page')).toBe(false);
    expect(await list('&page=4&page_size=5')).toMatchObject({ status: 404, body: { detail: 'Invalid page.' } });
    expect(await list('&page=0')).toMatchObject({ status: 404, body: { detail: 'Invalid page.' } });
    const admin = tokenFor('enterprise_admin', demonstration.customer, 900);
    expect(await world.call('GET', `${POLICIES}?enterprise_customer_uuid=${customer}`, admin)).toMatchObject({
      status: 403,
      body: { detail: 'Missing: subsidy_access_policy.has_read_access' },
    });
  });

  describe('deposits and late redemption', () => {
    const deposit = (policy: string, body: object, headers = {}, operator = 7) =>
      world.call(
        'POST',
        `${at(policy)}deposit/`,
        tokenFor('enterprise_openedx_operator', '*', operator),
        { quantity_cents: 10_000, sales_contract_reference_id: LINE_ITEM, ...body },
        headers,
      );

    /** The ledger adds the value, and then the process is killed. */
    const losingReply = async <T>(work: () => Promise<T>): Promise<T> => {
      const runtime = world.runtime as { ledger: typeof world.runtime.ledger };
      const real = runtime.ledger;
      const crash = async (request: Parameters<typeof real.deposit>[0]) => {
        await real.deposit(request);
        throw new Error('killed');
      };
      runtime.ledger = { ...real, deposit: crash };
      return work().finally(() => {
        runtime.ledger = real;
      });
    };

    test('R-POL-30: ledger and limit rise together, with history; one key is one deposit', async () => {
      const { subsidy, policy } = await newBudget(world, { balance: 1_000, spendLimit: 500 });
      const first = await deposit(policy, {}, { 'idempotency-key': 'once' });
      expect(first).toMatchObject({ status: 200, body: { spend_limit: 10_500, total_deposits_for_subsidy: 11_000 } });
      expect((await deposit(policy, {}, { 'idempotency-key': 'once' })).body).toEqual(first.body);
      expect((await deposit(policy, {})).body.spend_limit).toBe(20_500);
      expect(await balanceOf(world, subsidy)).toBe(21_000);
      const history = await historyOf(world, 'policies', policy);
      const actor = await operatorUserId(world);
      expect(history.map((row) => [row.actor_user_id, row.reason, row.snapshot.spendLimitCents])).toEqual([
        [actor, 'Deposit', 10_500],
        [actor, 'Deposit', 20_500],
      ]);
      expect(await auditBooks(world.db)).toEqual([]);
    });

    test('W16: cut off after the ledger, a repeat under its key finishes it; many at once add once', async () => {
      const { subsidy, policy } = await newBudget(world, { balance: 1_000, spendLimit: 500 });
      const cut = await losingReply(() => deposit(policy, {}, { 'idempotency-key': 'cut' }));
      expect(cut.status).toBe(500);
      expect(await balanceOf(world, subsidy)).toBe(11_000);
      const again = await deposit(policy, {}, { 'idempotency-key': 'cut' });
      expect(again).toMatchObject({ status: 200, body: { spend_limit: 10_500, total_deposits_for_subsidy: 11_000 } });
      const replies = await Promise.all(
        Array.from({ length: 10 }, () => deposit(policy, {}, { 'idempotency-key': 'many' })),
      );
      expect(replies.every(({ status }) => status === 200 || status === 409)).toBe(true);
      expect((await call('GET', at(policy))).body).toMatchObject({ spend_limit: 20_500 });
      expect(await balanceOf(world, subsidy)).toBe(21_000);
    });

    test('one key of two operators is two deposits, and may be as long as any', async () => {
      const { policy } = await newBudget(world, { balance: 1_000, spendLimit: 500 });
      const key = { 'idempotency-key': 'k'.repeat(255) };
      expect((await deposit(policy, {}, key)).body).toMatchObject({ spend_limit: 10_500 });
      expect((await deposit(policy, {}, key, 8)).body).toMatchObject({ spend_limit: 20_500 });
    });

    test('W16: a key is one deposit of one caller, whatever else is sent under it', async () => {
      const { subsidy, policy } = await newBudget(world, { balance: 1_000, spendLimit: 500 });
      const key = { 'idempotency-key': 'one' };
      await losingReply(() => deposit(policy, {}, key));
      expect(await deposit(policy, { quantity_cents: 90_000 }, key)).toMatchObject({
        status: 422,
        body: { detail: 'This Idempotency-Key was used with another request body.' },
      });
      expect((await deposit(policy, {}, key)).body).toMatchObject({ spend_limit: 10_500 });
      const other = tokenFor('enterprise_openedx_operator', '*', 8);
      const body = { quantity_cents: 20_000, sales_contract_reference_id: LINE_ITEM };
      expect((await world.call('POST', `${at(policy)}deposit/`, other, body, key)).body).toMatchObject({
        spend_limit: 30_500,
        total_deposits_for_subsidy: 31_000,
      });
      expect(await balanceOf(world, subsidy)).toBe(31_000);
    });

    test('W16: a policy stays on its subsidy until its deposit is completed', async () => {
      const { customer, policy } = await newBudget(world, { balance: 1_000 });
      const move = { subsidy_uuid: await newSubsidy(world, { customer, balance: 0 }) };
      const key = { 'idempotency-key': 'stay' };
      await losingReply(() => deposit(policy, {}, key));
      expect(await update(policy, move)).toMatchObject({
        status: 400,
        body: { subsidy_uuid: ['Cannot change the subsidy of this policy while a deposit is being completed.'] },
      });
      expect((await deposit(policy, {}, key)).body).toMatchObject({ total_deposits_for_subsidy: 11_000 });
      expect(await update(policy, move)).toMatchObject({ status: 200, body: { total_deposits_for_subsidy: 0 } });
    });

    test('W16: what was refused under a key is made under it later, with its limit', async () => {
      const customer = newCustomer(world);
      const subsidy = await newSubsidy(world, { customer, balance: 0, expiration: '2026-05-31T00:00:00Z' });
      const policy = await newPolicy(world, { customer, subsidy, spendLimit: 7 });
      const key = { 'idempotency-key': 'later' };
      expect((await deposit(policy, {}, key)).status).toBe(422);
      await call('PATCH', `${SUBSIDIES}${subsidy}/`, { expiration_datetime: '2027-01-01T00:00:00Z' });
      expect(await deposit(policy, {}, key)).toMatchObject({
        status: 200,
        body: { spend_limit: 10_007, total_deposits_for_subsidy: 10_000 },
      });
    });

    test('W16: cut off before the end of the subsidy, a deposit is finished after it', async () => {
      const { subsidy, policy } = await newBudget(world, { balance: 1_000, spendLimit: 500 });
      const key = { 'idempotency-key': 'end' };
      await losingReply(() => deposit(policy, {}, key));
      await call('PATCH', `${SUBSIDIES}${subsidy}/`, { expiration_datetime: '2026-05-31T00:00:00Z' });
      expect((await deposit(policy, {})).status).toBe(422);
      expect(await deposit(policy, {}, key)).toMatchObject({
        status: 200,
        body: { spend_limit: 10_500, total_deposits_for_subsidy: 11_000 },
      });
    });

    test('R-POL-30, W16: without a limit there is none afterwards; a refused deposit changes nothing', async () => {
      const open = await newBudget(world, { balance: 1_000 });
      expect((await deposit(open.policy, {})).body).toMatchObject({ spend_limit: null });
      expect(await balanceOf(world, open.subsidy)).toBe(11_000);
      const customer = newCustomer(world);
      const ended = await newSubsidy(world, { customer, balance: 0, expiration: '2026-05-31T00:00:00Z' });
      const policy = await newPolicy(world, { customer, subsidy: ended, spendLimit: 7 });
      expect((await deposit(policy, {})).status).toBe(422);
      expect((await call('GET', at(policy))).body.spend_limit).toBe(7);
      expect(await balanceOf(world, ended)).toBe(0);
    });

    test.each([
      [{ quantity_cents: 99 }, 'quantity_cents'],
      [{ quantity_cents: 100.5 }, 'quantity_cents'],
      [{ sales_contract_reference_id: '00x000000000000000' }, 'sales_contract_reference_id'],
      [{ sales_contract_reference_id: '00k1' }, 'sales_contract_reference_id'],
    ])('400: a deposit of %o', async (change, field) => {
      const reply = await deposit(demonstration.spendPolicy, change);
      expect(reply.status).toBe(400);
      expect(Object.keys(reply.body)).toEqual([field]);
    });

    test('R-POL-31: to the end of a day in UTC, and back', async () => {
      const policy = await made(await subsidyWith());
      const set = (days: unknown) => call('POST', `${at(policy)}late-redemption/`, { days });
      expect((await set(1)).body).toMatchObject({
        late_redemption_allowed_until: '2026-06-02T23:59:59.999999Z',
        is_late_redemption_allowed: true,
      });
      expect((await set(7)).body.late_redemption_allowed_until).toBe('2026-06-08T23:59:59.999999Z');
      expect((await set(null)).body).toMatchObject({
        late_redemption_allowed_until: null,
        is_late_redemption_allowed: false,
      });
      expect([(await set(0)).status, (await set(8)).status]).toEqual([400, 400]);
      // Through the ordinary update without bound.
      const far = { late_redemption_allowed_until: '2040-01-01T00:00:00Z' };
      expect((await update(policy, far)).body).toMatchObject({ ...far, is_late_redemption_allowed: true });
      expect(await historyOf(world, 'policies', policy)).toHaveLength(5);
    });
  });

  test('nothing of this changed what was spent', async () => {
    expect(await spentOf(world, demonstration.spendPolicy)).toBe(0);
    expect(await auditBooks(world.db)).toEqual([]);
  });
});
