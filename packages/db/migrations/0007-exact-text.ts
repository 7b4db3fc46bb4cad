import type { Knex } from 'knex';
import type { Schema } from '../src/columns.ts';
import { dialectOf } from '../src/knex.ts';
import type { Migration } from './migration.ts';

interface Column {
  readonly table_name: string;
  readonly name: string;
  /** As in a definition, such as `varchar(20)`. */
  readonly type: string;
  readonly charset: string;
  readonly nullable: 'YES' | 'NO';
  readonly fallback: string | null;
  readonly expression: string | null;
  readonly extra: string;
}

/** Text columns under another collation than the exact one of their character set. JSON is never compared as text. */
async function paddedColumns({ db, texts }: Schema): Promise<Column[]> {
  const [columns] = (await db.raw(
    `select c.table_name as table_name, c.column_name as name, c.column_type as type, c.character_set_name as charset,
        c.is_nullable as nullable, c.column_default as fallback, c.generation_expression as expression, c.extra as extra
      from information_schema.columns c
      join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
      where c.table_schema = database() and t.table_type = 'BASE TABLE' and c.collation_name is not null
        and c.data_type <> 'longtext' and c.collation_name not in (?, ?)
      order by c.table_name, c.ordinal_position`,
    [texts.text.collation, texts.ascii.collation],
  )) as [Column[]];
  return columns;
}

/** MariaDB gives a default as SQL text, MySQL as its value; those of our text columns need no escapes. */
const literal = (fallback: string): string => (/^'.*'$/.test(fallback) ? fallback : `'${fallback}'`);

function definition(column: Column, { texts }: Schema): string {
  const { charset, collation } = column.charset === 'ascii' ? texts.ascii : texts.text;
  const type = `modify ?? ${column.type} character set ${charset} collate ${collation}`;
  if (column.expression) return `${type} generated always as (${column.expression}) stored`;
  const hasDefault = column.fallback !== null && column.fallback !== 'NULL';
  const fallback = hasDefault ? ` default ${literal(column.fallback ?? '')}` : '';
  return `${type} ${column.nullable === 'YES' ? 'null' : 'not null'}${fallback}`;
}

/** One statement per table: a rebuild of it, after which all of its columns and its default are exact. */
function exactTable(schema: Schema, table: string, columns: readonly Column[]): Knex.Raw {
  const { charset, collation } = schema.texts.text;
  const changes = columns.map((column) => definition(column, schema));
  return schema.db.raw(`alter table ?? default character set ${charset} collate ${collation}, ${changes.join(', ')}`, [
    table,
    ...columns.map(({ name }) => name),
  ]);
}

interface ForeignKey {
  readonly table: string;
  readonly column: string;
  readonly references: string;
  readonly key: string;
  readonly onDelete?: 'CASCADE' | 'SET NULL';
}

/** Every foreign key on text; the servers refuse to change a column that is an end of one. */
const foreignKeys: readonly ForeignKey[] = [
  { table: 'subsidies', column: 'ledger_uuid', references: 'ledgers', key: 'uuid' },
  { table: 'ledger_reversals', column: 'transaction_uuid', references: 'ledger_transactions', key: 'uuid' },
  { table: 'ledger_deposits', column: 'ledger_uuid', references: 'ledgers', key: 'uuid' },
  { table: 'ledger_deposits', column: 'transaction_uuid', references: 'ledger_transactions', key: 'uuid' },
  { table: 'ledger_deposits', column: 'provider_slug', references: 'sales_contract_reference_providers', key: 'slug' },
  {
    table: 'policies',
    column: 'assignment_configuration_uuid',
    references: 'assignment_configurations',
    key: 'uuid',
    onDelete: 'SET NULL',
  },
  { table: 'policy_groups', column: 'policy_uuid', references: 'policies', key: 'uuid', onDelete: 'CASCADE' },
  { table: 'policy_deposits', column: 'policy_uuid', references: 'policies', key: 'uuid' },
  { table: 'forced_redemptions', column: 'policy_uuid', references: 'policies', key: 'uuid', onDelete: 'SET NULL' },
];

const nameOf = ({ table, column }: ForeignKey): string => `${table}_${column}_foreign`;

async function standing({ db }: Schema): Promise<Set<string>> {
  const [names] = (await db.raw(
    "select constraint_name as name from information_schema.table_constraints where constraint_schema = database() and constraint_type = 'FOREIGN KEY'",
  )) as [{ name: string }[]];
  return new Set(names.map(({ name }) => name));
}

const dropped = ({ db }: Schema, foreignKey: ForeignKey): Knex.Raw =>
  db.raw('alter table ?? drop foreign key ??', [foreignKey.table, nameOf(foreignKey)]);

const added = ({ db }: Schema, foreignKey: ForeignKey): Knex.Raw => {
  const { table, column, references, key, onDelete } = foreignKey;
  return db.raw(
    `alter table ?? add constraint ?? foreign key (??) references ?? (??)${onDelete ? ` on delete ${onDelete}` : ''}`,
    [table, nameOf(foreignKey), column, references, key],
  );
};

/**
 * MySQL and MariaDB: every text column compares trailing spaces too, as on PostgreSQL. New databases are made so by the
 * first migrations; in older ones each table is rebuilt. Keys can only become finer, so no rows collide. What is to be
 * done is found out each time, so a run that died is continued.
 */
export const exactText: Migration = {
  name: '0007-exact-text',
  async up(schema) {
    if (dialectOf(schema.db) === 'postgres') return [];
    const [columns, keys] = [await paddedColumns(schema), await standing(schema)];
    const [there, missing] = [
      foreignKeys.filter((one) => keys.has(nameOf(one))),
      foreignKeys.filter((one) => !keys.has(nameOf(one))),
    ];
    if (columns.length === 0) return missing.map((one) => added(schema, one));
    const tables = Map.groupBy(columns, ({ table_name }) => table_name);
    return [
      ...there.map((one) => dropped(schema, one)),
      ...[...tables].map(([table, its]) => exactTable(schema, table, its)),
      ...foreignKeys.map((one) => added(schema, one)),
    ];
  },
};
