import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { exactTextTypes } from './collations.ts';
import { createTable } from './columns.ts';
import { defineModel, is } from './model.ts';
import { createTestDatabase, type TestDatabase, type TestServers } from './testing.ts';
import { transaction } from './transaction.ts';

const servers = inject('servers') as TestServers;
const dialects = (['postgres', 'mysql'] as const).filter((dialect) => 'adminUrl' in servers[dialect]);

const badges = defineModel('badges', {
  tenant: 'enterpriseCustomerUuid',
  columns: {
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    learnerEmail: is
      .text()
      .personalData({ holds: 'Address.', ends: { job: 'badges.retire' } })
      .nullable(),
    isActive: is.flag(),
    priceCents: is.cents(),
    metadata: is.json<{ readonly tags: readonly string[] }>().nullable(),
    awardedAt: is.instant(),
  },
});

describe.each(dialects)('a model on %s', (dialect) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase(servers, dialect, 2, { migrated: false });
    const schema = { db: database.db, texts: await exactTextTypes(database.db) };
    await createTable(schema, 'badges', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.text('learner_email', 100).nullable();
      column.boolean('is_active');
      column.cents('price_cents').notNullable();
      column.json('metadata').nullable();
      column.instant('awarded_at').notNullable();
      table.index('enterprise_customer_uuid');
    });
  });
  afterAll(() => database.drop());

  const row = {
    uuid: '11111111-1111-4111-8111-111111111111',
    enterpriseCustomerUuid: '22222222-2222-4222-8222-222222222222',
    learnerEmail: null,
    isActive: true,
    priceCents: 5_000_000_000,
    metadata: { tags: ['a', '"b"'] },
    awardedAt: new Date('2026-01-02T03:04:05.678Z'),
  };

  test('reads what was stored: JSON, booleans, times and 64-bit numbers', async () => {
    const { db } = database;
    await transaction(db, (trx) => badges.insert(trx, row));
    expect({ ...(await badges.find(db, row.uuid)) }).toEqual(row);
    const changed = { ...row, isActive: false, metadata: null };
    await transaction(db, (trx) => badges.change(trx, row, changed));
    expect({ ...(await badges.find(db, row.uuid)) }).toEqual(changed);
  });

  test('reads and writes the same in statements that are written out', async () => {
    const { db } = database;
    const other = { ...row, uuid: '33333333-3333-4333-8333-333333333333' };
    await db('badges').insert(badges.encode(other));
    const [aliased] = await db('badges as b').where('b.uuid', other.uuid).select(badges.aliased('b'));
    expect(badges.decode(aliased)).toEqual(other);
    const [plain] = await db('badges').where({ uuid: other.uuid });
    expect(badges.decode(plain)).toEqual(other);
    expect(badges.encode({ priceCents: 1 })).toEqual({ price_cents: 1 });
  });

  test('names its tenant and its personal data', () => {
    expect(badges.tenant).toBe('enterprise_customer_uuid');
    expect(badges.personal).toEqual({ learner_email: { holds: 'Address.', ends: { job: 'badges.retire' } } });
  });
});
