import { defineModel, is } from '@enterprise-access/db';
import type { Filter } from './filter.ts';

const EXPIRES = { job: 'housekeeping.expire' } as const;

/** What somebody asked to have written to a file. */
export const auditExports = defineModel('audit_exports', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'audit_export' },
  columns: {
    uuid: is.uuid(),
    /** Null for an export over all customers. */
    enterpriseCustomerUuid: is.uuid().nullable(),
    format: is.code<'csv' | 'jsonl'>(),
    /** With what only staff may see. */
    isInternal: is.flag(),
    /** Null once everything is written. */
    filter: is
      .json<Filter>()
      .nullable()
      .personalData({ holds: 'What is looked for, which may be an address, until it is found.', ends: EXPIRES }),
    created: is.instant(),
    finished: is.instant().nullable(),
  },
});

/** The file in parts. */
export const auditExportParts = defineModel('audit_export_parts', {
  tenant: 'enterpriseCustomerUuid',
  key: ['exportUuid', 'position'],
  columns: {
    exportUuid: is.uuid(),
    position: is.integer(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    content: is.text().personalData({ holds: 'Records of changes, without addresses.', ends: EXPIRES }),
    lineCount: is.integer(),
    /** The change in its last line. */
    lastEntryUuid: is.uuid(),
    lastChange: is.integer(),
    created: is.instant(),
  },
});

export const tables = [auditExportParts, auditExports] as const;
