import type { Runtime } from '../kernel/runtime.ts';
import { spentCents, totalsByPolicy } from '../policies/index.ts';
import { hasPending } from '../redemptions/index.ts';
import type { Discrepancy } from './audit.ts';

/**
 * Compares every policy's total with the amount that a remote ledger reports. Policies with pending redemptions are
 * skipped, because those may be in one of the two only.
 */
export async function auditDrift({ db, ledger }: Pick<Runtime, 'db' | 'ledger'>): Promise<Discrepancy[]> {
  const found: Discrepancy[] = [];
  for (const { uuid, subsidyUuid, spentCents: before } of await totalsByPolicy(db)) {
    if (await hasPending(db, uuid)) continue;
    const counted = await ledger.spentCents(subsidyUuid, uuid);
    const stored = await spentCents(db, uuid);
    if (stored === undefined || stored === counted || stored !== before || (await hasPending(db, uuid))) continue;
    found.push({ what: 'policy', id: uuid, stored, counted });
  }
  return found;
}
