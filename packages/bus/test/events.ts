import { randomUUID } from 'node:crypto';
import type { OutgoingEvent } from '../src/index.ts';

export const PING = 'org.openedx.enterprise.core.ping.v1';
export const REVERSED = 'org.openedx.enterprise.subsidy_ledger_transaction.reversed.v1';
export const NOON = new Date('2026-03-02T12:00:00.000Z');

export const ping = (message: string, key = 'k'): OutgoingEvent => ({
  id: randomUUID(),
  type: PING,
  key,
  data: { ping: { ping_uuid: key, ping_message: message } },
  time: NOON,
});

export const ledgerTransaction = (change: Record<string, unknown> = {}) => ({
  uuid: '8a1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d',
  created: '2026-03-01T10:00:05.123+00:00',
  modified: '2026-03-02T10:00:00+00:00',
  idempotency_key: 'ledger-for-subsidy-1-key',
  quantity: -14_900,
  state: 'committed',
  ledger_uuid: '33333333-3333-4333-8333-333333333333',
  subsidy_access_policy_uuid: '88888888-8888-4888-8888-888888888881',
  lms_user_id: 1000,
  content_key: 'course-v1:edX+DemoX+2T2026',
  parent_content_key: 'edX+DemoX',
  fulfillment_identifier: '0f0e0d0c-0b0a-4908-8706-050403020100',
  reversal: {
    uuid: '99999999-9999-4999-8999-999999999999',
    created: '2026-03-02T10:00:00+00:00',
    modified: '2026-03-02T10:00:00+00:00',
    idempotency_key: 'unenrollment-reversal-1',
    quantity: 14_900,
    state: 'committed',
  },
  ...change,
});

export const reversed = (change: Record<string, unknown> = {}): OutgoingEvent => {
  const transaction = ledgerTransaction(change);
  return {
    id: randomUUID(),
    type: REVERSED,
    key: transaction.uuid,
    data: { ledger_transaction: transaction },
    time: NOON,
  };
};

export const textOf = (event: { readonly data: Readonly<Record<string, unknown>> }): string =>
  (event.data.ping as { ping_message: string }).ping_message;
