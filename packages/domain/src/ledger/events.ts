import type { OutboxMessage } from '@enterprise-access/db';
import { platformEvent } from '../kernel/event.ts';
import type { LedgerTransaction } from '../kernel/ports/ledger.ts';
import ledgerTransaction from './ledger-transaction.json' with { type: 'json' };
import { givenKey } from './rules.ts';
import type { LedgerKey } from './store.ts';

const changes = ['created', 'committed', 'failed', 'reversed'] as const;
type Change = (typeof changes)[number];

const typeOf = (what: Change): string => `org.openedx.enterprise.subsidy_ledger_transaction.${what}.v1`;

export const events = changes.map((what) =>
  platformEvent(typeOf(what), 'enterprise-subsidies-transaction-lifecycle', ledgerTransaction),
);

/** Time format of the platform: UTC as offset `+00:00`. */
const isoTime = (time: Date): string => time.toISOString().replace('Z', '+00:00');

/**
 * `org.openedx.enterprise.subsidy_ledger_transaction.{created,committed,failed,reversed}.v1`; ordered per transaction.
 */
export const transactionChanged = (
  what: Change,
  transaction: LedgerTransaction,
  { ledgerUuid, enterpriseCustomerUuid }: LedgerKey,
): OutboxMessage => ({
  kind: 'event',
  name: typeOf(what),
  key: transaction.uuid,
  enterpriseCustomerUuid,
  payload: {
    ledger_transaction: {
      uuid: transaction.uuid,
      created: isoTime(transaction.created),
      modified: isoTime(transaction.modified),
      idempotency_key: givenKey(transaction.idempotencyKey),
      quantity: transaction.quantityCents,
      state: transaction.state,
      ledger_uuid: ledgerUuid,
      subsidy_access_policy_uuid: transaction.subsidyAccessPolicyUuid,
      lms_user_id: transaction.lmsUserId,
      content_key: transaction.contentKey,
      parent_content_key: transaction.parentContentKey,
      fulfillment_identifier: transaction.fulfillmentIdentifier,
      reversal: transaction.reversal && {
        uuid: transaction.reversal.uuid,
        created: isoTime(transaction.reversal.created),
        modified: isoTime(transaction.reversal.modified),
        idempotency_key: transaction.reversal.idempotencyKey,
        quantity: transaction.reversal.quantityCents,
        state: transaction.reversal.state,
      },
    },
  },
});
