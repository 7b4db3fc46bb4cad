import { defineModel, is } from '@enterprise-access/db';

/** Sent mails. Addresses are stored as hashes only. */
export const mailDeliveries = defineModel('mail_deliveries', {
  tenant: 'enterpriseCustomerUuid',
  key: ['id'],
  columns: {
    /** SHA-256 of kind, key and address: one row per person and mail. */
    id: is.code(),
    /** Null for mails of older releases. */
    enterpriseCustomerUuid: is.uuid().nullable(),
    kind: is.code(),
    /** SHA-256 of the address. */
    recipient: is.code(),
    state: is.code<'open' | 'sent'>(),
    attempts: is.integer(),
    /** Start of an attempt whose result is unknown. */
    attempted: is.instant().nullable(),
    dispatchId: is.text().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

export const tables = [mailDeliveries] as const;
