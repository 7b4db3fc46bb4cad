import { RowNotChanged, type Transaction, transaction } from '@enterprise-access/db';
import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { newUuid } from '../kernel/ids.ts';
import { depositEntry } from '../ledger/deposits.ts';
import { embeddedLedger, insertDeposit, storedReservations } from '../ledger/index.ts';
import { emptyWorld, testRuntime } from '../testing.ts';
import {
  adjustBudget,
  adjustShare,
  allocateBudget,
  deallocateBudget,
  releaseBudget,
  releaseShare,
  reserveBudget,
  reserveShare,
} from './budget.ts';

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
const CUSTOMER = newUuid();
const NOW = new Date('2026-06-01T12:00:00Z');
const LEARNER = 1;
const noLimits = {
  perLearnerEnrollmentLimit: null,
  perLearnerSpendLimitCents: null,
  learnerCreditRequestConfigUuid: null,
};

describe.each(dialects)('budgets on %s', (dialect) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase(inject('servers'), dialect);
  });
  afterAll(() => database.drop());

  const within = <T>(work: (trx: Transaction) => Promise<T>): Promise<T> => transaction(database.db, work);

  async function newPolicy(limits: object = {}): Promise<string> {
    const uuid = newUuid();
    await database.db('policies').insert({
      uuid,
      policy_type: 'PerLearnerSpendCreditAccessPolicy',
      enterprise_customer_uuid: CUSTOMER,
      description: '',
      active: true,
      retired: false,
      catalog_uuid: newUuid(),
      subsidy_uuid: newUuid(),
      access_method: 'direct',
      created: NOW,
      modified: NOW,
      ...limits,
    });
    return uuid;
  }

  async function newLedger(): Promise<{ subsidy: string; ledger: string }> {
    const [subsidy, ledger] = [newUuid(), newUuid()];
    const stamps = { created: NOW, modified: NOW };
    await database.db('ledgers').insert({
      uuid: ledger,
      enterprise_customer_uuid: CUSTOMER,
      idempotency_key: ledger,
      unit: 'usd_cents',
      ...stamps,
    });
    await database.db('subsidies').insert({
      uuid: subsidy,
      ledger_uuid: ledger,
      starting_balance_cents: 0,
      unit: 'usd_cents',
      reference_type: 'salesforce_opportunity_line_item',
      enterprise_customer_uuid: CUSTOMER,
      internal_only: true,
      revenue_category: 'bulk-enrollment-prepay',
      is_soft_deleted: false,
      ...stamps,
    });
    return { subsidy, ledger };
  }

  const charge = (policyUuid: string, priceCents = 100) => ({
    policyUuid,
    enterpriseCustomerUuid: CUSTOMER,
    lmsUserId: LEARNER,
    priceCents,
    assignmentUuid: null,
  });

  test('what was reserved is released, to the cent', async () => {
    const policy = await newPolicy({ spend_limit_cents: 100 });
    await within(async (trx) => {
      expect(await reserveShare(trx, charge(policy), noLimits)).toBeNull();
      expect(await reserveBudget(trx, charge(policy), noLimits)).toBeNull();
    });
    await within(async (trx) => {
      await releaseShare(trx, charge(policy));
      await releaseBudget(trx, charge(policy));
    });
    expect(await database.db('policies').where({ uuid: policy }).first('spent_cents')).toEqual({ spent_cents: 0 });
    expect(
      await database
        .db('policy_learner_budgets')
        .where({ policy_uuid: policy })
        .first('spent_cents', 'redemption_count'),
    ).toEqual({ spent_cents: 0, redemption_count: 0 });
  });

  test('value that is free is released too', async () => {
    const policy = await newPolicy();
    await within((trx) => reserveShare(trx, charge(policy, 0), noLimits));
    await within(async (trx) => {
      await releaseShare(trx, charge(policy, 0));
      await releaseBudget(trx, charge(policy, 0));
      await deallocateBudget(trx, policy, 0);
    });
  });

  const releases: [string, (trx: Transaction, policy: string) => Promise<void>][] = [
    ['a budget', (trx, policy) => releaseBudget(trx, charge(policy))],
    ['a share', (trx, policy) => releaseShare(trx, charge(policy))],
    ['allocated value', (trx, policy) => deallocateBudget(trx, policy, 100)],
  ];

  test.each(releases)('%s that was not reserved is not released in silence', async (_what, release) => {
    const policy = await newPolicy();
    await expect(within((trx) => release(trx, policy))).rejects.toThrow(RowNotChanged);
    await expect(within((trx) => release(trx, newUuid()))).rejects.toThrow(RowNotChanged);
    expect(await database.db('policies').where({ uuid: policy }).first('spent_cents', 'allocated_cents')).toEqual({
      spent_cents: 0,
      allocated_cents: 0,
    });
  });

  test('an adjustment finds its rows or fails', async () => {
    const policy = await newPolicy();
    await expect(within((trx) => adjustShare(trx, charge(policy), 120))).rejects.toThrow(RowNotChanged);
    await expect(within((trx) => adjustBudget(trx, charge(newUuid()), 120))).rejects.toThrow(RowNotChanged);
    await within((trx) => reserveShare(trx, charge(policy), noLimits));
    await within((trx) => adjustShare(trx, charge(policy), 120));
    await within((trx) => adjustBudget(trx, charge(policy), 120));
    expect(await database.db('policies').where({ uuid: policy }).first('spent_cents')).toEqual({ spent_cents: 20 });
  });

  test('a release that changes no row fails instead of losing value in the ledger', async () => {
    const { subsidy } = await newLedger();
    const ledger = embeddedLedger(testRuntime(database.db, emptyWorld()));
    await expect(within((trx) => ledger.release(trx, subsidy, 1))).rejects.toThrow(RowNotChanged);
    const reservations = storedReservations(database.db);
    await expect(within((trx) => reservations.remove(trx, subsidy, 1))).rejects.toThrow(RowNotChanged);
    await within((trx) =>
      reservations.add(trx, { uuid: subsidy, enterpriseCustomerUuid: CUSTOMER, balanceCents: 10 }, 5),
    );
    await expect(within((trx) => reservations.remove(trx, subsidy, 6))).rejects.toThrow(RowNotChanged);
    await within((trx) => reservations.remove(trx, subsidy, 5));
  });

  test('a deposit into a ledger that is not there leaves no entry', async () => {
    const key = newUuid();
    const entry = {
      uuid: newUuid(),
      ledger: { ledgerUuid: newUuid(), enterpriseCustomerUuid: CUSTOMER },
      transaction: depositEntry(newUuid(), { subsidyUuid: newUuid(), quantityCents: 5, idempotencyKey: key }, NOW),
      salesContractReferenceId: null,
      providerSlug: null,
    };
    await expect(within((trx) => insertDeposit(trx, entry))).rejects.toThrow(RowNotChanged);
    expect(await database.db('ledger_transactions').where({ idempotency_key: key })).toEqual([]);
  });

  describe('limits per learner', () => {
    test.each([
      ['redemptions up to the limit', { perLearnerEnrollmentLimit: 1 }, 1, null],
      ['one redemption too many', { perLearnerEnrollmentLimit: 1 }, 2, 'learner_max_enrollments_reached'],
      ['value up to the limit', { perLearnerSpendLimitCents: 200 }, 2, null],
      ['a cent too much', { perLearnerSpendLimitCents: 199 }, 2, 'learner_max_spend_reached'],
      ['value of requests', { perLearnerSpendLimitCents: 0, learnerCreditRequestConfigUuid: newUuid() }, 2, null],
    ])('%s', async (_case, limits, times, refusal) => {
      const policy = await newPolicy();
      let last: string | null = null;
      for (let n = 0; n < times; n += 1)
        last = await within((trx) => reserveShare(trx, charge(policy), { ...noLimits, ...limits }));
      expect(last).toBe(refusal);
    });

    test('are values of the statement: it reads no other table', async () => {
      const statements: string[] = [];
      const note = ({ sql }: { sql: string }) => statements.push(sql);
      const policy = await newPolicy();
      database.db.on('query', note);
      await within((trx) => reserveShare(trx, charge(policy), { ...noLimits, perLearnerEnrollmentLimit: 1 }));
      database.db.off('query', note);
      expect(statements.filter((sql) => /policy_learner_budgets/.test(sql)).length).toBeGreaterThan(0);
      expect(statements.filter((sql) => /select|policies/.test(sql))).toEqual([]);
    });

    test.each([
      ['another limit of redemptions', { per_learner_enrollment_limit: 2 }],
      ['another limit of value', { per_learner_spend_limit_cents: 2 }],
      ['no limit any more', { per_learner_enrollment_limit: null }],
      ['requests', { learner_credit_request_config_uuid: newUuid() }],
    ])('the budget is not reserved once there is %s', async (_what, change) => {
      const policy = await newPolicy({ per_learner_enrollment_limit: 1 });
      const limits = { ...noLimits, perLearnerEnrollmentLimit: 1 };
      const result = await within(async (trx) => {
        expect(await reserveShare(trx, charge(policy), limits)).toBeNull();
        await database.db('policies').where({ uuid: policy }).update(change);
        return reserveBudget(trx, charge(policy), limits);
      });
      expect(result).toBe('limits_changed');
    });

    test('other refusals say what they are', async () => {
      const full = await newPolicy({ spend_limit_cents: 99 });
      expect(await within((trx) => reserveBudget(trx, charge(full), noLimits))).toBe('policy_spend_limit_reached');
      const retired = await newPolicy({ retired: true, per_learner_enrollment_limit: 1 });
      expect(await within((trx) => reserveBudget(trx, charge(retired), noLimits))).toBe('policy_expired');
      const taken = await newPolicy({ spend_limit_cents: 100 });
      const { subsidy_uuid: subsidyUuid } = await database.db('policies').where({ uuid: taken }).first('subsidy_uuid');
      expect(await within((trx) => allocateBudget(trx, { uuid: taken, subsidyUuid }, 1))).toBeNull();
      expect(await within((trx) => reserveBudget(trx, charge(taken), noLimits))).toBe('policy_spend_limit_reached');
    });
  });
});
