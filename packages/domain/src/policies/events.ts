import type { OutboxMessage } from '@enterprise-access/db';
import { ownEvent } from '../kernel/event.ts';
import accessPolicy from './access-policy.json' with { type: 'json' };
import type { PolicyRow } from './tables.ts';

const changes = ['created', 'updated', 'deleted'] as const;
type Change = (typeof changes)[number];

const typeOf = (what: Change): string => `org.openedx.enterprise.access.access-policy.${what}.v1`;

export const events = changes.map((what) => ownEvent(typeOf(what), 'access-policy', accessPolicy));

/** Ordered per customer. */
export const policyChanged = (what: Change, row: PolicyRow): OutboxMessage => ({
  kind: 'event',
  name: typeOf(what),
  key: row.enterpriseCustomerUuid,
  enterpriseCustomerUuid: row.enterpriseCustomerUuid,
  payload: { uuid: row.uuid, active: row.active, subsidy_uuid: row.subsidyUuid, access_method: row.accessMethod },
});
