import { transaction } from '@enterprise-access/db';
import { allocateForced } from '../assignments/index.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Input } from '../kernel/contract.ts';
import { DomainError } from '../kernel/errors.ts';
import { isStanding } from '../kernel/ports/ledger.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { contactsOf, find as findPolicy, type PolicyRow, policyNotFound, refusalReason } from '../policies/index.ts';
import * as contract from './contract.ts';
import * as store from './forced-store.ts';
import { spendThrough } from './redeem.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings' | 'followAssignments'>;

/**
 * Redeems for a learner on behalf of support, even after the enrollment deadline. A record is stored before the spend
 * and updated with the result. The spend itself is an ordinary redemption, so all limits apply.
 */
export async function force(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.force>,
): Promise<contract.ForcedRedemption> {
  const policy = await findPolicy(deps.db, input.policyUuid);
  if (!policy) throw policyNotFound();
  const record = await open(deps, policy, input);
  if (record.redeemedAt !== null || record.waitToRedeem) return viewOf(record);
  try {
    const { lmsUserId, contentKey } = input;
    const metadata = await metadataOf(deps, policy, input);
    await allocate(deps, actor, policy, input);
    const made = await spendThrough(deps, actor, policy, { lmsUserId, contentKey, metadata, skipsDeadline: true });
    const done = { transactionUuid: made.uuid, redeemedAt: made.modified, erroredAt: null, traceback: null };
    return viewOf(await transaction(deps.db, (trx) => store.update(trx, record.uuid, done, deps.clock())));
  } catch (error) {
    const at = deps.clock();
    const failed = { erroredAt: at, traceback: failureText(error) };
    await transaction(deps.db, (trx) => store.update(trx, record.uuid, failed, at)).catch((err: unknown) => {
      deps.log.error({ err, forcedRedemption: record.uuid }, 'the failure of a forced redemption was not recorded');
    });
    throw error;
  }
}

const viewOf = ({ enterpriseCustomerUuid: _customer, ...view }: store.ForcedRedemption): contract.ForcedRedemption =>
  view;

/** For an assigned policy, allocates first (R-RED-60). */
async function allocate(deps: Deps, actor: Actor, policy: PolicyRow, input: Input<typeof contract.force>) {
  if (policy.accessMethod !== 'assigned') return;
  const refusal = await allocateForced(deps, actor, policy, input);
  if (refusal === null) return;
  const { reason, decisionUuid } = refusal;
  const contacts = await contactsOf(deps, actor, policy.enterpriseCustomerUuid);
  throw contract.notRedeemable({ reason, reasons: [refusalReason(reason, [policy.uuid], contacts)], decisionUuid });
}

/** Executive education also requires the learner's consent and address. */
async function metadataOf(deps: Deps, policy: PolicyRow, { lmsUserId, metadata }: Input<typeof contract.force>) {
  if (!metadata || Object.keys(metadata).length === 0) return null;
  const learner = await orUnavailable(deps.lms.learner(policy.enterpriseCustomerUuid, lmsUserId));
  return {
    ...metadata,
    geag_terms_accepted_at: deps
      .clock()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z'),
    geag_data_share_consent: true,
    // Null if the learner is not linked; the redemption is then refused.
    geag_email: learner?.email ?? null,
  };
}

/** The record to continue with: the open one, the one with a current enrollment, or a new one. */
async function open(
  deps: Deps,
  policy: PolicyRow,
  input: Input<typeof contract.force>,
): Promise<store.ForcedRedemption> {
  const subject = { policyUuid: policy.uuid, lmsUserId: input.lmsUserId, courseRunKey: input.contentKey };
  const latest = await store.findLatest(deps.db, subject);
  if (latest && latest.redeemedAt !== null && (await stands(deps, policy, latest))) return latest;
  // After a reversal, the next attempt gets a new record.
  const isOpen = latest !== null && latest.redeemedAt === null;
  const uuid = isOpen ? latest.uuid : store.uuidAfter(subject, latest?.uuid ?? null);
  const asked = { contentPriceCents: input.contentPriceCents, waitToRedeem: input.waitToRedeem };
  const now = deps.clock();
  return transaction(deps.db, async (trx) => {
    if (isOpen && latest.contentPriceCents === asked.contentPriceCents && latest.waitToRedeem === asked.waitToRedeem) {
      return latest;
    }
    if (!isOpen) {
      const unattempted = { redeemedAt: null, erroredAt: null, traceback: null, transactionUuid: null };
      const { enterpriseCustomerUuid } = policy;
      const times = { created: now, modified: now };
      const record = { uuid, enterpriseCustomerUuid, ...subject, ...asked, ...unattempted, ...times };
      if (await store.insert(trx, record)) return record;
    }
    return store.update(trx, uuid, asked, now);
  });
}

async function stands(deps: Deps, policy: PolicyRow, record: store.ForcedRedemption): Promise<boolean> {
  const { lmsUserId, courseRunKey, transactionUuid } = record;
  const query = { subsidyUuids: [policy.subsidyUuid], lmsUserId, contentKeys: [courseRunKey] };
  const transactions = await orUnavailable(deps.ledger.transactions(query));
  const made = transactions.find(({ uuid }) => uuid === transactionUuid);
  // The policy may have moved to another subsidy: if the transaction is not found there, do not spend again.
  return made === undefined || isStanding(made);
}

/** Our own message only: messages of other services can contain personal data. */
function failureText(error: unknown): string {
  const failed = (why: string): string => `Failed forced redemption: ${why}`;
  if (!(error instanceof DomainError)) return failed('unexpected error; see the log');
  const { code } = error.spec;
  if (code === contract.notRedeemable.code) {
    const details = contract.notRedeemable.details.safeParse(error.details);
    return failed(details.data?.reasons[0]?.reason ?? code);
  }
  if (code === contract.spendRefused.code) {
    const details = contract.spendRefused.details.safeParse(error.details);
    return failed(details.data?.reason ?? code);
  }
  return failed(code);
}
