import type { OutboxMessage } from '@enterprise-access/db';
import type { Spend } from '../kernel/ports/ledger.ts';

/** `org.openedx.enterprise.access.subsidy.{redeemed,redemption-reversed}.v1`; ordered per customer. */
const redemptionEvent =
  (name: string) =>
  (spend: Spend): OutboxMessage => ({
    kind: 'event',
    name: `org.openedx.enterprise.access.subsidy.${name}.v1`,
    key: spend.enterpriseCustomerUuid,
    enterpriseCustomerUuid: spend.enterpriseCustomerUuid,
    payload: {
      enterprise_uuid: spend.enterpriseCustomerUuid,
      content_key: spend.contentKey,
      lms_user_id: spend.lmsUserId,
    },
  });

export const subsidyRedeemed = redemptionEvent('redeemed');
export const redemptionReversed = redemptionEvent('redemption-reversed');
