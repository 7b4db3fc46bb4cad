import { eventTypesOf } from '@enterprise-access/bus';
import type { OutboxMessage } from '@enterprise-access/db';
import { events } from '@enterprise-access/domain';
import { expect, test } from 'vitest';
import type { LedgerTransaction, Spend } from '../../../packages/domain/src/kernel/ports/ledger.ts';
import { transactionChanged } from '../../../packages/domain/src/ledger/events.ts';
import { activatedHalfYearAgo, licenseEvent, notAssigned } from '../../../packages/domain/src/licenses/events.ts';
import type { LicenseRow } from '../../../packages/domain/src/licenses/store.ts';
import { policyChanged } from '../../../packages/domain/src/policies/events.ts';
import type { PolicyRow } from '../../../packages/domain/src/policies/tables.ts';
import { redemptionReversed, subsidyRedeemed } from '../../../packages/domain/src/redemptions/events.ts';

const eventTypes = eventTypesOf(events.values());
const at = new Date('2026-03-02T10:00:00.000Z');
const uuid = '8a1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d';

const ledger = { ledgerUuid: uuid, enterpriseCustomerUuid: uuid };

const transaction: LedgerTransaction = {
  uuid,
  state: 'committed',
  idempotencyKey: 'key',
  subsidyUuid: uuid,
  lmsUserId: 1000,
  lmsUserEmail: 'learner@demo.example',
  contentKey: 'course-v1:edX+DemoX+2T2026',
  parentContentKey: 'edX+DemoX',
  contentTitle: 'Demo',
  courseRunStartDate: null,
  quantityCents: -14_900,
  fulfillmentIdentifier: null,
  subsidyAccessPolicyUuid: uuid,
  metadata: null,
  created: at,
  modified: at,
  reversal: null,
};

const reversal = {
  uuid,
  state: 'committed' as const,
  idempotencyKey: 'reversal',
  quantityCents: 14_900,
  metadata: null,
  created: at,
  modified: at,
};

const spend = { enterpriseCustomerUuid: uuid, contentKey: 'course-v1:edX+DemoX+2T2026', lmsUserId: 1000 } as Spend;
const policy = {
  uuid,
  enterpriseCustomerUuid: uuid,
  active: true,
  subsidyUuid: uuid,
  accessMethod: 'direct',
} as PolicyRow;

const agreement = {
  uuid,
  enterpriseCustomerUuid: uuid,
  enterpriseCustomerSlug: 'demo-company',
  enterpriseCustomerName: null,
};
const plan = { uuid, expirationProcessed: false };
const license = { uuid, status: 'activated', activationDate: at, assignedDate: at, lmsUserId: 1000 } as LicenseRow;

/** As the outbox gives it back: what the database keeps is JSON. */
const stored = ({ payload }: OutboxMessage) => JSON.parse(JSON.stringify(payload));

test.each([
  transactionChanged('created', transaction, ledger),
  transactionChanged('committed', { ...transaction, fulfillmentIdentifier: uuid }, ledger),
  transactionChanged('failed', { ...transaction, state: 'failed' }, ledger),
  transactionChanged('reversed', { ...transaction, reversal }, ledger),
  policyChanged('created', policy),
  policyChanged('updated', policy),
  policyChanged('deleted', policy),
  subsidyRedeemed(spend),
  redemptionReversed(spend),
  licenseEvent('created', { agreement, plan, license: { uuid, status: 'unassigned' } as LicenseRow }),
  licenseEvent('renewed', { agreement, plan, license, previousLicenseUuid: uuid, isAutoRenewed: true }),
  notAssigned(agreement),
  activatedHalfYearAgo(agreement, plan, license),
])('$name fits the schema under which it is published', (message) => {
  expect(eventTypes.get(message.name)?.avro.misfit(stored(message))).toBeNull();
});

test('instants are written as the platform writes them', () => {
  expect(stored(transactionChanged('created', transaction, ledger))).toMatchObject({
    ledger_transaction: { created: '2026-03-02T10:00:00.000+00:00' },
  });
});
