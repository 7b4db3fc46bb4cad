import { createHash, randomUUID } from 'node:crypto';
import { auditBooks, UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  allocateTo,
  assignedBudget,
  newBudget,
  newCourse,
  PRICE,
  redeemAs,
  reverseIn,
  spentOf,
  trpcData,
  trpcError,
} from '../support/fixtures.ts';
import { dialects, operatorToken, run, startApp, tokenFor } from '../support/harness.ts';

/** The key that the first redemption of a learner derives (R-RED-25). */
function derivedKey(subsidy: string, policy: string, learner: number, contentKey: string): string {
  const text = `{'lms_user_id': ${learner}, 'content_key': '${contentKey}', 'subsidy_access_policy_uuid': '${policy}', 'historical_redemptions_uuids': []}`;
  return `ledger-for-subsidy-${subsidy}-${createHash('md5').update(text).digest('hex')}`;
}

describe.each(dialects)('what a spend does when others are in the way, on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  const spend = (subsidy: string, body: object) =>
    world.call('POST', `/api/v2/subsidies/${subsidy}/admin/transactions/`, operatorToken(), body);
  const deposit = (subsidy: string, body: object) =>
    world.call('POST', `/api/v2/subsidies/${subsidy}/admin/deposits/`, operatorToken(), {
      desired_deposit_quantity: 5_000,
      sales_contract_reference_id: '00k1',
      sales_contract_reference_provider: 'salesforce_opportunity_line_item',
      ...body,
    });

  describe('keys', () => {
    test('a caller who guesses the key of a learner’s next redemption cannot block it', async () => {
      const { customer, subsidy, policy } = await newBudget(world, { learners: [1, 2] });
      const key = derivedKey(subsidy, policy, 1, run);
      const taken = await spend(subsidy, {
        lms_user_id: 2,
        content_key: run,
        subsidy_access_policy_uuid: policy,
        idempotency_key: key,
      });
      expect(taken).toMatchObject({ status: 201, body: { idempotency_key: key } });
      const [event] = await world.db('outbox').where({ message_key: taken.body.uuid }).select('payload');
      const payload = typeof event.payload === 'string' ? JSON.parse(event.payload) : event.payload;
      expect(payload.ledger_transaction.idempotency_key).toBe(key);
      const redeemed = await redeemAs(world, policy, customer, 1);
      expect(redeemed).toMatchObject({ status: 200, body: { idempotency_key: key, lms_user_id: 1 } });
      expect(await spentOf(world, policy)).toBe(2 * PRICE);
    });

    test('the same through tRPC, past our policies', async () => {
      const { customer, subsidy, policy } = await newBudget(world, { learners: [1, 2] });
      const idempotencyKey = derivedKey(subsidy, policy, 1, run);
      const purchase = { contentKey: run, subsidyAccessPolicyUuid: randomUUID(), idempotencyKey };
      const taken = await trpcData<{ transaction: { idempotencyKey: string } }>(world, 'ledger.createTransaction', {
        uuid: subsidy,
        lmsUserId: 2,
        ...purchase,
      });
      expect(taken.transaction.idempotencyKey).toBe(idempotencyKey);
      const learner = tokenFor('enterprise_learner', customer, 1);
      const input = { policyUuid: policy, lmsUserId: 1, contentKey: run };
      expect(await trpcData(world, 'redemptions.redeem', input, learner)).toMatchObject({ state: 'committed' });
    });

    test('nor is a deposit under such a key; deposits with derived keys have their own', async () => {
      const { customer, subsidy, policy } = await newBudget(world);
      const { ledger_uuid: ledger } = await world.db('subsidies').where({ uuid: subsidy }).first('ledger_uuid');
      const ofDeposit = `${ledger}-deposit-5000-sales-contract-00k1`;
      expect((await deposit(subsidy, { idempotency_key: derivedKey(subsidy, policy, 1, run) })).status).toBe(201);
      expect((await deposit(subsidy, { idempotency_key: ofDeposit })).status).toBe(201);
      expect((await deposit(subsidy, {})).status).toBe(201);
      expect((await redeemAs(world, policy, customer, 1)).status).toBe(200);
      expect(await auditBooks(world.db)).toEqual([]);
    });

    test('a key from before callers had their namespace still names its transaction and its deposit', async () => {
      const { subsidy } = await newBudget(world, { learners: [1, 2] });
      const body = {
        lms_user_id: 1,
        content_key: run,
        subsidy_access_policy_uuid: randomUUID(),
        idempotency_key: 'old-key',
      };
      const made = await spend(subsidy, body);
      const deposited = await deposit(subsidy, { idempotency_key: 'old-deposit' });
      for (const key of ['old-key', 'old-deposit'])
        expect(
          await world
            .db('ledger_transactions')
            .where({ idempotency_key: `caller:${key}` })
            .update({ idempotency_key: key }),
        ).toBe(1);
      expect(await spend(subsidy, body)).toMatchObject({ status: 200, body: { uuid: made.body.uuid } });
      expect(await spend(subsidy, { ...body, lms_user_id: 2 })).toMatchObject({ status: 422 });
      const again = await deposit(subsidy, { idempotency_key: 'old-deposit' });
      expect(again.body).toEqual(deposited.body);
    });
  });

  describe('rounds', () => {
    /** A redemption of somebody else holds the key, as rows from before callers had their namespace may. */
    async function withKeyTaken() {
      const budget = await newBudget(world, { learners: [1, 2] });
      const { customer, subsidy, policy } = budget;
      const { body } = await redeemAs(world, policy, customer, 2);
      const key = derivedKey(subsidy, policy, 1, run);
      for (const table of ['redemptions', 'ledger_transactions'])
        expect(await world.db(table).where({ uuid: body.uuid }).update({ idempotency_key: key })).toBe(1);
      return budget;
    }

    test('429: after three rounds a redeem gives up with a declared refusal, and nothing is spent', async () => {
      const { customer, policy } = await withKeyTaken();
      let reservations = 0;
      const count = ({ sql }: { sql: string }) => {
        if (/^insert into .redemptions./.test(sql)) reservations += 1;
      };
      world.db.on('query', count);
      const reply = await redeemAs(world, policy, customer, 1);
      world.db.off('query', count);
      expect(reply).toMatchObject({
        status: 429,
        body: { detail: 'Enrollment currently locked for this subsidy access policy.' },
      });
      expect(reservations).toBe(3);
      expect(await spentOf(world, policy)).toBe(PRICE);
      expect(await auditBooks(world.db)).toEqual([]);
    });

    test('the same through tRPC, with its code', async () => {
      const { customer, policy } = await withKeyTaken();
      const learner = tokenFor('enterprise_learner', customer, 1);
      const input = { policyUuid: policy, lmsUserId: 1, contentKey: run };
      expect(await trpcError(world, 'redemptions.redeem', input, learner)).toMatchObject({
        status: 429,
        code: 'policy_locked',
        details: { policyUuid: policy },
      });
    });

    test('a limit per learner that is lowered after it was judged is judged again', async () => {
      const { customer, policy } = await newBudget(world, { learnerSpendLimit: PRICE });
      const { catalog } = world.runtime;
      const content = catalog.content.bind(catalog);
      const spy = vi.spyOn(catalog, 'content').mockImplementationOnce(async (...key) => {
        // The policy was read by now.
        await world
          .db('policies')
          .where({ uuid: policy })
          .update({ per_learner_spend_limit_cents: PRICE - 1 });
        return content(...key);
      });
      const reply = await redeemAs(world, policy, customer, 1).finally(() => spy.mockRestore());
      expect(reply).toMatchObject({ status: 422, body: [{ reason: 'learner_max_spend_reached' }] });
      expect(await spentOf(world, policy)).toBe(0);
    });

    test('a limit that is raised after it was judged does not stop the redemption', async () => {
      const { customer, policy } = await newBudget(world, { learnerSpendLimit: PRICE });
      const { catalog } = world.runtime;
      const content = catalog.content.bind(catalog);
      const spy = vi.spyOn(catalog, 'content').mockImplementationOnce(async (...key) => {
        await world
          .db('policies')
          .where({ uuid: policy })
          .update({ per_learner_spend_limit_cents: 2 * PRICE });
        return content(...key);
      });
      expect((await redeemAs(world, policy, customer, 1).finally(() => spy.mockRestore())).status).toBe(200);
      expect(await auditBooks(world.db)).toEqual([]);
    });
  });

  test('each kind of spend locks its rows in the one order', async () => {
    const seen = async (work: () => Promise<unknown>) => {
      const from = world.locks.transactions.length;
      await work();
      return world.locks.transactions.slice(from).map((tables) => tables.join(' '));
    };
    const { customer, subsidy, policy } = await newBudget(world, { learners: [1, 2, 3], enrollmentLimit: 9 });
    const share = 'policy_learner_budgets ledger_transactions ledgers policies';
    const reserved = `redemptions ${share}`;

    const { body: made } = await redeemAs(world, policy, customer, 1);
    expect(await seen(() => redeemAs(world, policy, customer, 2))).toEqual([
      reserved,
      'redemptions ledger_transactions',
    ]);
    world.world.enrollmentFault = () => Promise.reject(new UpstreamRefusal('lms', 409, {}));
    const refused = await seen(() => redeemAs(world, policy, customer, 3)).finally(() => {
      world.world.enrollmentFault = null;
    });
    expect(refused).toEqual([reserved, reserved]);
    expect(await seen(() => reverseIn(world, subsidy, made.uuid))).toEqual([
      'redemptions assignments policy_learner_budgets ledger_transactions ledger_reversals ledgers policies',
    ]);
    const other = { lms_user_id: 2, content_key: newCourse(world) };
    expect(await seen(() => spend(subsidy, { ...other, subsidy_access_policy_uuid: policy }))).toEqual([
      reserved,
      'redemptions ledger_transactions',
    ]);
    expect(await seen(() => spend(subsidy, { ...other, subsidy_access_policy_uuid: randomUUID() }))).toEqual([]);
    const past = { lms_user_id: 3, content_key: other.content_key, subsidy_access_policy_uuid: randomUUID() };
    expect(await seen(() => spend(subsidy, past))).toEqual(['ledger_transactions ledgers', 'ledger_transactions']);
    expect(await seen(() => deposit(subsidy, {}))).toEqual(['ledger_transactions ledgers ledger_deposits']);
    const added = { quantity_cents: 1_000, sales_contract_reference_id: '00k000000000000002' };
    const path = `/api/v1/subsidy-access-policies/${policy}/deposit/`;
    expect(await seen(() => world.call('POST', path, operatorToken(), added))).toEqual([
      'policy_deposits',
      'ledger_transactions ledgers ledger_deposits',
      'policy_deposits policies',
    ]);

    const budget = await assignedBudget(world, { learners: [1, 2] });
    const emails = ['learner-1@test.example', 'learner-2@test.example'];
    expect(await seen(() => allocateTo(world, budget, emails))).toEqual([
      'assignment_configurations assignments ledgers policies assignment_counts',
    ]);
    await world.db('assignments').where({ learner_email: emails[0] }).update({ lms_user_id: 1 });
    expect(await seen(() => redeemAs(world, budget.policy, budget.customer, 1, budget.run))).toEqual([
      `redemptions assignments ${share}`,
      'redemptions assignments learner_credit_requests ledger_transactions assignment_counts',
    ]);
    const cancelling = `/api/v1/assignment-configurations/${budget.configuration}/admin/assignments/cancel-all/`;
    const admin = tokenFor('enterprise_admin', budget.customer, 7);
    expect(await seen(() => world.call('POST', cancelling, admin, {}))).toEqual([
      'assignments learner_credit_requests ledgers policies assignment_counts',
    ]);
    world.locks.assertInOrder();
    expect(await auditBooks(world.db)).toEqual([]);
  });
});
