import { createTestDatabase } from '@enterprise-access/db/testing';
import { describe, expect, inject, test } from 'vitest';
import { service } from './service.ts';

interface SchemaColumn {
  readonly table: string;
  readonly column: string;
  readonly nullable: 'YES' | 'NO';
}

const CUSTOMER = 'enterprise_customer_uuid';

/** Tables whose rows can be about no customer, or of which it is not known, and why. */
const MAY_BE_NULL: Readonly<Record<string, string>> = {
  audit_changes: 'Changes of things that belong to no customer.',
  audit_entries: 'Calls, jobs and events that are about no customer.',
  audit_export_parts: 'Exports over all customers.',
  audit_exports: 'Exports over all customers.',
  idempotency_records: 'a mutation can name no customer',
  job_runs: 'jobs of the whole service',
  mail_deliveries: 'mails of releases that did not keep it',
  outbox: 'messages about the whole service, or about several customers',
  role_assignments: 'null stands for every customer',
  workflow_signals: 'workflows that make their customer, or are about none',
  workflow_steps: 'workflows that make their customer, or are about none',
  workflows: 'workflows that make their customer, or are about none',
};

/** Tables that exist on one of the dialects only. */
const ONLY_ON_MYSQL = new Set(['schema_migrations_begun']);

describe.each(['postgres', 'mysql'] as const)('the tables on %s', (dialect) => {
  const server = inject('servers')[dialect];

  test.skipIf('skipped' in server)('are those of the models, column by column', async () => {
    const { db, drop } = await createTestDatabase(inject('servers'), dialect, 1);
    try {
      const columns: SchemaColumn[] = await db('information_schema.columns as c')
        .join('information_schema.tables as t', (join) =>
          join.on('t.table_schema', 'c.table_schema').on('t.table_name', 'c.table_name'),
        )
        .where('t.table_type', 'BASE TABLE')
        .where('c.table_schema', db.raw(dialect === 'mysql' ? 'database()' : "'public'"))
        .select({ table: 'c.table_name', column: 'c.column_name', nullable: 'c.is_nullable' });
      const inSchema = columns.map(
        ({ table, column, nullable }) => `${table}.${column}${nullable === 'YES' ? ' or null' : ''}`,
      );
      const inModels = [...service.tables.values()]
        .filter(({ table }) => dialect === 'mysql' || !ONLY_ON_MYSQL.has(table))
        .flatMap(({ table, columns: all }) =>
          all.map(({ stored, isNullable }) => `${table}.${stored}${isNullable ? ' or null' : ''}`),
        );
      expect(inModels.toSorted()).toEqual(inSchema.toSorted());
    } finally {
      await drop();
    }
  });
});

describe('the customer', () => {
  const tenants = [...service.tables.values()].map((model) => {
    const { table, tenant, columns } = model;
    const column = columns.find(({ stored }) => stored === tenant);
    return { table, tenant, column };
  });

  test('is in every table under one name, unless the table belongs to the platform and says why', () => {
    for (const { table, tenant } of tenants)
      expect(typeof tenant === 'string' ? tenant : tenant.platform, table).toMatch(
        typeof tenant === 'string' ? CUSTOMER : /^[A-Z].{10,}\.$/,
      );
  });

  test('is in every row, but of tables that are named with the reason', () => {
    const nullable = tenants.filter(({ column }) => column?.isNullable).map(({ table }) => table);
    expect(nullable.toSorted()).toEqual(Object.keys(MAY_BE_NULL).toSorted());
  });
});
