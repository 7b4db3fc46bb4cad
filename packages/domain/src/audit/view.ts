import type { AuditActorView, AuditChangeView } from './contract.ts';
import type { Viewer } from './filter.ts';
import type { ChangeRow, EntryRow } from './store.ts';

const kindOf = ({ actorUserId, actorRole, source }: EntryRow): AuditActorView['kind'] => {
  // A login gives learners the assignments that waited for their address.
  if (source === 'system' && actorUserId !== null) return 'learner';
  if (actorRole === null) return actorUserId === null && source !== 'import' ? 'service' : 'unknown';
  if (actorRole.endsWith('_admin')) return 'administrator';
  return actorRole.endsWith('_learner') ? 'learner' : 'operator';
};

/** Customers learn that it was somebody of the staff, but neither who nor the words that were meant for colleagues. */
const isOpen = (kind: AuditActorView['kind'], { isInternal }: Viewer): boolean =>
  isInternal || kind === 'administrator' || kind === 'learner';

function actorOf(entry: EntryRow, viewer: Viewer): AuditActorView {
  const kind = kindOf(entry);
  return { kind, role: entry.actorRole, userId: isOpen(kind, viewer) ? entry.actorUserId : null };
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
  reason: isOpen(kindOf(row), viewer) ? row.reason : null,
  requestId: viewer.isInternal ? row.requestId : null,
});
