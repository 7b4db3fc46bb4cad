import { recordChanges, transaction } from '@enterprise-access/db';
import type { Input, Output } from '../../kernel/contract.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import * as store from '../store.ts';
import { subscriptionPlans as plans } from '../tables.ts';
import type * as contract from './priority-contract.ts';
import { planNotFound } from './service.ts';

export async function setPriority(
  { db, clock }: Pick<Runtime, 'db' | 'clock'>,
  { uuid, priority }: Input<typeof contract.setPriority>,
): Promise<Output<typeof contract.setPriority>> {
  await transaction(db, async (trx) => {
    const before = await store.holdPlan(trx, uuid);
    if (!before) throw planNotFound();
    if (before.priority === priority) return;
    const modified = clock();
    await trx(plans.table).where({ uuid }).update(plans.encode({ priority, modified }));
    recordChanges(trx, plans, [{ before, after: { ...before, priority, modified } }]);
  });
  return { priority };
}
