import { randomUUID } from 'node:crypto';
import { reconcile, UpstreamFailure, UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  newBudget,
  newCourse,
  newCustomer,
  newSubsidy,
  POLICIES,
  redeemAs,
  reverseIn,
  SUBSIDIES,
} from '../support/fixtures.ts';
import { dialects, operatorToken, run, startApp } from '../support/harness.ts';

/** Last words of the types of events, which tell them apart. */
type Said = readonly [what: string, payload: Readonly<Record<string, unknown>>];

const PREFIX = /^org\.openedx\.enterprise\.(access\.)?/;

describe.each(dialects)('events on %s', (dialect) => {
  let world: World;
  let seen = 0;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());
  beforeEach(async () => {
    await said();
  });

  /** What was announced since the last look, in order. */
  async function said(): Promise<Said[]> {
    const rows = await world.db('outbox').where('position', '>', seen).where({ kind: 'event' }).orderBy('position');
    seen = rows.at(-1)?.position ?? seen;
    return rows.map(({ name, payload }) => [
      name.replace(PREFIX, ''),
      typeof payload === 'string' ? JSON.parse(payload) : payload,
    ]);
  }
  const names = async () => (await said()).map(([name]) => name);
  const call = (method: 'POST' | 'PATCH' | 'DELETE', path: string, body: object = {}) =>
    world.call(method, path, operatorToken(), body);
  const ok = async (work: ReturnType<typeof call>, ...statuses: number[]) => {
    const reply = await work;
    expect(statuses.length === 0 ? [200] : statuses, JSON.stringify(reply.body)).toContain(reply.status);
    return reply.body;
  };

  describe('a policy', () => {
    let body: Record<string, unknown>;
    const create = (more: object = {}) => call('POST', POLICIES, { ...body, ...more });
    beforeEach(async () => {
      const customer = newCustomer(world);
      body = {
        policy_type: 'PerLearnerSpendCreditAccessPolicy',
        enterprise_customer_uuid: customer,
        subsidy_uuid: await newSubsidy(world, { customer }),
        catalog_uuid: randomUUID(),
        access_method: 'direct',
        active: true,
        spend_limit: 1_000,
      };
      await said();
    });

    test('created: once, and not when there was one', async () => {
      const { uuid } = await ok(create(), 201);
      const payload = { uuid, active: true, subsidy_uuid: body.subsidy_uuid, access_method: 'direct' };
      expect(await said()).toEqual([['access-policy.created.v1', payload]]);
      await ok(create({ display_name: 'Another' }));
      expect(await said()).toEqual([]);
    });

    test('created by one of many at once: once', async () => {
      await Promise.all(Array.from({ length: 10 }, () => create()));
      expect(await names()).toEqual(['access-policy.created.v1']);
    });

    test('refused: nothing', async () => {
      await ok(create({ per_learner_enrollment_limit: 1 }), 400);
      await ok(create({ spend_limit: 2_000_000_000 }), 400);
      const { uuid } = await ok(create(), 201);
      await said();
      await ok(call('PATCH', `${POLICIES}${uuid}/`, { per_learner_enrollment_limit: 1 }), 400);
      await ok(call('PATCH', `${POLICIES}${uuid}/`, { spend_limit: 2_000_000_000 }), 400);
      expect(await said()).toEqual([]);
    });

    test.each<[string, object, string | null]>([
      ['another limit', { spend_limit: 999 }, 'updated'],
      ['another name', { display_name: 'New' }, 'updated'],
      ['retirement', { retired: true }, 'updated'],
      ['late redemption', { late_redemption_allowed_until: '2026-07-01T00:00:00Z' }, 'updated'],
      ['inactive', { active: false }, 'deleted'],
      ['the same limit', { spend_limit: 1_000 }, null],
      ['the same of several', { spend_limit: 1_000, active: true, access_method: 'direct', retired: false }, null],
      ['facts of the subsidy, which are ignored', { is_subsidy_active: true }, null],
      ['nothing', {}, null],
    ])('update with %s', async (_what, change, event) => {
      const { uuid } = await ok(create(), 201);
      await said();
      const history = async () => (await world.db('audit_changes').where({ subject_uuid: uuid })).length;
      const before = await history();
      await ok(call('PATCH', `${POLICIES}${uuid}/`, change));
      expect(await names()).toEqual(event === null ? [] : [`access-policy.${event}.v1`]);
      expect(await history()).toBe(before + (event === null ? 0 : 1));
      // The same again is no change.
      await ok(call('PATCH', `${POLICIES}${uuid}/`, change));
      expect(await names()).toEqual([]);
    });

    test('deactivated: deleted once; activated again: updated', async () => {
      const { uuid } = await ok(create(), 201);
      await said();
      await ok(call('DELETE', `${POLICIES}${uuid}/`));
      await ok(call('DELETE', `${POLICIES}${uuid}/`));
      const payload = { uuid, active: false, subsidy_uuid: body.subsidy_uuid, access_method: 'direct' };
      expect(await said()).toEqual([['access-policy.deleted.v1', payload]]);
      await ok(call('PATCH', `${POLICIES}${uuid}/`, { active: true }));
      expect(await said()).toEqual([['access-policy.updated.v1', { ...payload, active: true }]]);
    });

    test('late redemption by its own operation: a change publishes an event, a repeat does not', async () => {
      const { uuid } = await ok(create(), 201);
      await said();
      const set = (days: number | null) => ok(call('POST', `${POLICIES}${uuid}/late-redemption/`, { days }));
      await set(null);
      expect(await names()).toEqual([]);
      await set(3);
      await set(3);
      await set(null);
      expect(await names()).toEqual(['access-policy.updated.v1', 'access-policy.updated.v1']);
    });

    test.each([
      ['with a limit: updated, with the deposit repeated: once', 1_000, ['access-policy.updated.v1']],
      ['without a limit: the policy stays as it is', null, []],
    ])('deposit %s', async (_what, spend_limit, events) => {
      const { uuid } = await ok(create({ spend_limit }), 201);
      await said();
      const deposit = { quantity_cents: 500, sales_contract_reference_id: '00kDEMO0000000009A' };
      const headers = { 'idempotency-key': randomUUID() };
      for (let time = 0; time < 2; time += 1) {
        const made = await world.call('POST', `${POLICIES}${uuid}/deposit/`, operatorToken(), deposit, headers);
        expect(made.status, JSON.stringify(made.body)).toBeLessThan(300);
      }
      // Deposits themselves have no learner and are not announced.
      expect(await names()).toEqual(events);
    });
  });

  describe('a redemption', () => {
    const REDEEMED = ['subsidy_ledger_transaction.created.v1', 'subsidy_ledger_transaction.committed.v1'];
    const FAILED = ['subsidy_ledger_transaction.created.v1', 'subsidy_ledger_transaction.failed.v1'];
    const REVERSED = ['subsidy.redemption-reversed.v1', 'subsidy_ledger_transaction.reversed.v1'];
    let budget: Awaited<ReturnType<typeof newBudget>>;
    const redeem = (key = run) => redeemAs(world, budget.policy, budget.customer, 1, key);
    beforeEach(async () => {
      budget = await newBudget(world);
      world.world.enrollmentFault = null;
      await said();
    });

    test('a redeem publishes created, committed and redeemed, each once; a replay publishes nothing', async () => {
      const made = await ok(redeem());
      const all = await said();
      expect(all.map(([name]) => name)).toEqual([...REDEEMED, 'subsidy.redeemed.v1']);
      const [created, committed, redeemed] = all.map(([, payload]) => payload);
      const entry = {
        uuid: made.uuid,
        quantity: -14_900,
        lms_user_id: 1,
        content_key: run,
        subsidy_access_policy_uuid: budget.policy,
      };
      expect(created).toMatchObject({ ledger_transaction: { ...entry, state: 'created', reversal: null } });
      expect(committed).toMatchObject({
        ledger_transaction: { ...entry, state: 'committed', fulfillment_identifier: made.fulfillment_identifier },
      });
      expect(redeemed).toEqual({ enterprise_uuid: budget.customer, content_key: run, lms_user_id: 1 });
      await ok(redeem());
      await Promise.all(Array.from({ length: 5 }, () => ok(redeem())));
      expect(await said()).toEqual([]);
    });

    test('refused before anything was taken: nothing', async () => {
      await ok(redeem(newCourse(world, { priceCents: 2_000_000 })), 422);
      expect(await said()).toEqual([]);
    });

    test('refused by the LMS: created and failed', async () => {
      world.world.enrollmentFault = () => Promise.reject(new UpstreamRefusal('lms', 409, {}));
      await ok(redeem(), 422);
      expect(await names()).toEqual(FAILED);
    });

    test('unanswered: created, and the rest when it is known', async () => {
      world.world.enrollmentFault = () => Promise.reject(new UpstreamFailure('lms', 'did not answer'));
      expect((await ok(redeem())).state).toBe('pending');
      expect(await names()).toEqual(REDEEMED.slice(0, 1));
      world.world.enrollmentFault = null;
      await reconcile(world.runtime, { olderThanMs: -1 });
      await reconcile(world.runtime, { olderThanMs: -1 });
      expect(await names()).toEqual([...REDEEMED.slice(1), 'subsidy.redeemed.v1']);
    });

    test('a reversal publishes both events once, even if it is repeated', async () => {
      const made = await ok(redeem());
      await said();
      for (let time = 0; time < 3; time += 1) await ok(reverseIn(world, budget.subsidy, made.uuid), 200, 201);
      const all = await said();
      expect(all.map(([name]) => name).toSorted()).toEqual(REVERSED);
      expect(all.find(([name]) => name === REVERSED[1])?.[1]).toMatchObject({
        ledger_transaction: { uuid: made.uuid, state: 'committed', reversal: { quantity: 14_900, state: 'committed' } },
      });
    });

    test('redeemed again after a reversal: all of it again', async () => {
      const made = await ok(redeem());
      await ok(reverseIn(world, budget.subsidy, made.uuid), 200, 201);
      await said();
      await ok(redeem());
      expect(await names()).toEqual([...REDEEMED, 'subsidy.redeemed.v1']);
    });

    test('forced: as any other', async () => {
      const body = { lms_user_id: 1, content_key: run, content_price_cents: 0 };
      await ok(call('POST', `/api/v1/policy-redemption/${budget.policy}/force/`, body), 200, 201);
      expect(await names()).toEqual([...REDEEMED, 'subsidy.redeemed.v1']);
    });

    test('past all policies: the ledger speaks alone', async () => {
      const body = {
        lms_user_id: 1,
        content_key: run,
        idempotency_key: randomUUID(),
        subsidy_access_policy_uuid: randomUUID(),
        metadata: null,
      };
      await ok(call('POST', `/api/v2/subsidies/${budget.subsidy}/admin/transactions/`, body), 201);
      expect(await names()).toEqual(REDEEMED);
    });
  });

  test('what is not stored is not announced, and what cannot be announced is not stored', async () => {
    const { customer, policy, subsidy } = await newBudget(world);
    await said();
    const books = async () => ({
      policy: await world.db('policies').where({ uuid: policy }).first('spent_cents', 'display_name', 'active'),
      redemptions: await world.db('redemptions').where({ policy_uuid: policy }),
      balance: await world
        .db('ledgers')
        .where({ idempotency_key: `ledger-for-subsidy-${subsidy}` })
        .first(),
      policies: Number((await world.db('policies').count({ n: '*' }).first())?.n),
    });
    const before = await books();
    await world.db.schema.renameTable('outbox', 'outbox_away');
    try {
      const creation = {
        policy_type: 'PerLearnerSpendCreditAccessPolicy',
        enterprise_customer_uuid: customer,
        subsidy_uuid: subsidy,
        catalog_uuid: randomUUID(),
        access_method: 'direct',
      };
      await ok(call('POST', POLICIES, creation), 500);
      await ok(call('PATCH', `${POLICIES}${policy}/`, { display_name: 'New' }), 500);
      await ok(call('DELETE', `${POLICIES}${policy}/`), 500);
      await ok(redeemAs(world, policy, customer, 1), 500);
      expect(await books()).toEqual(before);
    } finally {
      await world.db.schema.renameTable('outbox_away', 'outbox');
    }
    expect(await said()).toEqual([]);
    const made = await ok(redeemAs(world, policy, customer, 1));
    await said();
    const spent = await books();
    await world.db.schema.renameTable('outbox', 'outbox_away');
    try {
      await ok(reverseIn(world, subsidy, made.uuid), 500);
      expect(await books()).toEqual(spent);
    } finally {
      await world.db.schema.renameTable('outbox_away', 'outbox');
    }
    await ok(reverseIn(world, subsidy, made.uuid), 200, 201);
    expect(await names()).toHaveLength(2);
  });

  test('subsidies and deposits publish no events, because they have no learner', async () => {
    const customer = newCustomer(world);
    const subsidy = await newSubsidy(world, { customer });
    const deposit = {
      idempotency_key: randomUUID(),
      desired_deposit_quantity: 500,
      sales_contract_reference_id: randomUUID(),
      sales_contract_reference_provider: 'salesforce_opportunity_line_item',
    };
    await ok(call('POST', `/api/v2/subsidies/${subsidy}/admin/deposits/`, deposit), 201);
    await ok(call('PATCH', `${SUBSIDIES}${subsidy}/`, { title: 'New' }), 200);
    expect(await said()).toEqual([]);
  });
});
