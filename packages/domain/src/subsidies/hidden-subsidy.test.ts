import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { auditBooks } from '../books/index.ts';
import { newUuid } from '../kernel/ids.ts';
import { UpstreamFailure } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { reconcile } from '../redemptions/index.ts';
import { contentWith, emptyWorld, operator, testRuntime, type World } from '../testing.ts';
import { createSubsidy, deleteSubsidy } from './service.ts';
import { createTransaction, reconcileTransactions } from './spend.ts';

const CUSTOMER = '11111111-1111-4111-8111-111111111111';
const RUN = 'course-v1:edX+DemoX+2T2026';
const silence = async () => {
  throw new UpstreamFailure('lms', 'did not answer');
};

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

describe.each(dialects)('a subsidy that is hidden while value of it is in flight, on %s', (dialect) => {
  let database: TestDatabase;
  let world: World;
  let runtime: Runtime;
  let subsidy: string;
  beforeAll(async () => {
    database = await createTestDatabase(inject('servers'), dialect);
    world = emptyWorld();
    world.contents.set(RUN, contentWith({}));
    for (const lmsUserId of [1, 2])
      world.learners.set(`${CUSTOMER}:${lmsUserId}`, { lmsUserId, email: 'a@demo.example', groupUuids: [] });
    runtime = testRuntime(database.db, world);
    const made = await createSubsidy(runtime, operator, {
      referenceId: newUuid(),
      defaultTitle: 'Test',
      defaultEnterpriseCustomerUuid: CUSTOMER,
      defaultActiveDatetime: new Date('2020-01-01T00:00:00Z'),
      defaultExpirationDatetime: new Date('2099-01-01T00:00:00Z'),
      defaultUnit: 'usd_cents',
      defaultStartingBalance: 100_000,
      defaultRevenueCategory: 'bulk-enrollment-prepay',
      defaultInternalOnly: true,
    });
    subsidy = made.subsidy.uuid;
  });
  afterAll(() => database.drop());

  const newPolicy = async () => {
    const uuid = newUuid();
    await database.db('policies').insert({
      uuid,
      policy_type: 'PerLearnerSpendCreditAccessPolicy',
      enterprise_customer_uuid: CUSTOMER,
      description: '',
      active: true,
      retired: false,
      catalog_uuid: newUuid(),
      subsidy_uuid: subsidy,
      access_method: 'direct',
      created: world.now,
      modified: world.now,
    });
    return uuid;
  };
  const spendThrough = (subsidyAccessPolicyUuid: string, lmsUserId: number) =>
    createTransaction(runtime, {
      uuid: subsidy,
      lmsUserId,
      contentKey: RUN,
      subsidyAccessPolicyUuid,
      metadata: null,
      idempotencyKey: null,
      requestedPriceCents: null,
    });

  test('a redemption, and a spend without one of our policies, are both completed', async () => {
    const policy = await newPolicy();
    world.enrollmentFault = silence;
    for (const [through, learner] of [
      [policy, 1],
      [newUuid(), 2],
    ] as const) {
      await expect(spendThrough(through, learner)).rejects.toMatchObject({ spec: { code: 'transaction_pending' } });
    }
    world.enrollmentFault = null;
    await deleteSubsidy(runtime, subsidy);
    // A process that has not seen the subsidy before.
    const fresh = testRuntime(database.db, world);
    expect(await reconcile(fresh, { olderThanMs: -1 })).toEqual({ found: 1, open: 0 });
    expect(await reconcileTransactions(fresh, { olderThanMs: -1 })).toEqual({ found: 1, open: 0 });
    const states = await database.db('ledger_transactions').whereNotNull('lms_user_id').select('state');
    expect(states).toEqual([{ state: 'committed' }, { state: 'committed' }]);
    expect(await auditBooks(database.db)).toEqual([]);
  });
});
