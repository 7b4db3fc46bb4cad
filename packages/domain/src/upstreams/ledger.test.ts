import { type Dialect, transaction } from '@enterprise-access/db';
import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Actor } from '../kernel/actor.ts';
import { newUuid } from '../kernel/ids.ts';
import { isStanding, type Ledger, LedgerRefusal, type Settlement, type Spend } from '../kernel/ports/ledger.ts';
import { UpstreamFailure } from '../kernel/ports/upstream.ts';
import { embeddedLedger } from '../ledger/embedded.ts';
import { storedReservations } from '../ledger/reservations.ts';
import { reverseTransaction } from '../subsidies/reverse.ts';
import { createSubsidy } from '../subsidies/service.ts';
import { httpLms } from './lms.ts';
import { httpLedger } from './subsidy.ts';
import { clientOf, control, noCache } from './testing.ts';

const CUSTOMER = '11111111-1111-4111-8111-111111111111';
const [POLICY, OTHER_POLICY] = ['aaaaaaaa-0000-4000-8000-000000000000', 'bbbbbbbb-0000-4000-8000-000000000000'];
const UNKNOWN = '99999999-9999-4999-8999-999999999999';
const DEMO = 'course-v1:edX+DemoX+2T2026';
const CENTS = 'course-v1:edX+CentsX+2T2026';
const DATA = 'course-v1:edX+DataX+2T2026';
const PRICE = 14_900;
/** His address makes the LMS refuse. */
const REFUSED_LEARNER = 99;
const FROM = new Date('2020-01-01T00:00:00Z');
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Rolls back what was held. */
class Insufficient extends Error {}

interface World {
  readonly ledger: Ledger;
  readonly sandbox: Sandbox;
  readonly database: TestDatabase;
  readonly clock: () => Date;
  /** A minute passes. */
  tick(): void;
  newSubsidy(balanceCents: number, until?: Date): Promise<string>;
  reverse(transactionUuid: string): Promise<void>;
  /** The request with which a spend reaches the world outside. */
  readonly spending: { readonly method: string; readonly path: string };
}

async function startWorld(dialect: Dialect) {
  let now = new Date('2026-06-01T12:00:00Z');
  const clock = () => now;
  const sandbox = await startSandbox({ now: clock });
  await control(sandbox, 'PUT', '/control/learners', {
    lmsUserId: REFUSED_LEARNER,
    customerUuid: CUSTOMER,
    email: 'fail@demo.example',
  });
  const database = await createTestDatabase(inject('servers'), dialect, 20);
  const tick = () => {
    now = new Date(now.getTime() + 60_000);
  };
  return { sandbox, database, clock, tick };
}

async function embedded(dialect: Dialect): Promise<World> {
  const base = await startWorld(dialect);
  const { clock, database, sandbox } = base;
  const deps = { db: database.db, clock, lms: httpLms(clientOf(sandbox, 'lms'), noCache), log: silent };
  const operator: Actor = {
    userId: 1,
    username: 'operator',
    lmsUserId: null,
    isStaff: true,
    isSuperuser: true,
    grants: [],
  };
  return {
    ...base,
    ledger: embeddedLedger(deps),
    async newSubsidy(defaultStartingBalance, until = new Date('2099-01-01T00:00:00Z')) {
      const { subsidy } = await createSubsidy(deps, operator, {
        referenceId: newUuid(),
        defaultTitle: 'Test',
        defaultEnterpriseCustomerUuid: CUSTOMER,
        defaultActiveDatetime: FROM,
        defaultExpirationDatetime: until,
        defaultUnit: 'usd_cents',
        defaultStartingBalance,
        defaultRevenueCategory: 'bulk-enrollment-prepay',
        defaultInternalOnly: true,
      });
      return subsidy.uuid;
    },
    async reverse(transactionUuid) {
      await reverseTransaction(deps, { transactionUuid, idempotencyKey: `reverse-${transactionUuid}`, metadata: null });
    },
    spending: {
      method: 'POST',
      path: `/lms/enterprise/api/v1/enterprise-customer/${CUSTOMER}/enroll_learners_in_courses/`,
    },
  };
}

async function remote(dialect: Dialect): Promise<World> {
  const base = await startWorld(dialect);
  const { sandbox } = base;
  return {
    ...base,
    ledger: httpLedger(clientOf(sandbox, 'subsidy'), noCache, storedReservations(base.database.db)),
    async newSubsidy(balanceCents, until = new Date('2099-01-01T00:00:00Z')) {
      const made = await control(sandbox, 'POST', '/subsidy/api/v1/subsidies/', {
        reference_id: newUuid(),
        default_title: 'Test',
        default_enterprise_customer_uuid: CUSTOMER,
        default_active_datetime: FROM.toISOString(),
        default_expiration_datetime: until.toISOString(),
        default_unit: 'usd_cents',
        default_starting_balance: balanceCents,
        default_revenue_category: 'bulk-enrollment-prepay',
        default_internal_only: true,
      });
      return (made as { uuid: string }).uuid;
    },
    async reverse(transactionUuid) {
      await control(sandbox, 'POST', '/control/reversals', { transactionUuid });
    },
    spending: { method: 'POST', path: '/subsidy/api/v2/subsidies/.*/admin/transactions/$' },
  };
}

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
const implementations: [string, () => Promise<World>][] = [
  ...dialects.map((dialect): [string, () => Promise<World>] => [
    `our own ledger on ${dialect}`,
    () => embedded(dialect),
  ]),
  ['the ledger of a subsidy service', () => remote('postgres')],
];

describe.each(implementations)('%s', (_name, start) => {
  let world: World;
  beforeAll(async () => {
    world = await start();
  });
  afterEach(() => control(world.sandbox, 'DELETE', '/control/faults'));
  afterAll(async () => {
    await world.sandbox.close();
    await world.database.drop();
  });

  const intent = (subsidyUuid: string, lmsUserId: number, change: Partial<Spend> = {}): Spend => {
    const uuid = newUuid();
    return {
      uuid,
      idempotencyKey: `spend-${uuid}`,
      subsidyUuid,
      policyUuid: POLICY,
      enterpriseCustomerUuid: CUSTOMER,
      lmsUserId,
      contentKey: DEMO,
      priceCents: PRICE,
      requestedPriceCents: null,
      metadata: null,
      assignmentUuid: null,
      content: {
        lmsUserEmail: `learner-${lmsUserId}@demo.example`,
        parentContentKey: 'edX+DemoX',
        title: 'Demonstration Course',
        courseRunStartDate: null,
      },
      created: world.clock(),
      ...change,
    };
  };

  /** The second half of a spend, as redemptions do it: safe to repeat. */
  async function finish(spend: Spend): Promise<Settlement> {
    const settlement = await world.ledger.settle(spend);
    await transaction(world.database.db, (trx) => world.ledger.record(trx, spend, settlement, world.clock()));
    return settlement;
  }

  /** All of it; value that cannot be held is as much a refusal as any other, and leaves nothing behind. */
  async function spendOnce(spend: Spend): Promise<Settlement['outcome']> {
    try {
      await transaction(world.database.db, async (trx) => {
        if (await world.ledger.hold(trx, spend)) throw new Insufficient();
      });
    } catch (error) {
      if (error instanceof Insufficient) return 'refused';
      throw error;
    }
    return (await finish(spend)).outcome;
  }

  const balanceOf = async (uuid: string) => (await world.ledger.subsidies([uuid])).get(uuid)?.balanceCents;
  const historyOf = (uuid: string, lmsUserId: number, contentKeys = [DEMO]) =>
    world.ledger.transactions({ subsidyUuids: [uuid], lmsUserId, contentKeys });
  const enrollmentsOf = (lmsUserId: number) =>
    [...world.sandbox.state.lms.enrolmentsByFulfilment.values()].filter((each) => each.lmsUserId === lmsUserId);

  test('a subsidy has an owner, a window, a balance and deposits', async () => {
    const until = new Date('2030-01-01T00:00:00Z');
    const uuid = await world.newSubsidy(50_000, until);
    expect((await world.ledger.subsidies([uuid, uuid])).get(uuid)).toEqual({
      uuid,
      enterpriseCustomerUuid: CUSTOMER,
      activeDatetime: FROM,
      expirationDatetime: until,
      balanceCents: 50_000,
      reservedCents: 0,
      depositsCents: 50_000,
    });
  });

  test('what is held for assignments is held once, given back, and taken by the assignment’s own redemption', async () => {
    const uuid = await world.newSubsidy(2 * PRICE);
    const { db } = world.database;
    const subsidy = async () => {
      const found = (await world.ledger.subsidies([uuid])).get(uuid);
      if (!found) throw new Error('The subsidy is gone.');
      return found;
    };
    const hold = async (cents: number) => {
      const found = await subsidy();
      return transaction(db, (trx) => world.ledger.reserve(trx, found, cents));
    };
    expect(await hold(PRICE)).toBeNull();
    expect(await hold(PRICE + 1)).toBe('insufficient');
    expect(await hold(PRICE)).toBeNull();
    expect(await subsidy()).toMatchObject({ balanceCents: 2 * PRICE, reservedCents: 2 * PRICE });
    await transaction(db, (trx) => world.ledger.release(trx, uuid, PRICE));
    expect((await subsidy()).reservedCents).toBe(PRICE);
    const assignmentUuid = newUuid();
    expect(await spendOnce(intent(uuid, 1000, { assignmentUuid, requestedPriceCents: PRICE }))).toBe('committed');
    expect(await subsidy()).toMatchObject({ balanceCents: PRICE, reservedCents: 0 });
  });

  test('of a subsidy that does not exist there is nothing', async () => {
    const known = await world.newSubsidy(50_000);
    expect([...(await world.ledger.subsidies([UNKNOWN, known])).keys()]).toEqual([known]);
    expect(await historyOf(UNKNOWN, 1000)).toEqual([]);
    expect(await world.ledger.enrollmentCounts(UNKNOWN, POLICY)).toEqual(new Map());
    expect(await world.ledger.subsidies([])).toEqual(new Map());
  });

  test('a spend takes the price, enrols the learner and can be read', async () => {
    const uuid = await world.newSubsidy(50_000);
    const spend = intent(uuid, 1001, { metadata: { note: 'kept' } });
    expect(await spendOnce(spend)).toBe('committed');
    const [enrollment] = enrollmentsOf(1001);
    expect(await balanceOf(uuid)).toBe(50_000 - PRICE);
    expect(await historyOf(uuid, 1001)).toMatchObject([
      {
        state: 'committed',
        idempotencyKey: spend.idempotencyKey,
        subsidyUuid: uuid,
        subsidyAccessPolicyUuid: POLICY,
        lmsUserId: 1001,
        lmsUserEmail: 'learner-1001@demo.example',
        contentKey: DEMO,
        parentContentKey: 'edX+DemoX',
        contentTitle: 'Demonstration Course',
        quantityCents: -PRICE,
        fulfillmentIdentifier: enrollment?.fulfilmentUuid,
        metadata: { note: 'kept' },
        reversal: null,
      },
    ]);
  });

  test('a spend repeated under its key is the first one', async () => {
    const uuid = await world.newSubsidy(50_000);
    const spend = intent(uuid, 1002);
    expect(await spendOnce(spend)).toBe('committed');
    const [first] = await historyOf(uuid, 1002);
    expect(await finish(spend)).toMatchObject({ outcome: 'committed', transactionUuid: first?.uuid });
    expect(await finish(spend)).toMatchObject({ fulfillmentIdentifier: first?.fulfillmentIdentifier });
    expect(await historyOf(uuid, 1002)).toEqual([first]);
    expect(await balanceOf(uuid)).toBe(50_000 - PRICE);
    expect(enrollmentsOf(1002)).toHaveLength(1);
  });

  test.each([
    ['one cent short', PRICE - 1, 'refused', PRICE - 1],
    ['exactly enough', PRICE, 'committed', 0],
  ])('%s', async (_case, balance, outcome, left) => {
    const uuid = await world.newSubsidy(balance);
    const learner = balance === PRICE ? 1003 : 1004;
    expect(await spendOnce(intent(uuid, learner))).toBe(outcome);
    expect(await balanceOf(uuid)).toBe(left);
    expect(enrollmentsOf(learner)).toHaveLength(outcome === 'committed' ? 1 : 0);
  });

  test('an enrolment that the LMS refuses gives the value back', async () => {
    const uuid = await world.newSubsidy(50_000);
    const spend = intent(uuid, REFUSED_LEARNER);
    expect(await spendOnce(spend)).toBe('refused');
    expect(await balanceOf(uuid)).toBe(50_000);
    expect(await historyOf(uuid, REFUSED_LEARNER)).toMatchObject([{ state: 'failed', reversal: null }]);
    expect(await finish(spend)).toMatchObject({ outcome: 'refused', code: 'enrollment_error' });
    expect(await balanceOf(uuid)).toBe(50_000);
  });

  test.each([
    ['before anything was done', 1005, { status: 500 }],
    ['after everything was done', 1006, { loseReply: true }],
    ['with a page instead of a reply', 1007, { garbage: true }],
    ['because we are not let in', 1014, { status: 403 }],
  ])('silence %s is unknown, and a repeat finishes once', async (_case, learner, fault) => {
    const uuid = await world.newSubsidy(50_000);
    const spend = intent(uuid, learner);
    await control(world.sandbox, 'PUT', '/control/faults', { ...world.spending, ...fault });
    await expect(spendOnce(spend)).rejects.toThrow(UpstreamFailure);
    await expect(finish(spend)).rejects.toThrow(UpstreamFailure);
    expect((await historyOf(uuid, learner)).filter(({ state }) => state === 'failed')).toEqual([]);

    await control(world.sandbox, 'DELETE', '/control/faults');
    expect(await finish(spend)).toMatchObject({ outcome: 'committed' });
    expect(await finish(spend)).toMatchObject({ outcome: 'committed' });
    expect(await historyOf(uuid, learner)).toMatchObject([
      { state: 'committed', idempotencyKey: spend.idempotencyKey },
    ]);
    expect(await balanceOf(uuid)).toBe(50_000 - PRICE);
    expect(enrollmentsOf(learner)).toHaveLength(1);
  });

  test('twelve learners at once, value for five: five spend, and nothing is left or over', async () => {
    const uuid = await world.newSubsidy(5 * PRICE);
    const learners = Array.from({ length: 12 }, (_, index) => 1_020 + index);
    const outcomes = await Promise.all(learners.map((learner) => spendOnce(intent(uuid, learner))));
    expect(outcomes.toSorted()).toEqual([...Array(5).fill('committed'), ...Array(7).fill('refused')]);
    expect(await balanceOf(uuid)).toBe(0);
    expect(learners.flatMap(enrollmentsOf)).toHaveLength(5);
  });

  test('a deposit is made once per key', async () => {
    const uuid = await world.newSubsidy(1_000);
    const deposit = {
      subsidyUuid: uuid,
      quantityCents: 500,
      salesContractReferenceId: '00kDEMO0000000009A',
      idempotencyKey: `deposit-${uuid}`,
    };
    await world.ledger.deposit(deposit);
    await world.ledger.deposit(deposit);
    expect(await balanceOf(uuid)).toBe(1_500);
    await world.ledger.deposit({ ...deposit, idempotencyKey: `another-${uuid}` });
    expect((await world.ledger.subsidies([uuid])).get(uuid)).toMatchObject({
      balanceCents: 2_000,
      depositsCents: 2_000,
    });
  });

  test.each([
    ['a subsidy that has ended', 'deposit_on_expired_subsidy', () => world.newSubsidy(1_000, FROM)],
    ['a subsidy that does not exist', 'subsidy_not_found', async () => UNKNOWN],
  ])('a deposit into %s is refused', async (_case, code, subsidy) => {
    const deposit = { quantityCents: 500, salesContractReferenceId: '00k', idempotencyKey: newUuid() };
    const refused = world.ledger.deposit({ ...deposit, subsidyUuid: await subsidy() });
    await expect(refused).rejects.toThrow(LedgerRefusal);
    await expect(refused).rejects.toMatchObject({ code });
  });

  test('standing enrollments are counted per learner and policy', async () => {
    const uuid = await world.newSubsidy(200_000);
    await spendOnce(intent(uuid, 1008));
    await spendOnce(intent(uuid, 1008, { contentKey: DATA, priceCents: 9_900 }));
    await spendOnce(intent(uuid, 1009));
    await spendOnce(intent(uuid, 1010, { policyUuid: OTHER_POLICY }));
    await spendOnce(intent(uuid, REFUSED_LEARNER));
    expect(await world.ledger.enrollmentCounts(uuid, POLICY)).toEqual(
      new Map([
        [1008, 2],
        [1009, 1],
      ]),
    );
    const [made] = await historyOf(uuid, 1008);
    await world.reverse(made?.uuid ?? '');
    expect((await world.ledger.enrollmentCounts(uuid, POLICY)).get(1008)).toBe(1);
    expect(await world.ledger.enrollmentCounts(uuid, OTHER_POLICY)).toEqual(new Map([[1010, 1]]));
  });

  test('a policy’s spend is the sum of its pending and committed redemptions', async () => {
    const uuid = await world.newSubsidy(200_000);
    const spent = () => world.ledger.spentCents(uuid, POLICY);
    expect(await spent()).toBe(0);
    await spendOnce(intent(uuid, 1015));
    await spendOnce(intent(uuid, 1016, { contentKey: DATA, priceCents: 9_900 }));
    await spendOnce(intent(uuid, 1017, { policyUuid: OTHER_POLICY }));
    await spendOnce(intent(uuid, REFUSED_LEARNER));
    expect(await spent()).toBe(PRICE + 9_900);
    const [made] = await historyOf(uuid, 1015);
    await world.reverse(made?.uuid ?? '');
    expect(await spent()).toBe(9_900);
    expect(await world.ledger.spentCents(UNKNOWN, POLICY)).toBe(0);
  });

  test('transactions are sorted oldest first, for the requested content and subsidies', async () => {
    const [first, second] = [await world.newSubsidy(200_000), await world.newSubsidy(200_000)];
    const made = [
      intent(first, 1011),
      intent(second, 1011, { contentKey: CENTS, priceCents: 1_999 }),
      intent(first, 1011, { contentKey: DATA, priceCents: 9_900 }),
      intent(first, 1011, { contentKey: CENTS, priceCents: 1_999 }),
    ];
    for (const spend of made) {
      world.tick();
      await spendOnce(spend);
    }
    await spendOnce(intent(first, 1012));
    const keysOf = async (contentKeys: string[], subsidyUuids = [second, first]) =>
      (await world.ledger.transactions({ subsidyUuids, lmsUserId: 1011, contentKeys })).map(
        ({ idempotencyKey }) => idempotencyKey,
      );
    const [demo, cents, data, again] = made.map(({ idempotencyKey }) => idempotencyKey);
    expect(await keysOf([DATA, CENTS, DEMO])).toEqual([demo, cents, data, again]);
    expect(await keysOf([CENTS])).toEqual([cents, again]);
    expect(await keysOf([CENTS, DATA], [first])).toEqual([data, again]);
    expect(await keysOf([])).toEqual([]);
  });

  test('a reversal is seen on its transaction, and its value is back', async () => {
    const uuid = await world.newSubsidy(50_000);
    await spendOnce(intent(uuid, 1013));
    const [before] = await historyOf(uuid, 1013);
    expect(before && isStanding(before)).toBe(true);
    world.tick();
    await world.reverse(before?.uuid ?? '');
    const [after] = await historyOf(uuid, 1013);
    expect(after).toMatchObject({
      uuid: before?.uuid,
      state: 'committed',
      quantityCents: -PRICE,
      reversal: { state: 'committed', quantityCents: PRICE, created: world.clock() },
    });
    expect(after && isStanding(after)).toBe(false);
    expect(await balanceOf(uuid)).toBe(50_000);
    expect(enrollmentsOf(1013)).toMatchObject([{ cancelled: true }]);

    world.tick();
    const again = intent(uuid, 1013);
    expect(await spendOnce(again)).toBe('committed');
    expect((await historyOf(uuid, 1013)).map(isStanding)).toEqual([false, true]);
  });
});
