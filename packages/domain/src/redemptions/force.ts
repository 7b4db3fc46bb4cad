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

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings'>;

/**
 * Support redeems for a learner, whatever the enrollment deadline. The record is stored before anything is spent and
 * says afterwards how it ended; spending itself is the ordinary way, so that no limit is passed by.
 */
export async function force(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.force>,
): Promise<contract.ForcedRedemption> {
  const policy = await findPolicy(deps.db, input.policyUuid);
  if (!policy) throw policyNotFound();
  const record = await open(deps, actor, policy, input);
  if (record.redeemedAt !== null || record.waitToRedeem) return viewOf(record);
  const by = { actorUserId: actor.userId };
  try {
    const { lmsUserId, contentKey } = input;
    const metadata = await metadataOf(deps, policy, input);
    await allocate(deps, actor, policy, input);
    const made = await spendThrough(deps, actor, policy, { lmsUserId, contentKey, metadata, skipsDeadline: true });
    const done = { transactionUuid: made.uuid, redeemedAt: made.modified, erroredAt: null, traceback: null };
    return viewOf(
      await transaction(deps.db, (trx) => store.update(trx, record.uuid, done, { ...by, at: deps.clock() })),
    );
  } catch (error) {
    const at = deps.clock();
    const failed = { erroredAt: at, traceback: failureText(error) };
    await transaction(deps.db, (trx) => store.update(trx, record.uuid, failed, { ...by, at })).catch((err: unknown) => {
      deps.log.error({ err, forcedRedemption: record.uuid }, 'the failure of a forced redemption was not recorded');
    });
    throw error;
  }
}

const viewOf = ({ enterpriseCustomerUuid: _customer, ...view }: store.ForcedRedemption): contract.ForcedRedemption =>
  view;

/** What is redeemed through an assigned policy is assigned first (R-RED-60). */
async function allocate(deps: Deps, actor: Actor, policy: PolicyRow, input: Input<typeof contract.force>) {
  if (policy.accessMethod !== 'assigned') return;
  const refusal = await allocateForced(deps, actor, policy, input);
  if (refusal === null) return;
  const { reason, decisionUuid } = refusal;
  const contacts = await contactsOf(deps, actor, policy.enterpriseCustomerUuid);
  throw contract.notRedeemable({ reason, reasons: [refusalReason(reason, [policy.uuid], contacts)], decisionUuid });
}

/** Executive education also wants the learner's consent and address. */
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
    // Without a learner nothing will be spent.
    geag_email: learner?.email ?? null,
  };
}

/** The record to go on with: the open one, the one whose enrolment stands, or a new one. */
async function open(
  deps: Deps,
  actor: Actor,
  policy: PolicyRow,
  input: Input<typeof contract.force>,
): Promise<store.ForcedRedemption> {
  const subject = { policyUuid: policy.uuid, lmsUserId: input.lmsUserId, courseRunKey: input.contentKey };
  const latest = await store.findLatest(deps.db, subject);
  if (latest && latest.redeemedAt !== null && (await stands(deps, policy, latest))) return latest;
  // After a reversal the old record is history, and the next attempt has its own.
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
      const record = {
        uuid,
        enterpriseCustomerUuid,
        ...subject,
        ...asked,
        ...unattempted,
        created: now,
        modified: now,
      };
      if (await store.insert(trx, record, actor.userId)) return record;
    }
    return store.update(trx, uuid, asked, { actorUserId: actor.userId, at: now });
  });
}

async function stands(deps: Deps, policy: PolicyRow, record: store.ForcedRedemption): Promise<boolean> {
  const { lmsUserId, courseRunKey, transactionUuid } = record;
  const query = { subsidyUuids: [policy.subsidyUuid], lmsUserId, contentKeys: [courseRunKey] };
  const transactions = await orUnavailable(deps.ledger.transactions(query));
  const made = transactions.find(({ uuid }) => uuid === transactionUuid);
  // The subsidy of a policy can change: what is not seen any more is not spent a second time.
  return made === undefined || isStanding(made);
}

/** Words of our own only: what other services say can hold personal data. */
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
