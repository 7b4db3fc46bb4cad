import { createHash } from 'node:crypto';
import {
  appendToOutbox,
  type Database,
  defineSubject,
  insertIfAbsent,
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

type Deps = Pick<Runtime, 'db' | 'clock' | 'ledger' | 'catalog' | 'settings'>;

/** A stored intent to add value. */
interface Intent {
  readonly uuid: string;
  readonly enterpriseCustomerUuid: string;
  readonly policyUuid: string;
  readonly key: string;
  readonly quantityCents: number;
  readonly salesContractReferenceId: string;
  readonly actorUserId: number | null;
}

interface Row {
  uuid: string;
  enterprise_customer_uuid: string;
  policy_uuid: string;
  idempotency_key: string;
  quantity_cents: number;
  sales_contract_reference_id: string;
  actor_user_id: number | null;
}

type RecordedDeposit = Pick<Intent, 'policyUuid' | 'quantityCents' | 'salesContractReferenceId'> & {
  readonly uuid: string;
  readonly enterpriseCustomerUuid: string;
  readonly state: 'pending' | 'done' | 'refused';
};

export const policyDepositSubject = defineSubject<RecordedDeposit>({
  kind: 'policy_deposit',
  table: 'policy_deposits',
  customer: 'enterpriseCustomerUuid',
});

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
  const { quantityCents, salesContractReferenceId } = input;
  const intent = await storeIntent(
    deps.db,
    {
      uuid: newUuid(),
      enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
      policyUuid: policy.uuid,
      key: keyOf(actor, policy.uuid, idempotencyKey),
      quantityCents,
      salesContractReferenceId,
      actorUserId: actor.userId,
    },
    deps.clock(),
  );
  const refusal = await orUnavailable(completeDeposit(deps, intent));
  if (refusal) throw contract.depositRefused({ reason: refusal.code }, { cause: refusal, message: refusal.message });
  return get(deps, input.uuid);
}

/** A key is one deposit for ever; what was refused under it may be tried again. Answers with the intent that is stored. */
const storeIntent = (db: Database, intent: Intent, now: Date): Promise<Intent> =>
  transaction(db, async (trx) => {
    const { key: idempotency_key, quantityCents: quantity_cents } = intent;
    const sales_contract_reference_id = intent.salesContractReferenceId;
    const same = { idempotency_key, quantity_cents, sales_contract_reference_id };
    const { uuid, policyUuid: policy_uuid, actorUserId: actor_user_id } = intent;
    const row = { uuid, policy_uuid, ...same, state: 'pending', actor_user_id, created: now, modified: now };
    if (await insertIfAbsent(trx, 'policy_deposits', row)) {
      remember(trx, intent, null, 'pending');
      return intent;
    }
    const found: { uuid: string } | undefined = await trx('policy_deposits').where(same).first('uuid');
    if (!found) throw idempotencyKeyReused({});
    const stored = { ...intent, uuid: found.uuid };
    await setState(trx, stored, ['refused', 'pending'], now);
    return stored;
  });

/** Moves an intent from one state to another; false when it is not in the first. */
async function setState(
  trx: Transaction,
  intent: Intent,
  [from, to]: readonly [RecordedDeposit['state'], RecordedDeposit['state']],
  now: Date,
): Promise<boolean> {
  const at = { idempotency_key: intent.key, state: from };
  if ((await trx('policy_deposits').where(at).update({ state: to, modified: now })) === 0) return false;
  remember(trx, intent, from, to);
  return true;
}

function remember(
  trx: Transaction,
  { uuid, enterpriseCustomerUuid, policyUuid, quantityCents, salesContractReferenceId }: Intent,
  from: RecordedDeposit['state'] | null,
  state: RecordedDeposit['state'],
): void {
  const after = { uuid, enterpriseCustomerUuid, policyUuid, quantityCents, salesContractReferenceId, state };
  recordChanges(trx, policyDepositSubject, [{ before: from && { ...after, state: from }, after }]);
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
    await transaction(deps.db, (trx) => setState(trx, intent, ['pending', 'refused'], now));
    return error;
  }
  await transaction(deps.db, async (trx) => {
    if (!(await setState(trx, intent, ['pending', 'done'], now))) return;
    const before = await store.findForUpdate(trx, intent.policyUuid);
    if (!before || before.spendLimitCents === null) return;
    const spendLimitCents = before.spendLimitCents + intent.quantityCents;
    const after = { ...before, spendLimitCents, modified: now } as store.PolicyRow;
    await store.policies.patch(trx, intent.policyUuid, { spendLimitCents, modified: now });
    recordChanges(trx, store.policySubject, [{ before, after, note: 'deposit' }]);
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
    (row) =>
      completeDeposit(deps, {
        uuid: row.uuid,
        enterpriseCustomerUuid: row.enterprise_customer_uuid,
        policyUuid: row.policy_uuid,
        key: row.idempotency_key,
        quantityCents: row.quantity_cents,
        salesContractReferenceId: row.sales_contract_reference_id,
        actorUserId: row.actor_user_id,
      }),
    (row, err) => deps.log.warn({ policy: row.policy_uuid, err }, 'deposit stays pending'),
  );
}

const pendingBefore = (db: Database, before: Date, limit: number): Promise<Row[]> =>
  db('policy_deposits as d')
    .join('policies as p', 'p.uuid', 'd.policy_uuid')
    .where({ 'd.state': 'pending' })
    .where('d.modified', '<', before)
    .orderBy('d.modified')
    .limit(limit)
    .select('d.*', 'p.enterprise_customer_uuid');

export const countPendingDeposits = async (db: Database, before: Date): Promise<number> => {
  const row = await db('policy_deposits')
    .where({ state: 'pending' })
    .where('modified', '<', before)
    .count({ n: '*' })
    .first();
  return Number(row?.n ?? 0);
};
