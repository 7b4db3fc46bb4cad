import type { Transaction } from '@enterprise-access/db';
import type { Runtime } from '../kernel/runtime.ts';
import { type ConfigurationRow, deallocateBudget } from '../policies/index.ts';
import type { ActionType, ErrorReason } from './contract.ts';
import type { AssignmentRow } from './store.ts';
import * as store from './store.ts';

/** What one row changes to, and what is written down about it. */
export interface Transition {
  readonly before: AssignmentRow;
  readonly changes: Partial<AssignmentRow>;
  readonly action?: {
    readonly type: ActionType;
    readonly errorReason?: ErrorReason;
    readonly traceback?: string;
    readonly metadata?: Readonly<Record<string, unknown>>;
  };
  readonly reason?: string;
}

/** What an assignment holds of the budgets: its price, while it waits for its learner and nobody is redeeming it. */
export const heldCents = ({ state, redemptionUuid, priceCents }: AssignmentRow): number =>
  state === 'allocated' && redemptionUuid === null ? priceCents : 0;

type Deps = Pick<Runtime, 'ledger'>;
type Budgets = Pick<ConfigurationRow, 'subsidyAccessPolicy' | 'subsidyUuid'>;

/**
 * Changes rows that the caller has locked: rows, history, actions, what the budgets hold for them, and the counters, all in
 * the caller's transaction. What is being redeemed right now does not change this way.
 */
export async function transition(
  trx: Transaction,
  deps: Deps,
  budgets: Budgets,
  transitions: readonly Transition[],
  by: store.Doer & { readonly at: Date },
): Promise<AssignmentRow[]> {
  const changes = transitions.map(({ before, changes: each, reason = null }) => ({
    before,
    after: { ...before, ...each, modified: by.at },
    reason,
  }));
  await writeTransitions(trx, changes, by);
  const rows = changes.map(({ after }) => after);
  await store.insertActions(
    trx,
    transitions.flatMap(({ action }, at) => {
      const row = rows[at];
      return action && row ? [{ ...action, row, actionType: action.type }] : [];
    }),
    by,
  );
  const released = changes.reduce((sum, { before, after }) => sum + heldCents(before) - heldCents(after), 0);
  await release(trx, deps, budgets, released);
  await store.writeCounts(trx, store.countsOf(changes));
  return rows;
}

async function writeTransitions(trx: Transaction, changes: readonly store.RowChange[], by: store.Doer & { at: Date }) {
  await store.overwriteRows(
    trx,
    changes.map(({ after }) => after),
  );
  await store.rememberRows(trx, changes, { userId: by.userId, at: by.at });
}

async function release(trx: Transaction, deps: Deps, budgets: Budgets, cents: number): Promise<void> {
  const { subsidyAccessPolicy: policyUuid, subsidyUuid } = budgets;
  if (cents === 0 || policyUuid === null || subsidyUuid === null) return;
  await deps.ledger.release(trx, subsidyUuid, cents);
  await deallocateBudget(trx, policyUuid, cents);
}
