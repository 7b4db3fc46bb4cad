import { auditChanges, isUniqueViolation, type Transaction, transaction } from '@enterprise-access/db';
import type { Input, Output } from '../../kernel/contract.ts';
import { firstUuidAt } from '../../kernel/ids.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import * as store from '../store.ts';
import * as contract from './provisioning-contract.ts';
import { planNotFound } from './service.ts';
import { type Recorded, restored, type Unrestorable } from './snapshot-rules.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;
type Change = Recorded & { readonly entryUuid: string; readonly subjectUuid: string };

/** Everything that the trail knows of these licences, the latest first. */
async function changesOf(trx: Transaction, uuids: readonly string[]): Promise<Change[]> {
  const rows: object[] = await trx(auditChanges.table)
    .select(auditChanges.aliased(auditChanges.table))
    .whereIn('subject_uuid', uuids)
    .where({ subject_kind: 'license' })
    .orderBy([
      { column: 'entry_uuid', order: 'desc' },
      { column: 'position', order: 'desc' },
    ]);
  return rows.map((row) => auditChanges.decode(row));
}

const refused = (license: string, reason: Unrestorable | 'unknown') => contract.cannotRevert({ license, reason });

/** Gives licences of a plan the state that they had at a time: all of them, or none. */
export async function revertLicenses(
  { db, clock }: Deps,
  { uuid: planUuid, licenses: wanted, at }: Input<typeof contract.revertLicenses>,
): Promise<Output<typeof contract.revertLicenses>> {
  try {
    return await transaction(db, async (trx) => {
      const plan = await store.holdPlan(trx, planUuid);
      if (!plan) throw planNotFound();
      const uuids = [...new Set(wanted)];
      const rows = await store.licensesOfPlan(trx, planUuid, uuids);
      const missing = uuids.find((uuid) => !rows.some((row) => row.uuid === uuid));
      if (missing !== undefined) throw refused(missing, 'unknown');
      const trail = Map.groupBy(await changesOf(trx, uuids), ({ subjectUuid }) => subjectUuid);
      const bound = firstUuidAt(new Date(at.getTime() + 1));
      const changes = rows.map((before) => {
        const known = trail.get(before.uuid) ?? [];
        const later = known.filter(({ entryUuid }) => entryUuid >= bound);
        const after = restored(before, later, known[later.length]);
        if (typeof after === 'string') throw refused(before.uuid, after);
        return { before, after: { ...after, modified: clock() }, note: 'reverted' };
      });
      await store.writeLicenses(trx, planUuid, changes);
      return { reverted: changes.length };
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    // The holder has another licence of the plan by now.
    throw contract.cannotRevert({ license: null, reason: 'held_twice' }, { cause: error });
  }
}
