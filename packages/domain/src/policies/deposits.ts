import { createHash } from 'node:crypto';
import { appendToOutbox, type Database, type Row, transaction } from '@enterprise-access/db';
import type { Actor } from '../kernel/actor.ts';
import type { Input } from '../kernel/contract.ts';
import { idempotencyKeyReused } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import { LedgerRefusal } from '../kernel/ports/ledger.ts';
import { finishEach, orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import * as contract from './contract.ts';
import { policyChanged } from './events.ts';
import { get, policyNotFound, remember } from './service.ts';
import * as store from './store.ts';
import { type PolicyRow, policies, policyDeposits } from './tables.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'ledger' | 'catalog' | 'settings'>;

/** A stored intent to add value. */
interface Intent {
  readonly policyUuid: string;
  readonly enterpriseCustomerUuid: string;
  readonly key: string;
  readonly quantityCents: number;
  readonly salesContractReferenceId: string;
  readonly actorUserId: number | null;
}

/** Callers share no keys. */
function keyOf(actor: Actor, policyUuid: string, header: string | null): string {
  const ofCaller = header && createHash('sha256').update(`${actor.username}\n${header}`).digest('hex');
  return `policy-deposit-${policyUuid}-${ofCaller ?? newUuid()}`;
}

/**
 * Adds value once per key: the intent is stored first, the ledger adds under its key, and then limit and intent are
 * closed together. What a crash leaves open is finished by a repeat under the key, or by `resumeDeposits`.
 */
export async function deposit(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.deposit>,
  idempotencyKey: string | null,
): Promise<contract.Policy> {
  const policy = await store.find(deps.db, input.uuid);
  if (!policy) throw policyNotFound();
  const { uuid: policyUuid, enterpriseCustomerUuid } = policy;
  const key = keyOf(actor, input.uuid, idempotencyKey);
  const { quantityCents, salesContractReferenceId } = input;
  const intent = {
    policyUuid,
    enterpriseCustomerUuid,
    key,
    quantityCents,
    salesContractReferenceId,
    actorUserId: actor.userId,
  };
  await storeIntent(deps.db, intent, deps.clock());
  const refusal = await orUnavailable(completeDeposit(deps, intent));
  if (refusal) throw contract.depositRefused({ reason: refusal.code }, { cause: refusal, message: refusal.message });
  return get(deps, input.uuid);
}

/** A key is one deposit for ever; what was refused under it may be tried again. */
async function storeIntent(db: Database, intent: Intent, now: Date): Promise<void> {
  const { key: idempotencyKey, ...asked } = intent;
  await db(policyDeposits.table)
    .insert(
      policyDeposits.encode({
        ...asked,
        uuid: newUuid(),
        idempotencyKey,
        state: 'pending',
        created: now,
        modified: now,
      }),
    )
    .onConflict()
    .ignore();
  const { quantityCents, salesContractReferenceId } = asked;
  const same = policyDeposits.encode({ idempotencyKey, quantityCents, salesContractReferenceId });
  if (!(await db(policyDeposits.table).where(same).first('uuid'))) throw idempotencyKeyReused({});
  await db(policyDeposits.table)
    .where({ idempotency_key: idempotencyKey, state: 'refused' })
    .update({ state: 'pending', modified: now });
}

/** Brings an intent to its end, whoever began it; what the ledger refuses is returned. Safe to repeat. */
async function completeDeposit(deps: Deps, intent: Intent): Promise<LedgerRefusal | null> {
  const row = await store.find(deps.db, intent.policyUuid);
  if (!row) throw policyNotFound();
  const { key: idempotencyKey, quantityCents, salesContractReferenceId } = intent;
  const request = { subsidyUuid: row.subsidyUuid, quantityCents, salesContractReferenceId, idempotencyKey };
  const now = deps.clock();
  try {
    await deps.ledger.deposit(request);
  } catch (error) {
    if (!(error instanceof LedgerRefusal)) throw error;
    await deps
      .db(policyDeposits.table)
      .where({ idempotency_key: intent.key, state: 'pending' })
      .update({ state: 'refused', modified: now });
    return error;
  }
  await transaction(deps.db, async (trx) => {
    const closed = await trx(policyDeposits.table)
      .where({ idempotency_key: intent.key, state: 'pending' })
      .update({ state: 'done', modified: now });
    if (closed === 0) return;
    const before = await store.findForUpdate(trx, intent.policyUuid);
    if (!before || before.spendLimitCents === null) return;
    const spendLimitCents = before.spendLimitCents + intent.quantityCents;
    const after = { ...before, spendLimitCents, modified: now } as PolicyRow;
    await policies.patch(trx, intent.policyUuid, { spendLimitCents, modified: now });
    await remember(trx, after, { type: '~', actorUserId: intent.actorUserId, reason: 'Deposit' }, now);
    await appendToOutbox(trx, now, [policyChanged('updated', after)]);
  });
  return null;
}

/** Finishes deposits that a crash or a silent ledger left open before the given time. */
export async function resumeDeposits(
  deps: Deps & Pick<Runtime, 'log'>,
  options: { before: Date; limit: number },
): Promise<{ found: number; open: number }> {
  const rows = await pendingBefore(deps.db, options.before, options.limit);
  return finishEach(
    rows,
    (row) => completeDeposit(deps, { ...row, key: row.idempotencyKey }),
    (row, err) => deps.log.warn({ policy: row.policyUuid, err }, 'deposit stays pending'),
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
