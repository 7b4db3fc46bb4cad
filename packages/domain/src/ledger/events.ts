import type { OutboxMessage } from '@enterprise-access/db';
import type { LedgerTransaction } from '../upstreams/ledger.ts';

/** `org.openedx.enterprise.subsidy_ledger_transaction.{created,committed,failed,reversed}.v1` */
export const transactionChanged = (
  what: 'created' | 'committed' | 'failed' | 'reversed',
  transaction: LedgerTransaction,
  ledgerUuid: string,
): OutboxMessage => ({
  kind: 'event',
  name: `org.openedx.enterprise.subsidy_ledger_transaction.${what}.v1`,
  key: transaction.uuid,
  payload: {
    uuid: transaction.uuid,
    created: transaction.created,
    modified: transaction.modified,
    idempotency_key: transaction.idempotencyKey,
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
      created: transaction.reversal.created,
      modified: transaction.reversal.modified,
      idempotency_key: transaction.reversal.idempotencyKey,
      quantity: transaction.reversal.quantityCents,
      state: transaction.reversal.state,
    },
  },
});
