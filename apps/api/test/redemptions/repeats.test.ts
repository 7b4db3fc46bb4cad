import { randomUUID } from 'node:crypto';
import { auditBooks, reconcile, UpstreamFailure, UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  balanceOf,
  eventsOf,
  newBudget,
  newPolicy,
  POLICIES,
  PRICE,
  redeemAs,
  reverseIn,
  spentOf,
  trpcData,
} from '../support/fixtures.ts';
import { dialects, run, startApp, tokenFor } from '../support/harness.ts';
import { attempt } from '../support/work.ts';
import { NOW, redemptionRequests } from './requests.ts';

const silence = () => Promise.reject(new UpstreamFailure('lms', 'did not answer'));

describe.each(dialects)('what was redeemed already on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { call, answerFor, withFault } = redemptionRequests(() => world);

  // W4: the old service refused the repeat for lack of value.
  test('9, R-RED-05: a second redeem answers with the first transaction, through another policy too', async () => {
    const { customer, policy, subsidy } = await newBudget(world, { balance: PRICE });
    const first = await redeemAs(world, policy, customer, 1);
    expect(first.status).toBe(200);
    const other = await newPolicy(world, { customer, subsidy, type: 'PerLearnerEnrollmentCreditAccessPolicy' });
    for (const each of [policy, other]) {
      const again = await redeemAs(world, each, customer, 1);
      expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: first.body });
    }
    expect([await spentOf(world, policy), await spentOf(world, other)]).toEqual([PRICE, 0]);
  });

  test('R-LED-14: what was spent past our policies counts as redeemed, too', async () => {
    const { customer, policy, subsidy } = await newBudget(world);
    const spent = await call('POST', `/api/v2/subsidies/${subsidy}/admin/transactions/`, {
      lms_user_id: 1,
      content_key: run,
      subsidy_access_policy_uuid: randomUUID(),
    });
    expect(spent.status).toBe(201);
    const again = await redeemAs(world, policy, customer, 1);
    expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: spent.body });
    expect(await spentOf(world, policy)).toBe(0);
  });

  test('R-LED-14: a pending spend without one of our policies is settled later and charged once', async () => {
    const { customer, policy, subsidy } = await newBudget(world);
    const direct = () =>
      call('POST', `/api/v2/subsidies/${subsidy}/admin/transactions/`, {
        lms_user_id: 1,
        content_key: run,
        subsidy_access_policy_uuid: randomUUID(),
      });
    expect((await withFault(silence, direct)).status).toBe(503);
    expect(await redeemAs(world, policy, customer, 1)).toMatchObject({ status: 200, body: { state: 'pending' } });
    world.world.now = new Date(NOW.getTime() + 120_000);
    await attempt(world, 'redemptions.reconcile', {}).finally(() => {
      world.world.now = NOW;
    });
    expect(await redeemAs(world, policy, customer, 1)).toMatchObject({ status: 200, body: { state: 'committed' } });
    expect(await spentOf(world, policy)).toBe(0);
  });

  // W4: the old service hid it and gave the wrong reason.
  test('10, R-RED-12, R-RED-13: a redemption through a policy that was retired later counts', async () => {
    const { customer, policy, subsidy } = await newBudget(world);
    const { body } = await redeemAs(world, policy, customer, 1);
    await newPolicy(world, { customer, subsidy });
    await call('PATCH', `${POLICIES}${policy}/`, { retired: true });
    expect(await answerFor(customer, 1)).toMatchObject({
      has_successful_redemption: true,
      can_redeem: false,
      redeemable_subsidy_access_policy: null,
      reasons: [],
      display_reason: null,
      list_price: { usd: 149, usd_cents: PRICE },
      redemptions: [
        {
          ...body,
          policy_redemption_status_url: `http://access.test/api/v1/transactions/${body.uuid}/`,
          courseware_url: `http://lms.test/courses/${run}/courseware/`,
        },
      ],
    });
  });

  test('5, R-RED-24, R-RED-25: a reversal opens the way for a new attempt with a new key', async () => {
    const { customer, policy, subsidy } = await newBudget(world);
    const first = await redeemAs(world, policy, customer, 1);
    await reverseIn(world, subsidy, first.body.uuid);
    const between = await answerFor(customer, 1);
    expect(between).toMatchObject({ has_successful_redemption: false, can_redeem: true });
    expect(between.redemptions).toMatchObject([{ uuid: first.body.uuid, reversal: { quantity: PRICE } }]);
    const second = await redeemAs(world, policy, customer, 1);
    expect(second.status).toBe(200);
    expect(second.body.uuid).not.toBe(first.body.uuid);
    expect(second.body.idempotency_key).not.toBe(first.body.idempotency_key);
    expect(second.body.idempotency_key).toMatch(new RegExp(`^ledger-for-subsidy-${subsidy}-[0-9a-f]{32}$`));
    expect(await spentOf(world, policy)).toBe(PRICE);
    expect(await eventsOf(world, customer)).toEqual([
      'access.subsidy.redeemed.v1',
      'access.subsidy.redemption-reversed.v1',
      'access.subsidy.redeemed.v1',
    ]);
  });

  // W7: neither charged nor lost; the old service left it open or answered with an error.
  test('5: an enrolment without an answer keeps its key and its value until it is finished', async () => {
    const { customer, policy } = await newBudget(world, { balance: PRICE });
    const pending = await withFault(silence, () => redeemAs(world, policy, customer, 1));
    expect(pending).toMatchObject({ status: 200, body: { state: 'pending', quantity: -PRICE } });
    // What the portals poll says the same until it is over.
    const status = async () => {
      const { pathname } = new URL(pending.body.transaction_status_api_url);
      return (await world.call('GET', pathname, tokenFor('enterprise_learner', customer, 1))).body.state;
    };
    expect(await status()).toBe('pending');
    expect(await spentOf(world, policy)).toBe(PRICE);
    const [row] = (await answerFor(customer, 1)).redemptions;
    expect(row).toMatchObject({ state: 'pending', reversal: null });
    world.world.now = new Date(NOW.getTime() + 120_000);
    const { open } = await reconcile(world.runtime).finally(() => {
      world.world.now = NOW;
    });
    expect(open).toBe(0);
    expect(await status()).toBe('committed');
    const done = await redeemAs(world, policy, customer, 1);
    expect(done).toMatchObject({
      status: 200,
      body: { uuid: row.uuid, state: 'committed', idempotency_key: row.idempotency_key },
    });
    expect(await auditBooks(world.db)).toEqual([]);
  });

  test('if the enrollment gets no answer, redeem returns the pending transaction soon, over both transports; a repeat with the key asks again', async () => {
    const { customer, policy } = await newBudget(world);
    const enrolled = Promise.withResolvers<void>();
    const token = tokenFor('enterprise_learner', customer, 1);
    const path = `/api/v1/policy-redemption/${policy}/redeem/`;
    const body = { lms_user_id: 1, content_key: run };
    const key = { 'idempotency-key': randomUUID() };
    const work = withFault(
      () => enrolled.promise,
      async () => {
        const soon = await world.call('POST', path, token, body, key);
        expect(soon).toMatchObject({ status: 200, body: { state: 'pending', quantity: -PRICE } });
        const input = { policyUuid: policy, lmsUserId: 1, contentKey: run };
        expect(await trpcData(world, 'redemptions.redeem', input, token)).toMatchObject({
          state: 'pending',
          uuid: soon.body.uuid,
        });
        return soon;
      },
    );
    const soon = await work;
    enrolled.resolve();
    await vi.waitFor(async () => {
      expect((await world.call('POST', path, token, body, key)).body).toMatchObject({
        state: 'committed',
        uuid: soon.body.uuid,
      });
    });
    expect(await spentOf(world, policy)).toBe(PRICE);
    expect(await auditBooks(world.db)).toEqual([]);
  });

  test('a refused enrollment releases everything, and the message of the LMS is not exposed', async () => {
    const { customer, policy, subsidy } = await newBudget(world);
    const refuse = () => Promise.reject(new UpstreamRefusal('lms', 409, { private: 'words' }));
    const refused = await withFault(refuse, () => redeemAs(world, policy, customer, 1));
    expect({ status: refused.status, body: refused.body }).toEqual({
      status: 422,
      body: {
        detail: 'Subsidy Transaction API error: The learner could not be enrolled.',
        code: 'enrollment_error',
        subsidy_status_code: '422',
      },
    });
    expect([await spentOf(world, policy), await balanceOf(world, subsidy)]).toEqual([0, 1_000_000]);
    expect((await answerFor(customer, 1)).can_redeem).toBe(true);
  });
});
