import { auditChanges, auditEntries, type Connection, type Row } from '@enterprise-access/db';
import type { Input, Output } from '../../kernel/contract.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { lmsUserIdsOf } from '../../users/index.ts';
import * as store from '../store.ts';
import { licenseNotFound } from './service.ts';
import type * as contract from './timeline-contract.ts';
import type { LicenseAction } from './timeline-contract.ts';

type Entry = Readonly<Row<typeof auditEntries>>;
type Change = Readonly<Row<typeof auditChanges>>;

/** Changes of a licence that are shown, the latest. */
const MOST = 500;

/** What a change of a licence means (R-LICX-10 to R-LICX-14). */
export function actionOf({ action, note, beforeValues, afterValues }: Change): LicenseAction {
  if (action === 'deleted') return 'deleted';
  if (note === 'reminded') return 'reminded';
  const [before, after] = [beforeValues ?? {}, afterValues ?? {}];
  const status = 'status' in after ? after.status : undefined;
  if (action === 'created' && status === undefined) return 'created';
  if ('renewedToUuid' in after && after.renewedToUuid !== null) return 'renewed';
  if (status === 'assigned' || status === 'activated' || status === 'revoked') return status;
  if (status === 'unassigned') return action === 'created' ? 'created' : 'released';
  if ('subscriptionPlanUuid' in after && 'subscriptionPlanUuid' in before) return 'transferred';
  return 'userEmail' in after ? 'address_changed' : 'changed';
}

const SENTENCES: Readonly<Record<LicenseAction, string>> = {
  created: 'The licence was created',
  assigned: 'The licence was assigned',
  activated: 'The licence was activated',
  revoked: 'The licence was revoked',
  renewed: 'The licence was renewed in the plan that follows',
  reminded: 'The holder was reminded',
  released: 'The licence was taken from its holder and is free again',
  address_changed: 'The address of the holder changed',
  transferred: 'The licence moved to another plan',
  deleted: 'The licence was deleted',
  changed: 'Something else about the licence changed',
};

const isCustomerRole = (role: string | null): boolean =>
  role !== null && (role.endsWith('_admin') || role.endsWith('_learner'));

/** Who caused an entry: the entry's own actor, or that of the call which a job follows. */
function actorOf(entry: Entry, causes: ReadonlyMap<string, Entry>, lmsUserIds: ReadonlyMap<number, number>) {
  const cause = entry.actorUserId === null ? (causes.get(entry.correlationId) ?? entry) : entry;
  const { actorUserId, actorRole } = cause;
  const actorType =
    actorRole === null
      ? ('system' as const)
      : actorRole.endsWith('_learner')
        ? ('learner' as const)
        : ('admin' as const);
  // Customers do not learn who of the staff it was.
  const actorLmsUserId =
    actorUserId !== null && isCustomerRole(actorRole) ? (lmsUserIds.get(actorUserId) ?? null) : null;
  return { actorType, actorLmsUserId };
}

function sentenceOf(action: LicenseAction, note: string | null, actor: ReturnType<typeof actorOf>): string {
  const { actorType, actorLmsUserId } = actor;
  const who = { admin: 'an administrator', learner: 'the learner', system: 'the service' }[actorType];
  const id = actorLmsUserId === null ? '' : ` (user ${actorLmsUserId})`;
  const how = note === null || note === action ? '' : `: ${note}`;
  return `${SENTENCES[action]} by ${who}${id}${how}.`;
}

const changesOf = async (db: Connection, license: string): Promise<Change[]> => {
  const rows: object[] = await db(auditChanges.table)
    .where({ subject_kind: 'license', subject_uuid: license })
    .orderBy('entry_uuid', 'desc')
    .orderBy('position', 'desc')
    .limit(MOST);
  return rows.map(auditChanges.decode);
};

const entriesOf = async (
  db: Connection,
  column: 'uuid' | 'correlation_id',
  values: readonly string[],
): Promise<Entry[]> => {
  if (values.length === 0) return [];
  const query = db(auditEntries.table).whereIn(column, [...values]);
  if (column === 'correlation_id') query.whereNotNull('actor_user_id');
  const rows: object[] = await query.limit(2 * MOST);
  return rows.map(auditEntries.decode);
};

/** One licence's life: four statements at most. */
export async function timeline(
  { db }: Pick<Runtime, 'db'>,
  input: Input<typeof contract.timeline>,
): Promise<Output<typeof contract.timeline>> {
  if (!(await store.findLicense(db, input.planUuid, input.uuid))) throw licenseNotFound();
  const changes = await changesOf(db, input.uuid);
  const entries = new Map(
    (await entriesOf(db, 'uuid', [...new Set(changes.map(({ entryUuid }) => entryUuid))])).map((each) => [
      each.uuid,
      each,
    ]),
  );
  const ownerless = [...entries.values()].filter(({ actorUserId }) => actorUserId === null);
  const causes = new Map(
    (await entriesOf(db, 'correlation_id', [...new Set(ownerless.map(({ correlationId }) => correlationId))])).map(
      (each) => [each.correlationId, each],
    ),
  );
  const actors = [...entries.values(), ...causes.values()].flatMap(({ actorUserId }) => actorUserId ?? []);
  const lmsUserIds = await lmsUserIdsOf(db, [...new Set(actors)]);
  return changes.flatMap((change) => {
    const entry = entries.get(change.entryUuid);
    if (!entry) return [];
    const actionType = actionOf(change);
    const actor = actorOf(entry, causes, lmsUserIds);
    return [
      {
        at: entry.created,
        actionType,
        ...actor,
        operation: entry.operation,
        source: entry.source,
        correlationId: entry.correlationId,
        learnerLmsUserId: change.lmsUserId,
        sentence: sentenceOf(actionType, change.note, actor),
      },
    ];
  });
}
