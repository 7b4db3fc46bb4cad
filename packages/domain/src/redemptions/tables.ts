import { defineModel, is } from '@enterprise-access/db';
import type { SpendContent } from '../kernel/ports/ledger.ts';

const BOOKS = { stays: 'Part of the books. An id means somebody only together with the platform’s users.' } as const;

/** Intents to spend, with their results. */
export const redemptions = defineModel('redemptions', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'redemption', learner: 'lmsUserId' },
  columns: {
    /** In the embedded ledger also the uuid of the transaction. */
    uuid: is.uuid(),
    policyUuid: is.uuid(),
    subsidyUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    lmsUserId: is.integer(),
    contentKey: is.text(),
    priceCents: is.cents(),
    requestedPriceCents: is.cents().nullable(),
    idempotencyKey: is.text(),
    state: is.code<'pending' | 'committed' | 'failed' | 'reversed'>(),
    metadata: is
      .json<Readonly<Record<string, unknown>>>()
      .nullable()
      .personalData({ holds: 'What the caller of a spend added.', ends: BOOKS }),
    content: is
      .json<SpendContent>()
      .personalData({ holds: 'Address at the time of the spend, for the ledger.', ends: BOOKS }),
    assignmentUuid: is.uuid().nullable(),
    transactionUuid: is.uuid().nullable(),
    errorCode: is.code().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
  internal: { standing: is.integer().nullable() },
});

/** Redemptions made by support for learners. */
export const forcedRedemptions = defineModel('forced_redemptions', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'forced_redemption', learner: 'lmsUserId' },
  columns: {
    uuid: is.uuid(),
    /** Null only if the policy row was deleted manually. */
    policyUuid: is.uuid().nullable(),
    enterpriseCustomerUuid: is.uuid(),
    lmsUserId: is.integer(),
    courseRunKey: is.text(),
    contentPriceCents: is.cents(),
    waitToRedeem: is.flag(),
    redeemedAt: is.instant().nullable(),
    erroredAt: is.instant().nullable(),
    /** Failure message for support; never the message of another service. */
    traceback: is.text().nullable(),
    transactionUuid: is.uuid().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

export const tables = [forcedRedemptions, redemptions] as const;
