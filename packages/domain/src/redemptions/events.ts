import type { OutboxMessage } from '@enterprise-access/db';
import { ownEvent } from '../kernel/event.ts';
import type { Spend } from '../kernel/ports/ledger.ts';
import subsidyRedemption from './subsidy-redemption.json' with { type: 'json' };

const declared = (what: 'redeemed' | 'redemption-reversed') =>
  ownEvent(`org.openedx.enterprise.access.subsidy.${what}.v1`, 'subsidy-redemption', subsidyRedemption);

const redeemed = declared('redeemed');
const reversed = declared('redemption-reversed');
export const events = [redeemed, reversed];

/** Ordered per customer. */
const redemptionEvent =
  (name: string) =>
  (spend: Spend): OutboxMessage => ({
    kind: 'event',
    name,
    key: spend.enterpriseCustomerUuid,
    enterpriseCustomerUuid: spend.enterpriseCustomerUuid,
    payload: {
      enterprise_uuid: spend.enterpriseCustomerUuid,
      content_key: spend.contentKey,
      lms_user_id: spend.lmsUserId,
    },
  });

export const subsidyRedeemed = redemptionEvent(redeemed.type);
export const redemptionReversed = redemptionEvent(reversed.type);
