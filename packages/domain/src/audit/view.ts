import type { AuditActorView, AuditChangeView } from './contract.ts';
import type { Viewer } from './filter.ts';
import type { ChangeRow, EntryRow } from './store.ts';

const kindOf = ({ actorUserId, actorRole, source }: EntryRow): AuditActorView['kind'] => {
  if (actorRole === null) return actorUserId === null && source !== 'import' ? 'service' : 'unknown';
  if (actorRole.endsWith('_admin')) return 'administrator';
  return actorRole.endsWith('_learner') ? 'learner' : 'operator';
};

/** Who it was. Customers learn that it was somebody of the staff, but not who. */
export function actorOf(entry: EntryRow, { isInternal }: Viewer): AuditActorView {
  const kind = kindOf(entry);
  const isOpen = isInternal || kind === 'administrator' || kind === 'learner';
  return { kind, role: entry.actorRole, userId: isOpen ? entry.actorUserId : null };
}

/** Fields that say who of the staff it was, and words for support. */
const INTERNAL_FIELDS: ReadonlySet<string> = new Set([
  'actorUserId',
  'actorLmsUserId',
  'adminLmsUserId',
  'traceback',
  'actor_user_id',
  'actor_lms_user_id',
  'admin_lms_user_id',
]);

const openFields = (values: ChangeRow['beforeValues']) =>
  values && Object.fromEntries(Object.entries(values).filter(([name]) => !INTERNAL_FIELDS.has(name)));

export const changeOf = (row: ChangeRow, { isInternal }: Viewer): AuditChangeView => ({
  position: row.position,
  subjectKind: row.subjectKind,
  subjectUuid: row.subjectUuid,
  action: row.action,
  note: row.note,
  lmsUserId: row.lmsUserId,
  learnerEmail: row.learnerEmail,
  followsCorrelationId: row.correlationId,
  before: isInternal ? row.beforeValues : openFields(row.beforeValues),
  after: isInternal ? row.afterValues : openFields(row.afterValues),
});

/** An entry as the viewer may see it, without its changes. */
export const entryOf = (row: EntryRow, viewer: Viewer) => ({
  uuid: row.uuid,
  created: row.created,
  enterpriseCustomerUuid: row.enterpriseCustomerUuid,
  operation: row.operation,
  source: row.source,
  actor: actorOf(row, viewer),
  correlationId: row.correlationId,
  reason: row.reason,
  requestId: viewer.isInternal ? row.requestId : null,
});
