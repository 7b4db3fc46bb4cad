import { createTable } from '../src/columns.ts';
import type { Migration } from './migration.ts';

/** Who was sent what, so that nobody gets a mail twice. Addresses are kept as hashes only. */
export const mail: Migration = {
  name: '0005-mail',
  up: (schema) => [
    createTable(schema, 'mail_deliveries', (table, column) => {
      // SHA-256 of kind, key and address: one row per person and mail.
      column.code('id', 64).primary();
      column.code('kind', 80).notNullable();
      // SHA-256 of the address.
      column.code('recipient', 64).notNullable();
      column.code('state', 8).notNullable();
      table.integer('attempts').notNullable().defaultTo(0);
      // Of an attempt whose end is not known; null when it is certain that none is under way.
      column.instant('attempted').nullable();
      column.text('dispatch_id', 100).nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      // Other mails of a kind to the same person, when an attempt is in doubt.
      table.index(['recipient', 'kind']);
      table.index(['created']);
    }),
  ],
};
