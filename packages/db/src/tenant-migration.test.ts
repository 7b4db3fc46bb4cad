import { describe, expect, inject, test } from 'vitest';
import { migrations } from '../migrations/index.ts';
import { migrate } from './migrate.ts';
import { createTestDatabase } from './testing.ts';

const servers = inject('servers');
const CUSTOMER = '22222222-2222-4222-8222-222222222222';
const LEDGER = '33333333-3333-4333-8333-333333333333';
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
        uuid: '55555555-5555-4555-8555-555555555555',
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
      await migrate(db);
      for (const table of ['ledgers', 'ledger_transactions', 'ledger_reversals'])
        expect(await db(table).pluck('enterprise_customer_uuid'), table).toEqual([CUSTOMER]);
    } finally {
      await drop();
    }
  });
});
