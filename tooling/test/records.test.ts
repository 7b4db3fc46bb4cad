import { defineModel, is } from '@enterprise-access/db';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { service } from '@enterprise-access/domain';
import { describe, expect, inject, test } from 'vitest';
import { brokenChains, changedTable, recordedColumns, type ToldChange, watchRecords } from './records.ts';

const books = defineModel('books', {
  tenant: { platform: 'A test.' },
  audited: { subject: 'book', ignored: ['readers'] },
  columns: { uuid: is.uuid(), title: is.text(), readers: is.integer(), modified: is.instant() },
});

test.each([
  ['insert into "books" ("uuid") values ($1)', 'books'],
  ['insert ignore into `books` (`uuid`) values (?)', 'books'],
  ['update "books" set "title" = $1 where "uuid" = $2', 'books'],
  ['update `books` set `readers` = readers + 1, `title` = ? where `uuid` = ?', 'books'],
  ['update books set readers = readers + ?, modified = ? where title = ?', null],
  ['update "books" set "modified" = $1 where "title" = $2', null],
  ['delete from "books" where "uuid" = $1', 'books'],
  ['select * from "books" for update', null],
  ['update "pages" set "title" = $1', null],
])('%s', (sql, table) => {
  expect(changedTable(sql, recordedColumns([books]))).toBe(table);
});

const told = (action: string, before: object | null, after: object | null): ToldChange => ({
  kind: 'book',
  uuid: 'one',
  action,
  before: before as ToldChange['before'],
  after: after as ToldChange['after'],
});
const made = told('created', null, { state: 'new', tags: { a: 1, b: 2 } });
const lent = told('updated', { state: 'new' }, { state: 'lent' });

test.each([
  ['made, changed and changed back', [made, lent, told('updated', { state: 'lent' }, { state: 'new' }), lent], 0],
  ['in another order', [lent, made], 0],
  ['keys in another order', [made, told('updated', { tags: { b: 2, a: 1 } }, { tags: null })], 0],
  ['a field that was empty when it was made', [made, told('updated', { note: null }, { note: 'x' })], 0],
  ['made before there was a trail', [lent], 0],
  ['deleted', [made, lent, told('deleted', { state: 'lent', tags: { a: 1, b: 2 } }, null)], 0],
  ['of another kind with the same uuid', [made, lent, { ...made, kind: 'loan' }, { ...lent, kind: 'loan' }], 0],
  ['only a note', [made, told('updated', null, null)], 0],
  ['the first state twice', [made, lent, told('updated', { state: 'new' }, { state: 'lost' })], 1],
  ['a state that nobody left', [made, told('updated', { state: 'lost' }, { state: 'lent' })], 1],
  ['the same without its beginning', [lent, told('updated', { state: 'new' }, { state: 'lost' })], 1],
  ['deleted as it was before', [made, lent, told('deleted', { state: 'new', tags: { a: 1, b: 2 } }, null)], 1],
] as const)('chains of records: %s', (_case, changes, count) => {
  expect(brokenChains(changes)).toHaveLength(count);
});

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

describe.each(dialects)('on %s', (dialect) => {
  test('a change without a record is found; one that is undone, changes nothing or is recorded is not', async () => {
    const { db, drop } = await createTestDatabase(inject('servers'), dialect, 2);
    const now = new Date();
    const configuration = (uuid: string) => ({
      uuid,
      enterprise_customer_uuid: uuid,
      active: true,
      created: now,
      modified: now,
    });
    const [one, two, three] = [1, 2, 3].map((n) => `00000000-0000-4000-8000-00000000000${n}`) as [
      string,
      string,
      string,
    ];
    const watch = watchRecords(db, service.tables.values());
    await db.transaction(async (trx) => {
      await trx('assignment_configurations').insert(configuration(one));
      await trx('audit_changes').insert({
        entry_uuid: one,
        position: 1,
        subject_kind: 'assignment_configuration',
        subject_uuid: one,
        action: 'created',
      });
    });
    await db.transaction((trx) => trx('assignment_configurations').where({ uuid: three }).update({ active: false }));
    await db
      .transaction(async (trx) => {
        await trx('assignment_configurations').insert(configuration(two));
        throw new Error('undone');
      })
      .catch(() => undefined);
    expect(() => watch.assertRecorded()).not.toThrow();
    expect(watch.recorded).toBe(1);
    await db.transaction((trx) => trx('assignment_configurations').where({ uuid: one }).update({ active: false }));
    expect(() => watch.assertRecorded()).toThrow('assignment_configurations');
    await drop();
  });
});
