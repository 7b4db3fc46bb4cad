import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  newBudget,
  newCustomer,
  newPolicy,
  newSubsidy,
  POLICIES,
  PRICE,
  redeemAs,
  SUBSIDIES,
  spentOf,
} from '../support/fixtures.ts';
import { demonstration, dialects, startApp, tokenFor } from '../support/harness.ts';
import { policyRequests } from './requests.ts';

describe.each(dialects)('totals and lists of policies on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    expect(await spentOf(world, demonstration.spendPolicy)).toBe(0);
    await world.stop();
  });
  const { call, at, update } = policyRequests(() => world);

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

  test('a policy whose subsidy does not exist does not break lists', async () => {
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
});
