import { randomUUID } from 'node:crypto';
import { timeText } from '@enterprise-access/db';
import { auditBooks, reconcile, UpstreamFailure, UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  addLearner,
  eventsOf,
  historyOf,
  isUuid,
  newBudget,
  newCourse,
  operatorUserId,
  PRICE,
  redeemAs,
  reverseIn,
  spentOf,
  trpcData,
  trpcError,
} from '../support/fixtures.ts';
import { dialects, operatorToken, run, startApp, tokenFor } from '../support/harness.ts';

const NOW = new Date('2026-06-01T12:00:00Z');

describe.each(dialects)('redemptions forced by support on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(() => world.stop());

  const force = (policy: string, change: object = {}, token = operatorToken()) =>
    world.call('POST', `/api/v1/policy-redemption/${policy}/force/`, token, {
      lms_user_id: 1,
      content_key: run,
      content_price_cents: 0,
      ...change,
    });
  const records = (policy: string) =>
    world.db('forced_redemptions').where({ policy_uuid: policy }).orderBy(['created', 'uuid']);
  const withFault = async <T>(error: Error, work: () => Promise<T>): Promise<T> => {
    world.world.enrollmentFault = () => Promise.reject(error);
    return work().finally(() => {
      world.world.enrollmentFault = null;
    });
  };
  /** Lets so many milliseconds pass for everybody. */
  const pass = (ms: number) => {
    world.world.now = new Date(world.world.now.getTime() + ms);
  };

  test('R-RED-61: a deadline does not count; the record says how it ended; a repeat changes nothing', async () => {
    const { customer, policy } = await newBudget(world);
    const key = newCourse(world, { enrollByDate: new Date('2001-01-01T00:00:00Z') });
    const first = await force(policy, { content_key: key, content_price_cents: 77 });
    expect(first.status).toBe(200);
    expect(first.body).toEqual({
      uuid: isUuid,
      policy_uuid: policy,
      lms_user_id: 1,
      course_run_key: key,
      // R-RED-63: not what is charged.
      content_price_cents: 77,
      wait_to_redeem: false,
      redeemed_at: timeText(NOW),
      errored_at: null,
      traceback: null,
      transaction_uuid: isUuid,
      created: timeText(NOW),
      modified: timeText(NOW),
    });
    const transaction = await world.call(
      'GET',
      `/api/v1/policy-redemption/transactions/${first.body.transaction_uuid}/`,
      operatorToken(),
    );
    expect(transaction.body).toMatchObject({
      state: 'committed',
      quantity: -PRICE,
      modified: first.body.redeemed_at,
      metadata: { allow_late_enrollment: true },
    });
    const again = await force(policy, { content_key: key, content_price_cents: 1, wait_to_redeem: true });
    expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: first.body });
    expect(await spentOf(world, policy)).toBe(PRICE);
    expect(await eventsOf(world, customer)).toEqual(['access.subsidy.redeemed.v1']);
    const actor = await operatorUserId(world);
    const history = await historyOf(world, first.body.uuid);
    expect(history.map((row) => [row.action, row.actor_user_id, row.after?.transactionUuid])).toEqual([
      ['created', actor, undefined],
      ['updated', actor, first.body.transaction_uuid],
    ]);
  });

  test('the record is only stored if requested, and a later call redeems it', async () => {
    const { policy } = await newBudget(world);
    const waiting = await force(policy, { wait_to_redeem: true });
    expect(waiting.body).toMatchObject({ wait_to_redeem: true, redeemed_at: null, transaction_uuid: null });
    expect((await force(policy, { wait_to_redeem: true })).body).toEqual(waiting.body);
    expect(await spentOf(world, policy)).toBe(0);
    expect((await force(policy)).body).toMatchObject({
      uuid: waiting.body.uuid,
      wait_to_redeem: false,
      redeemed_at: timeText(NOW),
    });
    expect(await spentOf(world, policy)).toBe(PRICE);
  });

  // W19: refusals were not recorded.
  test('R-RED-61: what refuses an ordinary redemption refuses this one too, and is written down', async () => {
    const { customer, policy } = await newBudget(world, { spendLimit: PRICE - 1, learners: [1, 2] });
    const refused = await force(policy);
    expect(refused).toMatchObject({
      status: 422,
      body: [{ reason: 'policy_spend_limit_reached', policy_uuids: [policy] }],
    });
    expect(await records(policy)).toMatchObject([
      {
        errored_at: NOW,
        traceback: 'Failed forced redemption: policy_spend_limit_reached',
        redeemed_at: null,
        transaction_uuid: null,
      },
    ]);
    expect((await force(policy, { lms_user_id: 3 })).body[0].reason).toBe('learner_not_in_enterprise');
    await world.db('policies').where({ uuid: policy }).update({ spend_limit_cents: PRICE });
    const later = await force(policy);
    expect(later).toMatchObject({ status: 200, body: { errored_at: null, traceback: null } });
    expect((await records(policy)).length).toBe(2);
    expect((await redeemAs(world, policy, customer, 2)).status).toBe(422);
  });

  test('R-RED-62: a refused enrollment is recorded without the message of the LMS; the next call retries', async () => {
    const { policy } = await newBudget(world);
    const secret = new UpstreamRefusal('lms', 409, { email: 'private@test.example' });
    const refused = await withFault(secret, () => force(policy));
    expect(refused).toMatchObject({ status: 422, body: { code: 'enrollment_error' } });
    const [record] = await records(policy);
    expect(record).toMatchObject({ errored_at: NOW, redeemed_at: null });
    expect(record.traceback).toBe('Failed forced redemption: enrollment_error');
    expect(await spentOf(world, policy)).toBe(0);
    const later = await force(policy);
    expect(later).toMatchObject({ status: 200, body: { uuid: record.uuid, errored_at: null, traceback: null } });
    const states = await world.db('ledger_transactions').where({ subsidy_access_policy_uuid: policy }).pluck('state');
    expect(states.sort()).toEqual(['committed', 'failed']);
  });

  test('without an answer it stays open, and a repeat after the reconciliation closes it with the same transaction', async () => {
    const { policy } = await newBudget(world);
    const open = await withFault(new UpstreamFailure('lms', 'did not answer'), () => force(policy));
    expect(open.status).toBe(503);
    expect(await records(policy)).toMatchObject([
      { redeemed_at: null, traceback: 'Failed forced redemption: redemption_pending' },
    ]);
    const { transaction } = await world
      .db('ledger_transactions')
      .where({ subsidy_access_policy_uuid: policy })
      .first({ transaction: 'uuid' });
    pass(120_000);
    expect((await reconcile(world.runtime)).open).toBe(0);
    const done = await force(policy);
    world.world.now = NOW;
    expect(done).toMatchObject({ status: 200, body: { transaction_uuid: transaction, errored_at: null } });
    expect(await spentOf(world, policy)).toBe(PRICE);
    expect(await auditBooks(world.db)).toEqual([]);
  });

  test('what the learner has redeemed already becomes the record of it, without a second charge', async () => {
    const { customer, policy } = await newBudget(world);
    const own = await redeemAs(world, policy, customer, 1);
    expect((await force(policy)).body).toMatchObject({
      transaction_uuid: own.body.uuid,
      redeemed_at: own.body.modified,
    });
    expect(await spentOf(world, policy)).toBe(PRICE);
  });

  test('after a reversal the next forced redemption has a new record', async () => {
    const { policy, subsidy } = await newBudget(world);
    const first = await force(policy);
    await reverseIn(world, subsidy, first.body.transaction_uuid);
    pass(1_000);
    const second = await force(policy);
    world.world.now = NOW;
    expect(second.status).toBe(200);
    expect(second.body.uuid).not.toBe(first.body.uuid);
    expect(second.body.transaction_uuid).not.toBe(first.body.transaction_uuid);
    expect(await records(policy)).toHaveLength(2);
    expect(await spentOf(world, policy)).toBe(PRICE);
  });

  test('twenty at once make one record and one charge', async () => {
    const { policy } = await newBudget(world);
    const replies = await Promise.all(Array.from({ length: 20 }, () => force(policy)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(replies.map(({ body }) => body.transaction_uuid)).size).toBe(1);
    expect(await records(policy)).toHaveLength(1);
    expect(await spentOf(world, policy)).toBe(PRICE);
    expect(await auditBooks(world.db)).toEqual([]);
  });

  test('executive education: consent and address are added, and kept with the transaction only', async () => {
    const { policy } = await newBudget(world, { learners: [] });
    const customer = (await world.db('policies').where({ uuid: policy }).first('enterprise_customer_uuid'))
      .enterprise_customer_uuid;
    addLearner(world, customer, 1);
    const metadata = {
      geag_first_name: 'Ada',
      geag_last_name: 'Lovelace',
      geag_date_of_birth: '1815-12-10',
      fallback_external_fulfillment_reference_id: randomUUID(),
    };
    const { status, body } = await force(policy, { metadata });
    expect(status).toBe(200);
    expect(JSON.stringify(await records(policy))).not.toContain('Lovelace');
    expect(JSON.stringify(await historyOf(world, body.uuid))).not.toContain('Lovelace');
    const made = await world.call('GET', `/api/v1/transactions/${body.transaction_uuid}/`, operatorToken());
    expect(made.body.metadata).toEqual({
      ...metadata,
      geag_terms_accepted_at: '2026-06-01T12:00:00Z',
      geag_data_share_consent: true,
      geag_email: 'learner-1@test.example',
      allow_late_enrollment: true,
    });
    expect((await force(policy, { metadata: { geag_shoe_size: '42' } })).status).toBe(400);
  });

  test('through tRPC; not for learners nor administrators; bad input is refused', async () => {
    const { customer, policy } = await newBudget(world);
    const input = { policyUuid: policy, lmsUserId: 1, contentKey: run, contentPriceCents: 0 };
    expect(await trpcData(world, 'redemptions.force', input)).toMatchObject({ redeemedAt: NOW, lmsUserId: 1 });
    expect(await trpcError(world, 'redemptions.force', { ...input, lmsUserId: 9 })).toMatchObject({
      status: 422,
      code: 'not_redeemable',
    });
    for (const role of ['enterprise_learner', 'enterprise_admin']) {
      const reply = await force(policy, {}, tokenFor(role, customer, 1));
      expect(reply).toMatchObject({
        status: 403,
        body: { detail: 'MISSING: subsidy_access_policy.has_write_access' },
      });
    }
    expect(await force(policy, { content_price_cents: -1, content_key: 'edX+DemoX' })).toMatchObject({
      status: 400,
      body: {
        content_price_cents: ['Ensure this value is greater than or equal to 0.'],
        content_key: ['Invalid content_key: edX+DemoX'],
      },
    });
    expect((await force(randomUUID())).status).toBe(404);
  });
});
