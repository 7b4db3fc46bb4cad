import { columns, createTable } from '../src/columns.ts';
import type { Migration } from './migration.ts';

/**
 * A row lock is known to one node of a cluster, and a row that is only locked is not replicated. So a row that guards
 * others is written: by a counter, or by a lease where the guarded work is longer than a transaction.
 */
export const leases: Migration = {
  name: '0008-leases',
  up(schema) {
    const { db } = schema;
    const leased = ['outbox_lanes', 'bus_positions'].map((name) =>
      db.schema.alterTable(name, (table) => {
        const column = columns(schema, table);
        column.code('lease_owner', 36).nullable();
        column.instant('lease_ends').nullable();
      }),
    );
    const counted = ['policy_ceilings', 'assignment_configurations'].map((name) =>
      db.schema.alterTable(name, (table) => {
        table.bigInteger('holds').notNullable().defaultTo(0);
      }),
    );
    // Processes write to a slot of their own choice to learn whether the database takes writes.
    const probes = createTable(schema, 'write_probes', (table, column) => {
      table.smallint('slot').primary();
      column.instant('written').notNullable();
    });
    return [...leased, ...counted, probes];
  },
};
