import { columns, type Schema, uuidType } from '../src/columns.ts';
import { dialectOf } from '../src/knex.ts';
import type { Migration, Step } from './migration.ts';

const CUSTOMER = 'enterprise_customer_uuid';
/** For rows whose owner somebody deleted by hand: nobody’s. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

interface Source {
  /** Table that names the customer. */
  readonly from: string;
  /** Its column that the table's column refers to. */
  readonly key: string;
}

/** A table, its column that leads to the customer, and where that is known; the first source that knows counts. */
interface Owned {
  readonly table: string;
  readonly column: string;
  readonly sources: readonly Source[];
}

const owned = (table: string, column: string, from: string, key = 'uuid'): Owned => ({
  table,
  column,
  sources: [{ from, key }],
});
const history = (entity: string): Owned => owned(`${entity}_history`, 'entity_uuid', entity);
const ofSubsidy = (table: string): Owned => ({
  table,
  column: 'subsidy_uuid',
  sources: [
    { from: 'policies', key: 'subsidy_uuid' },
    { from: 'subsidies', key: 'uuid' },
  ],
});

/** Tables in which every row has a customer. Later ones may rely on earlier ones. */
const required: readonly Owned[] = [
  owned('ledgers', 'uuid', 'subsidies', 'ledger_uuid'),
  owned('ledger_transactions', 'ledger_uuid', 'ledgers'),
  owned('ledger_reversals', 'transaction_uuid', 'ledger_transactions'),
  owned('ledger_deposits', 'ledger_uuid', 'ledgers'),
  owned('policy_groups', 'policy_uuid', 'policies'),
  owned('policy_deposits', 'policy_uuid', 'policies'),
  owned('policy_learner_budgets', 'policy_uuid', 'policies'),
  ofSubsidy('policy_ceilings'),
  ofSubsidy('subsidy_reservations'),
  owned('forced_redemptions', 'policy_uuid', 'policies'),
  owned('assignments', 'assignment_configuration_uuid', 'assignment_configurations'),
  owned('assignment_counts', 'assignment_configuration_uuid', 'assignment_configurations'),
  owned('allocation_chunks', 'batch_uuid', 'allocation_batches'),
  history('subsidies'),
  history('ledger_transactions'),
  history('policies'),
  history('assignment_configurations'),
  history('assignments'),
  history('forced_redemptions'),
];

/** Had the column before, for some of the rows. */
const partly: Owned = owned('assignment_actions', 'assignment_uuid', 'assignments');

/** Their rows can be about no customer, and nothing tells it of older rows. */
const optional = ['outbox', 'idempotency_records', 'mail_deliveries'];

const added = (schema: Schema, table: string): Step =>
  schema.db.schema.alterTable(table, (of) => {
    columns(schema, of).uuid(CUSTOMER).nullable();
  });

const filled = ({ db }: Schema, { table, column, sources }: Owned): Step => {
  const known = sources.map(({ from, key }) =>
    db(`${from} as f`)
      .whereRaw('?? = ??', [`f.${key}`, `${table}.${column}`])
      .limit(1)
      .select(`f.${CUSTOMER}`),
  );
  const marks = known.map(() => '?').join(', ');
  return db(table)
    .whereNull(CUSTOMER)
    .update(CUSTOMER, db.raw(`coalesce(${marks}, ?)`, [...known, NOBODY] as never));
};

const notNull = (schema: Schema, table: string): Step =>
  dialectOf(schema.db) === 'mysql'
    ? schema.db.raw(`alter table ?? modify ?? ${uuidType(schema)} not null`, [table, CUSTOMER])
    : schema.db.raw('alter table ?? alter column ?? set not null', [table, CUSTOMER]);

/**
 * The customer of each row, so that customers can be moved, audited and forgotten one by one. Keys stay as they are:
 * what they hold on to (a policy, a ledger, a configuration) belongs to one customer.
 */
export const tenant: Migration = {
  name: '0009-tenant',
  up: (schema) => [
    ...[...required.map(({ table }) => table), ...optional].map((table) => added(schema, table)),
    ...[...required, partly].map((each) => filled(schema, each)),
    // Last: a repeated run cannot tell whether these are done, and takes what comes after them as not done.
    ...[...required, partly].map(({ table }) => notNull(schema, table)),
  ],
};
