import { appendToOutbox, type Transaction } from '@enterprise-access/db';
import { intentMoved } from './events.ts';
import { canMove } from './rules.ts';
import type { State, Trigger } from './states-contract.ts';
import { claimReservation, releaseReservation } from './store.ts';
import { checkoutIntents, type IntentRow } from './tables.ts';

/** The table of transitions does not have this one. */
export class ForbiddenMove extends Error {
  override readonly name = 'ForbiddenMove';
  constructor(from: State, to: State) {
    super(`Invalid state transition from ${from} to ${to}`);
  }
}

interface Move {
  readonly to: State;
  readonly by: Trigger;
  readonly changes?: Partial<Omit<IntentRow, 'state' | 'uuid' | 'id' | 'userId'>>;
}

const held = (row: IntentRow | null) => ({
  name: row && row.state !== 'expired' ? row.enterpriseName : null,
  slug: row && row.state !== 'expired' ? row.enterpriseSlug : null,
});

/** Takes what the row holds now and frees what it no longer holds, in the order of the keys. */
async function keepReservations(
  trx: Transaction,
  before: IntentRow | null,
  after: IntentRow,
  now: Date,
): Promise<void> {
  const [old, wanted] = [held(before), held(after)];
  for (const kind of ['name', 'slug'] as const) {
    if (old[kind] === wanted[kind]) continue;
    if (wanted[kind] !== null) await claimReservation(trx, { kind, value: wanted[kind] }, after, now);
    if (old[kind] !== null) await releaseReservation(trx, { kind, value: old[kind] }, after, now);
  }
}

/** Stores a new intent with what it reserves. */
export async function beginIntent(trx: Transaction, row: IntentRow): Promise<IntentRow> {
  await checkoutIntents.insert(trx, row);
  await keepReservations(trx, null, row, row.created);
  await appendToOutbox(trx, row.created, [intentMoved(null, row)]);
  return row;
}

/**
 * Changes an intent that the caller has locked: row, trail, reservations, event. Nothing else sets a state. Throws
 * `ForbiddenMove`, and `ReservationTaken` when the intent would hold what another buyer holds.
 */
export async function moveIntent(
  trx: Transaction,
  before: IntentRow,
  { to, by, changes = {} }: Move,
  now: Date,
): Promise<IntentRow> {
  if (!canMove(before.state, to, by)) throw new ForbiddenMove(before.state, to);
  const after: IntentRow = { ...before, ...changes, state: to, modified: now };
  await checkoutIntents.change(trx, before, after);
  await keepReservations(trx, before, after, now);
  if (before.state !== to) await appendToOutbox(trx, now, [intentMoved(before.state, after)]);
  return after;
}

/** Changes an intent that the caller has locked and leaves its state. `modified` is the clock of the stalled sweep. */
export async function annotateIntent(
  trx: Transaction,
  before: IntentRow,
  changes: Partial<Omit<IntentRow, 'state' | 'enterpriseSlug' | 'enterpriseName'>>,
): Promise<IntentRow> {
  const after: IntentRow = { ...before, ...changes };
  await checkoutIntents.change(trx, before, after);
  return after;
}
