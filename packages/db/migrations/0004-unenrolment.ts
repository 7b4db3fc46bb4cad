import { columns } from '../src/columns.ts';
import type { Migration } from './migration.ts';

/** A reversal also ends the enrolment that it takes the money back for. */
export const unenrolment: Migration = {
  name: '0004-unenrolment',
  up: (schema) => [
    schema.db.schema.alterTable('ledger_reversals', (table) => {
      // Null as long as the LMS has not confirmed the end of the enrolment.
      columns(schema, table).instant('unenrolled').nullable();
      table.index(['unenrolled', 'created'], 'ledger_reversals_unenrolled');
    }),
  ],
};
