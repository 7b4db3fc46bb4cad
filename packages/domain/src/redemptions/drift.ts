import type { Connection } from '@enterprise-access/db';
import type { Runtime } from '../kernel/runtime.ts';
import type { Discrepancy } from './audit.ts';

interface Row {
  readonly uuid: string;
  readonly subsidy_uuid: string;
  readonly spent_cents: number;
}

const hasPending = async (db: Connection, policyUuid: string): Promise<boolean> =>
  (await db('redemptions').where({ policy_uuid: policyUuid, state: 'pending' }).first('uuid')) !== undefined;

const spentNow = async (db: Connection, uuid: string): Promise<number | undefined> =>
  (await db('policies').where({ uuid }).first('spent_cents'))?.spent_cents;

/**
 * Compares every policy's total with what a ledger that is not ours says was spent through it. A policy on which something
 * is going on is left for the next time: a redemption in flight may be in one of the books and not yet in the other.
 */
export async function auditDrift({ db, ledger }: Pick<Runtime, 'db' | 'ledger'>): Promise<Discrepancy[]> {
  const policies: Row[] = await db('policies').orderBy('uuid').select('uuid', 'subsidy_uuid', 'spent_cents');
  const found: Discrepancy[] = [];
  for (const { uuid, subsidy_uuid: subsidyUuid, spent_cents: before } of policies) {
    if (await hasPending(db, uuid)) continue;
    const counted = await ledger.spentCents(subsidyUuid, uuid);
    const stored = await spentNow(db, uuid);
    if (stored === undefined || stored === counted || stored !== before || (await hasPending(db, uuid))) continue;
    found.push({ what: 'policy', id: uuid, stored, counted });
  }
  return found;
}
