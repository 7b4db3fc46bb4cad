import { randomUUID } from 'node:crypto';
import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  eventsOf,
  historyOf,
  isUuid,
  newCustomer,
  newPolicy,
  newSubsidy,
  operatorUserId,
  POLICIES,
  spentOf,
  trpcData,
  trpcError,
} from '../support/fixtures.ts';
import { demonstration, dialects, startApp } from '../support/harness.ts';
import { NOW, policyRequests } from './requests.ts';

describe.each(dialects)('a policy from creation to deletion on %s', (dialect) => {
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
    const history = await historyOf(world, uuid);
    expect(history.map((row) => [row.operation, row.actor_user_id, row.reason])).toEqual([
      ['policies.create', actor, null],
      ['policies.update', actor, null],
      ['policies.deactivate', actor, 'No longer wanted'],
    ]);
    const [made, edited, ended] = history;
    expect(made).toMatchObject({
      before: null,
      after: { spendLimitCents: 300_000, displayName: 'Budget', active: true },
    });
    expect([edited?.before, edited?.after]).toEqual([
      { spendLimitCents: 300_000, displayName: 'Budget' },
      { spendLimitCents: 200_000, displayName: null },
    ]);
    expect([ended?.before, ended?.after]).toEqual([{ active: true }, { active: false }]);
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
    expect((await historyOf(world, uuid)).at(-1)).toMatchObject({ reason: 'x' });
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
