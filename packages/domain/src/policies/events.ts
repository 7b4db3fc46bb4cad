import type { OutboxMessage } from '@enterprise-access/db';
import type { PolicyRow } from './tables.ts';

/** `org.openedx.enterprise.access.access-policy.{created,updated,deleted}.v1`; ordered per customer. */
export const policyChanged = (what: 'created' | 'updated' | 'deleted', row: PolicyRow): OutboxMessage => ({
  kind: 'event',
  name: `org.openedx.enterprise.access.access-policy.${what}.v1`,
  key: row.enterpriseCustomerUuid,
  enterpriseCustomerUuid: row.enterpriseCustomerUuid,
  payload: { uuid: row.uuid, active: row.active, subsidy_uuid: row.subsidyUuid, access_method: row.accessMethod },
});
