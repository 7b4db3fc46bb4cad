import type { Knex } from 'knex';
import { addComputed, foldedText, type Schema, textType } from '../src/columns.ts';
import { dialectOf } from '../src/knex.ts';
import type { Migration } from './migration.ts';

interface Key {
  readonly table: string;
  readonly name: string;
  readonly of: string;
}

const learnerKey: Key = { table: 'assignments', name: 'learner_email_key', of: 'learner_email' };
const userKey: Key = { table: 'users', name: 'email_key', of: 'email' };

const inMysql = (schema: Schema, { table, name, of }: Key): Knex.Raw =>
  schema.db.raw(
    `alter table ?? modify ?? ${textType(schema, 254)} generated always as (${foldedText(schema, of)}) stored`,
    [table, name],
  );

/** PostgreSQL before 17 cannot change the expression, and drops the indexes with the column. */
const inPostgres = (schema: Schema, { table, name, of }: Key): Knex.Raw[] => [
  schema.db.raw('alter table ?? drop column ??', [table, name]),
  addComputed(schema, table, [{ name, type: textType(schema, 254), as: foldedText(schema, of) }]),
];

/** Addresses are compared without regard to the case of ASCII letters, and of no others. Keys can only become finer. */
export const asciiFolding: Migration = {
  name: '0010-ascii-folding',
  up(schema) {
    if (dialectOf(schema.db) === 'mysql') return [inMysql(schema, learnerKey), inMysql(schema, userKey)];
    const { db } = schema;
    return [
      ...inPostgres(schema, learnerKey),
      ...inPostgres(schema, userKey),
      db.raw('create index assignments_email on assignments (learner_email_key, lms_user_id)'),
      db.raw(
        `create unique index assignments_active_address on assignments
          (assignment_configuration_uuid, learner_email_key, content_key, active_address)`,
      ),
      db.raw('create index users_email_key on users (email_key, lms_user_id)'),
    ];
  },
};
