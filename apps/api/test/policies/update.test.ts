import { randomUUID } from 'node:crypto';
import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { historyOf, newBudget, POLICIES, PRICE, redeemAs, reverseIn, spentOf } from '../support/fixtures.ts';
import { demonstration, dialects, operatorToken, startApp } from '../support/harness.ts';
import { attempt } from '../support/work.ts';
import { LATER, NOW, policyRequests } from './requests.ts';

describe.each(dialects)('updating policies on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    expect(await spentOf(world, demonstration.spendPolicy)).toBe(0);
    await world.stop();
  });
  const { call, at, update, subsidyWith, bodyOn, made, atTime } = policyRequests(() => world);

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

  test('R-POL-07: a policy with spend cannot be deactivated, retired or not; reversed spend does not count', async () => {
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

  test('R-POL-11: deletion is soft and idempotent; an empty reason is ignored', async () => {
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
      const history = await historyOf(world, policy);
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
