import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { newUuid } from '../kernel/ids.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { contentWith, emptyWorld, operator, testRuntime, type World } from '../testing.ts';
import { createSubsidy, reverse } from './service.ts';
import { createTransaction } from './spend.ts';
import { reconcileUnenrolments } from './unenrol.ts';

const CUSTOMER = '11111111-1111-4111-8111-111111111111';
const RUN = 'course-v1:edX+DemoX+2T2026';
const LEARNER = 1000;
const silence = async () => {
  throw new UpstreamFailure('lms', 'did not answer');
};

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

describe.each(dialects)('the enrolment behind a reversed transaction, on %s', (dialect) => {
  let database: TestDatabase;
  let world: World;
  let runtime: Runtime;
  let subsidy: string;
  beforeAll(async () => {
    database = await createTestDatabase(inject('servers'), dialect);
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    world = emptyWorld();
    world.contents.set(RUN, contentWith({}));
    world.learners.set(`${CUSTOMER}:${LEARNER}`, { lmsUserId: LEARNER, email: 'a@demo.example', groupUuids: [] });
    runtime = testRuntime(database.db, world);
    await database.db('ledger_reversals').whereNull('unenrolled').update({ unenrolled: world.now });
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

  const spend = async () => {
    const { transaction } = await createTransaction(runtime, {
      uuid: subsidy,
      lmsUserId: LEARNER,
      contentKey: RUN,
      subsidyAccessPolicyUuid: newUuid(),
      metadata: null,
      idempotencyKey: null,
      requestedPriceCents: null,
    });
    return transaction;
  };
  const reverseIt = (transactionUuid: string) =>
    reverse(runtime, { uuid: subsidy, transactionUuid, metadata: null, idempotencyKey: null });
  /** Everything that is open, however new. */
  const reconcile = () => reconcileUnenrolments(runtime, { olderThanMs: -1 });

  test('ends with the reversal, after it is stored', async () => {
    const made = await spend();
    let stored: unknown;
    world.cancellationFault = async () => {
      stored = await database.db('ledger_reversals').where({ transaction_uuid: made.uuid }).first('unenrolled');
    };
    expect(await reverseIt(made.uuid)).toMatchObject({ reversal: { state: 'committed' } });
    expect(stored).toEqual({ unenrolled: null });
    expect([...world.cancelled]).toEqual([made.fulfillmentIdentifier]);
    expect(await reconcile()).toEqual({ found: 0, open: 0 });
  });

  test.each([
    ['is silent', silence],
    [
      'does not let us ask',
      async () => {
        throw new UpstreamRefusal('lms', 403, null);
      },
    ],
  ])('is not forgotten when the LMS %s, and the value is back all the same', async (_what, fault) => {
    const made = await spend();
    world.cancellationFault = fault;
    const reversed = await reverseIt(made.uuid);
    expect(reversed).toMatchObject({ state: 'committed', reversal: { quantity: 14_900 } });
    expect((await runtime.ledger.subsidies([subsidy])).get(subsidy)?.balanceCents).toBe(100_000);
    expect(await reconcile()).toEqual({ found: 1, open: 1 });

    world.cancellationFault = null;
    expect(await reconcile()).toEqual({ found: 1, open: 0 });
    expect([...world.cancelled]).toEqual([made.fulfillmentIdentifier]);
    expect(await reconcile()).toEqual({ found: 0, open: 0 });
  });

  test('is left alone while the request that reversed may be at work', async () => {
    const made = await spend();
    world.cancellationFault = silence;
    await reverseIt(made.uuid);
    expect(await reconcileUnenrolments(runtime)).toEqual({ found: 0, open: 0 });
    world.now = new Date(world.now.getTime() + 60_001);
    expect(await reconcileUnenrolments(runtime)).toEqual({ found: 1, open: 1 });
  });

  test('is retried by a repeat of the reversal, and not after that', async () => {
    const made = await spend();
    world.cancellationFault = silence;
    const first = await reverseIt(made.uuid);
    let asked = 0;
    world.cancellationFault = async () => {
      asked += 1;
    };
    expect(await reverseIt(made.uuid)).toEqual(first);
    expect(await reverseIt(made.uuid)).toEqual(first);
    expect(asked).toBe(1);
  });

  test('that the LMS does not know is done with', async () => {
    const made = await spend();
    world.enrollments.clear();
    await reverseIt(made.uuid);
    expect(await reconcile()).toEqual({ found: 0, open: 0 });
  });

  test('that has no fulfilment needs no LMS', async () => {
    const made = await spend();
    await database.db('ledger_transactions').where({ uuid: made.uuid }).update({ fulfillment_identifier: null });
    world.cancellationFault = silence;
    await reverseIt(made.uuid);
    expect(await reconcile()).toEqual({ found: 0, open: 0 });
  });

  test('an enrollment that the learner has paid for again continues', async () => {
    const made = await spend();
    world.cancellationFault = silence;
    await reverseIt(made.uuid);
    const again = await spend();
    expect(again.uuid).not.toBe(made.uuid);
    world.cancellationFault = null;
    expect(await reconcile()).toEqual({ found: 1, open: 0 });
    expect([...world.cancelled]).toEqual([]);
  });
});
