import { defineModel, is, type Row } from '@enterprise-access/db';
import type { TransactionState } from '../kernel/ports/ledger.ts';

const BOOKS = { stays: 'Part of the books. An id means somebody only together with the platform’s users.' } as const;

type Metadata = Readonly<Record<string, unknown>>;

export const ledgers = defineModel('ledgers', {
  tenant: 'enterpriseCustomerUuid',
  columns: {
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    idempotencyKey: is.text(),
    unit: is.code(),
    /** Running totals, changed in the transaction of each entry; never read as a sum over entries. */
    balanceCents: is.cents(),
    depositsCents: is.cents(),
    /** Part of the balance that is reserved for assignments of all policies of the subsidy. */
    reservedCents: is.cents(),
    metadata: is.json<Metadata>().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

export const subsidies = defineModel('subsidies', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'subsidy' },
  columns: {
    uuid: is.uuid(),
    title: is.text().nullable(),
    startingBalanceCents: is.cents(),
    ledgerUuid: is.uuid(),
    unit: is.code(),
    referenceId: is.text().nullable(),
    referenceType: is.code(),
    enterpriseCustomerUuid: is.uuid(),
    internalOnly: is.flag(),
    revenueCategory: is.code(),
    activeDatetime: is.instant().nullable(),
    expirationDatetime: is.instant().nullable(),
    isSoftDeleted: is.flag(),
    created: is.instant(),
    modified: is.instant(),
  },
  internal: { publicReference: is.integer().nullable() },
});
/** A stored subsidy. */
export type SubsidyRecord = Readonly<Row<typeof subsidies>>;

export const ledgerTransactions = defineModel('ledger_transactions', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'ledger_transaction', learner: 'lmsUserId' },
  columns: {
    uuid: is.uuid(),
    ledgerUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    idempotencyKey: is.text(),
    /** Negative for spends. */
    quantityCents: is.cents(),
    state: is.code<TransactionState>(),
    isReversed: is.flag(),
    metadata: is.json<Metadata>().nullable().personalData({ holds: 'What the caller of a spend added.', ends: BOOKS }),
    lmsUserId: is.integer().nullable(),
    lmsUserEmail: is.text().nullable().personalData({
      holds: 'Address at the time of the spend, as the reports of the subsidy service show it.',
      ends: BOOKS,
    }),
    contentKey: is.text().nullable(),
    parentContentKey: is.text().nullable(),
    contentTitle: is.text().nullable(),
    courseRunStartDate: is.instant().nullable(),
    fulfillmentIdentifier: is.text().nullable(),
    subsidyAccessPolicyUuid: is.uuid().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
  internal: { standingRedemption: is.integer().nullable() },
});

export const ledgerReversals = defineModel('ledger_reversals', {
  tenant: 'enterpriseCustomerUuid',
  columns: {
    uuid: is.uuid(),
    transactionUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    idempotencyKey: is.text(),
    quantityCents: is.cents(),
    state: is.code<TransactionState>(),
    metadata: is.json<Metadata>().nullable(),
    /** Null until the LMS has confirmed the end of the enrollment. */
    unenrolled: is.instant().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

export const ledgerDeposits = defineModel('ledger_deposits', {
  tenant: 'enterpriseCustomerUuid',
  columns: {
    uuid: is.uuid(),
    ledgerUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    transactionUuid: is.uuid(),
    desiredDepositQuantityCents: is.cents(),
    salesContractReferenceId: is.text().nullable(),
    providerSlug: is.code().nullable(),
    created: is.instant(),
  },
});

export const referenceProviders = defineModel('sales_contract_reference_providers', {
  tenant: { platform: 'Systems in which sales are kept, the same for all customers.' },
  key: ['slug'],
  columns: { slug: is.code(), name: is.text() },
});

/** Value reserved by assignments in remote ledgers. */
export const subsidyReservations = defineModel('subsidy_reservations', {
  tenant: 'enterpriseCustomerUuid',
  key: ['subsidyUuid'],
  columns: { subsidyUuid: is.uuid(), enterpriseCustomerUuid: is.uuid(), reservedCents: is.cents() },
});

export const tables = [
  ledgerDeposits,
  ledgerReversals,
  ledgerTransactions,
  ledgers,
  referenceProviders,
  subsidies,
  subsidyReservations,
] as const;
