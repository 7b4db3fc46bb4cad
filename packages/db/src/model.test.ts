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
  audited: { subject: 'badge', address: 'learnerEmail', ignored: ['priceCents'] },
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
    database = await createTestDatabase(servers, dialect, 2);
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
  afterAll(async () => {
    await database.db.schema.dropTable('badges');
    await database.drop();
  });

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
    const recorded = await db('audit_changes').where({ subject_uuid: row.uuid }).orderBy('entry_uuid').pluck('action');
    expect(recorded).toEqual(['created', 'updated']);
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

  test('is one side of a join, with its JSON; null when the join found nothing', async () => {
    const { db } = database;
    const joined = badges.joined('b');
    const read = async (uuid: string) => {
      const [raw] = await db('badges as a')
        .leftJoin('badges as b', (on) => on.on('b.uuid', 'a.uuid').andOnVal('b.uuid', uuid))
        .limit(1)
        .orderBy('b.uuid')
        .whereRaw('coalesce(b.uuid, ?) = ?', [uuid, uuid])
        .select({ uuid: 'a.uuid', ...joined.columns });
      return joined.decode(raw);
    };
    await db('badges').delete();
    await db('badges').insert(badges.encode(row));
    expect(await read(row.uuid)).toEqual(row);
    expect(await read('44444444-4444-4444-8444-444444444444')).toBeNull();
  });

  test('refuses names that are no columns: the compiler, and at run time', () => {
    // @ts-expect-error
    expect(() => badges.encode({ priceCents: 1, colour: 'red' })).toThrow('badges has no column for colour');
    const wider = { priceCents: 1, color: 'red' };
    // @ts-expect-error
    expect(() => badges.encode(wider)).toThrow('badges has no column for color');
  });

  test('gives names to a select, but not those of JSON, which would come as text', () => {
    expect(badges.pick('uuid', 'priceCents')).toEqual({ uuid: 'uuid', priceCents: 'price_cents' });
    expect(() => badges.pick('metadata')).toThrow('badges.metadata is JSON');
  });

  test('knows what the audit trail records: personal data without its value, counters not at all', () => {
    const { fields = [], hidden = new Set<string>(), ...subject } = badges.subject ?? {};
    expect(subject).toMatchObject({ kind: 'badge', customer: 'enterpriseCustomerUuid', address: 'learnerEmail' });
    expect(fields).toEqual(['uuid', 'enterpriseCustomerUuid', 'learnerEmail', 'isActive', 'metadata', 'awardedAt']);
    expect([...hidden]).toEqual(['learnerEmail']);
  });

  test('names its tenant and its personal data', () => {
    expect(badges.tenant).toBe('enterprise_customer_uuid');
    expect(badges.personal).toEqual({ learner_email: { holds: 'Address.', ends: { job: 'badges.retire' } } });
  });
});
