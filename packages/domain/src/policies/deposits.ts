import { createHash } from 'node:crypto';
import {
  appendToOutbox,
  type Database,
  insertIfAbsent,
  type Row,
  recordChanges,
  type Transaction,
  transaction,
} from '@enterprise-access/db';
import type { Actor } from '../kernel/actor.ts';
import type { Input } from '../kernel/contract.ts';
import { idempotencyKeyReused } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import { LedgerRefusal } from '../kernel/ports/ledger.ts';
import { finishEach, orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import * as contract from './contract.ts';
import { policyChanged } from './events.ts';
import { get, policyNotFound } from './service.ts';
import * as store from './store.ts';
import { type PolicyRow, policies, policyDeposits } from './tables.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'ledger' | 'catalog' | 'settings'>;

/** A stored intent to add value. */
type Intent = Readonly<Row<typeof policyDeposits>>;

/** Key per caller, so that callers cannot collide. */
function keyOf(actor: Actor, policyUuid: string, header: string | null): string {
  const ofCaller = header && createHash('sha256').update(`${actor.username}\n${header}`).digest('hex');
  return `policy-deposit-${policyUuid}-${ofCaller ?? newUuid()}`;
}

/**
 * Adds value once per key: stores the intent, deposits in the ledger with its key, then raises the limit and closes
 * the intent in one transaction. After a crash, a repeat with the key or `resumeDeposits` completes it.
 */
export async function deposit(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.deposit>,
  idempotencyKey: string | null,
): Promise<contract.Policy> {
  const policy = await store.find(deps.db, input.uuid);
  if (!policy) throw policyNotFound();
  const now = deps.clock();
  const intent = await storeIntent(deps.db, {
    uuid: newUuid(),
    policyUuid: policy.uuid,
    enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
    idempotencyKey: keyOf(actor, policy.uuid, idempotencyKey),
    quantityCents: input.quantityCents,
    salesContractReferenceId: input.salesContractReferenceId,
    state: 'pending',
    actorUserId: actor.userId,
    created: now,
    modified: now,
  });
  const refusal = await orUnavailable(completeDeposit(deps, intent));
  if (refusal) throw contract.depositRefused({ reason: refusal.code }, { cause: refusal, message: refusal.message });
  return get(deps, input.uuid);
}

/** A key is one deposit for ever; what was refused under it may be tried again. Answers with the intent that is stored. */
const storeIntent = (db: Database, intent: Intent): Promise<Intent> =>
  transaction(db, async (trx) => {
    if (await insertIfAbsent(trx, policyDeposits.table, policyDeposits.encode(intent))) {
      recordChanges(trx, policyDeposits, [{ before: null, after: intent }]);
      return intent;
    }
    const { idempotencyKey, quantityCents, salesContractReferenceId } = intent;
    const same = policyDeposits.encode({ idempotencyKey, quantityCents, salesContractReferenceId });
    const found = await policyDeposits.query(trx).where(same).first();
    if (!found) throw idempotencyKeyReused({});
    await setState(trx, found, ['refused', 'pending'], intent.modified);
    return found;
  });

/** Moves an intent from one state to another; false when it is not in the first. */
async function setState(
  trx: Transaction,
  intent: Intent,
  [from, state]: readonly [Intent['state'], Intent['state']],
  modified: Date,
): Promise<boolean> {
  const { uuid } = intent;
  const changed = await trx(policyDeposits.table).where({ uuid, state: from }).update({ state, modified });
  if (changed === 0) return false;
  recordChanges(trx, policyDeposits, [{ before: { ...intent, state: from }, after: { ...intent, state } }]);
  return true;
}

/** Completes an intent; returns a refusal of the ledger. Idempotent. */
async function completeDeposit(deps: Deps, intent: Intent): Promise<LedgerRefusal | null> {
  const row = await store.find(deps.db, intent.policyUuid);
  if (!row) throw policyNotFound();
  const { idempotencyKey, quantityCents, salesContractReferenceId } = intent;
  const request = { subsidyUuid: row.subsidyUuid, quantityCents, salesContractReferenceId, idempotencyKey };
  const now = deps.clock();
  try {
    await deps.ledger.deposit(request);
  } catch (error) {
    if (!(error instanceof LedgerRefusal)) throw error;
    await transaction(deps.db, (trx) => setState(trx, intent, ['pending', 'refused'], now));
    return error;
  }
  await transaction(deps.db, async (trx) => {
    if (!(await setState(trx, intent, ['pending', 'done'], now))) return;
    const before = await store.findForUpdate(trx, intent.policyUuid);
    if (!before || before.spendLimitCents === null) return;
    const spendLimitCents = before.spendLimitCents + intent.quantityCents;
    const after = { ...before, spendLimitCents, modified: now } as PolicyRow;
    await policies.change(trx, before, after, 'deposit');
    await appendToOutbox(trx, now, [policyChanged('updated', after)]);
  });
  return null;
}

/** Completes open deposits that are older than a time, after a crash or an outage of the ledger. */
export async function resumeDeposits(
  deps: Deps & Pick<Runtime, 'log'>,
  options: { before: Date; limit: number },
): Promise<{ found: number; open: number }> {
  const rows = await pendingBefore(deps.db, options.before, options.limit);
  return finishEach(
    rows,
    (intent) => completeDeposit(deps, intent),
    ({ policyUuid: policy }, err) => deps.log.warn({ policy, err }, 'deposit stays pending'),
  );
}

const pendingBefore = async (db: Database, before: Date, limit: number): Promise<Row<typeof policyDeposits>[]> =>
  policyDeposits.query(db).where({ state: 'pending' }).where('modified', '<', before).orderBy('modified').limit(limit);

export const countPendingDeposits = async (db: Database, before: Date): Promise<number> => {
  const row = await db(policyDeposits.table)
    .where({ state: 'pending' })
    .where('modified', '<', before)
    .count({ n: '*' })
    .first();
  return Number(row?.n ?? 0);
};
