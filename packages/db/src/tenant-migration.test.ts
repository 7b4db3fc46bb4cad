import { describe, expect, inject, test } from 'vitest';
import { migrations } from '../migrations/index.ts';
import { migrate } from './migrate.ts';
import { createTestDatabase } from './testing.ts';

const servers = inject('servers');
const CUSTOMER = '22222222-2222-4222-8222-222222222222';
const LEDGER = '33333333-3333-4333-8333-333333333333';
const SUBSIDY = '55555555-5555-4555-8555-555555555555';
const NOBODY = '00000000-0000-0000-0000-000000000000';
const FILLED = [
  'ledgers',
  'ledger_transactions',
  'ledger_reversals',
  'policy_groups',
  'policy_learner_budgets',
  'policy_ceilings',
  'assignments',
  'assignment_actions',
  // What the histories became.
  'audit_entries',
  'audit_changes',
];
const uuid = (n: number): string => `10000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const ENTRY = '44444444-4444-4444-8444-444444444444';

describe.each(['postgres', 'mysql'] as const)('the customer of rows on %s', (dialect) => {
  test.skipIf('skipped' in servers[dialect])('is filled in for rows that were there before', async () => {
    const { db, drop } = await createTestDatabase(servers, dialect, 2, { migrated: false });
    try {
      const at = migrations.findIndex(({ name }) => name === '0009-tenant');
      await migrate(db, { migrations: migrations.slice(0, at) });
      const times = { created: new Date(), modified: new Date() };
      await db('ledgers').insert({ uuid: LEDGER, idempotency_key: 'l', unit: 'usd_cents', ...times });
      await db('subsidies').insert({
        uuid: SUBSIDY,
        starting_balance_cents: 0,
        ledger_uuid: LEDGER,
        unit: 'usd_cents',
        reference_type: 'other',
        enterprise_customer_uuid: CUSTOMER,
        revenue_category: 'other',
        ...times,
      });
      const entry = { uuid: ENTRY, ledger_uuid: LEDGER, idempotency_key: 't', quantity_cents: -1, state: 'committed' };
      await db('ledger_transactions').insert({ ...entry, ...times });
      await db('ledger_reversals').insert({
        uuid: '66666666-6666-4666-8666-666666666666',
        transaction_uuid: ENTRY,
        idempotency_key: 'r',
        quantity_cents: 1,
        state: 'committed',
        ...times,
      });
      const policy = uuid(1);
      await db('policies').insert({
        uuid: policy,
        policy_type: 'PerLearnerSpendCreditAccessPolicy',
        enterprise_customer_uuid: CUSTOMER,
        description: '',
        active: true,
        retired: false,
        catalog_uuid: uuid(2),
        subsidy_uuid: uuid(3),
        access_method: 'direct',
        ...times,
      });
      await db('policy_groups').insert({
        uuid: uuid(4),
        policy_uuid: policy,
        enterprise_group_uuid: uuid(5),
        ...times,
      });
      await db('policy_learner_budgets').insert({ policy_uuid: policy, lms_user_id: 1 });
      await db('policy_ceilings').insert([{ subsidy_uuid: uuid(3) }, { subsidy_uuid: SUBSIDY }]);
      await db('assignment_configurations').insert({ uuid: uuid(6), enterprise_customer_uuid: CUSTOMER, ...times });
      await db('assignments').insert({
        uuid: uuid(7),
        assignment_configuration_uuid: uuid(6),
        learner_email: 'a@x.example',
        content_key: 'c',
        price_cents: 1,
        state: 'allocated',
        allocated_at: times.created,
        ...times,
      });
      await db('assignment_actions').insert({
        uuid: uuid(8),
        assignment_uuid: uuid(7),
        action_type: 'allocated',
        ...times,
      });
      await db('assignments_history').insert({
        history_uuid: uuid(9),
        entity_uuid: uuid(7),
        history_date: times.created,
        history_type: '+',
        snapshot: '{}',
      });
      const forced = { lms_user_id: 1, course_run_key: 'run', content_price_cents: 1, ...times };
      await db('forced_redemptions').insert([
        { uuid: uuid(10), policy_uuid: policy, ...forced },
        { uuid: uuid(11), policy_uuid: null, ...forced },
      ]);
      await migrate(db);
      const customers = async (table: string) => (await db(table).pluck('enterprise_customer_uuid')).toSorted();
      for (const table of FILLED) expect(new Set(await customers(table)), table).toEqual(new Set([CUSTOMER]));
      // Its policy was deleted by hand.
      expect(await customers('forced_redemptions')).toEqual([NOBODY, CUSTOMER]);
    } finally {
      await drop();
    }
  });
});
