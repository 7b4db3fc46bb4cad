import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertTotals } from '../../../../tooling/test/totals.ts';
import { demonstration, dialects, learnerToken, operatorToken, run, startApp } from '../support/harness.ts';

const canRedeemPath = `/api/v1/policy-redemption/enterprise-customer/${demonstration.customer}/can-redeem/?content_key=${encodeURIComponent(run)}`;
const redeemPath = (policy: string) => `/api/v1/policy-redemption/${policy}/redeem/`;

describe.each(dialects)('spending learner credit on %s', (dialect) => {
  let world: Awaited<ReturnType<typeof startApp>>;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    await assertTotals(world.db);
    await world.stop();
  });

  const spent = async (policy: string): Promise<number> =>
    Number((await world.db('policies').where({ uuid: policy }).first('spent_cents')).spent_cents);

  test('a learner sees a policy, redeems through it once, and a repeat answers with the first transaction', async () => {
    const before = await world.call('GET', canRedeemPath, learnerToken(1000));
    expect(before.status).toBe(200);
    expect(before.body).toMatchObject([
      { content_key: run, can_redeem: true, list_price: { usd: 149, usd_cents: 14900 }, reasons: [] },
    ]);
    const policy = before.body[0].redeemable_subsidy_access_policy.uuid;

    const first = await world.call('POST', redeemPath(policy), learnerToken(1000), {
      lms_user_id: 1000,
      content_key: run,
    });
    expect(first.body).toMatchObject({ state: 'committed', quantity: -14900, lms_user_id: 1000, content_key: run });
    expect(first.status).toBe(200);
    const again = await world.call('POST', redeemPath(policy), learnerToken(1000), {
      lms_user_id: 1000,
      content_key: run,
    });
    expect(again.body).toEqual(first.body);
    expect(await spent(policy)).toBe(14_900);

    const after = await world.call('GET', canRedeemPath, learnerToken(1000));
    expect(after.body).toMatchObject([
      { has_successful_redemption: true, can_redeem: false, reasons: [], redeemable_subsidy_access_policy: null },
    ]);
  });

  test('fifty simultaneous redeems of one learner make one transaction and the same reply', async () => {
    const policy = demonstration.spendPolicy;
    const before = await spent(policy);
    const replies = await Promise.all(
      Array.from({ length: 50 }, () =>
        world.call('POST', redeemPath(policy), learnerToken(1001), { lms_user_id: 1001, content_key: run }),
      ),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(replies.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect((await spent(policy)) - before).toBe(14_900);
  });

  test('three hundred learners at a policy with budget for fifty: fifty pass, the others get the reason', async () => {
    const created = await world.call('POST', '/api/v1/subsidy-access-policies/', operatorToken(), {
      policy_type: 'PerLearnerSpendCreditAccessPolicy',
      enterprise_customer_uuid: demonstration.customer,
      catalog_uuid: '99999999-9999-4999-8999-999999999999',
      subsidy_uuid: demonstration.subsidy,
      access_method: 'direct',
      active: true,
      spend_limit: 50 * 14_900,
    });
    expect(created.status, JSON.stringify(created.body)).toBe(201);
    const policy = created.body.uuid;
    const replies = await Promise.all(
      Array.from({ length: 300 }, (_, index) => 1_100 + index).map((id) =>
        world.call('POST', redeemPath(policy), learnerToken(id), { lms_user_id: id, content_key: run }),
      ),
    );
    const statuses = Object.groupBy(replies, ({ status }) => String(status));
    expect(Object.fromEntries(Object.entries(statuses).map(([status, list]) => [status, list?.length]))).toEqual({
      200: 50,
      422: 250,
    });
    expect(new Set(statuses['422']?.map(({ body }) => body[0].reason))).toEqual(
      new Set(['policy_spend_limit_reached']),
    );
    expect(await spent(policy)).toBe(50 * 14_900);
    const [ledger] = await world
      .db('ledger_transactions')
      .where({ subsidy_access_policy_uuid: policy, state: 'committed' })
      .sum({ total: 'quantity_cents' });
    expect(Number(ledger?.total)).toBe(-50 * 14_900);
  });

  test('a learner cannot redeem for another learner or another customer', async () => {
    const other = await world.call('POST', redeemPath(demonstration.spendPolicy), learnerToken(1002), {
      lms_user_id: 1003,
      content_key: run,
    });
    expect(other).toMatchObject({
      status: 403,
      body: { detail: 'MISSING: subsidy_access_policy.has_redemption_access' },
    });
    const foreign = await world.call('POST', redeemPath(demonstration.otherPolicy), learnerToken(1002), {
      lms_user_id: 1002,
      content_key: run,
    });
    expect(foreign.status).toBe(403);
  });

  test('the policy list needs at most four statements, whatever the number of policies', async () => {
    // One token: a new one, made a second later, would be verified and looked up anew.
    const token = operatorToken();
    let statements = 0;
    const count = () => {
      statements += 1;
    };
    const path = `/api/v1/subsidy-access-policies/?enterprise_customer_uuid=${demonstration.customer}&active=true`;
    await world.call('GET', path, token);
    world.db.on('query', count);
    const list = await world.call('GET', path, token);
    world.db.off('query', count);
    expect(list.status).toBe(200);
    expect(list.body.results.length).toBeGreaterThanOrEqual(3);
    expect(statements).toBeLessThanOrEqual(4);
  });
});
