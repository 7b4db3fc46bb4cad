import { type Decision, keepDecisions } from '../decisions/index.ts';
import { type Actor, missing } from '../kernel/actor.ts';
import type { Settlement } from '../kernel/ports/ledger.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { redemptionDecided } from '../kernel/telemetry.ts';
import { contactsOf, type PolicyRow, refusalReason } from '../policies/index.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';
import { sentenceOf } from '../upstreams/subsidy-refusals.ts';
import * as contract from './contract.ts';
import { jsonObjectOf } from './json-object.ts';
import { PRICE_UNKNOWN } from './rules.ts';

/** The refusal of a redeem, with whom the learner may turn to. Its decision is stored before the caller is told of it. */
export async function refused(
  deps: Pick<Runtime, 'lms' | 'db'>,
  actor: Actor,
  policy: PolicyRow,
  { reason, contentKey, decision }: { reason: string; contentKey: string; decision: Decision | null },
) {
  redemptionDecided.publish({ outcome: 'refused', reason });
  await keepDecisions(deps.db, [decision]);
  const decisionUuid = decision?.uuid ?? null;
  if (reason === PRICE_UNKNOWN) return priceUnknown(contentKey, decisionUuid);
  const contacts = await contactsOf(deps, actor, policy.enterpriseCustomerUuid);
  return contract.notRedeemable({ reason, reasons: [refusalReason(reason, [policy.uuid], contacts)], decisionUuid });
}

/** The catalog knows the content but no price for it. */
export const priceUnknown = (contentKey: string, decisionUuid: string | null) =>
  contract.priceUnknown(
    { contentKey, decisionUuid },
    { message: `Could not determine price for content_key: ${contentKey}` },
  );

const PREFIX = 'Subsidy Transaction API error: ';

/** The ledger, or the LMS behind it, said no in an earlier attempt; null where that left no code. */
export const spendRefused = (code: string | null, decisionUuid: string | null = null) =>
  contract.spendRefused({
    reason: code ?? 'transaction_creation_error',
    detail: PREFIX + sentenceOf(code ?? 'transaction_creation_error'),
    subsidyStatusCode: '422',
    body: null,
    decisionUuid,
  });

/** Why content that passed every check is not redeemed all the same. */
export const UNFULFILLABLE = 'fulfillment_error';

/** The ledger cannot order the content from whoever teaches it. */
export const unfulfillable = (problem: string, decisionUuid: string | null) =>
  contract.spendRefused({
    reason: UNFULFILLABLE,
    detail: PREFIX + problem,
    subsidyStatusCode: '422',
    body: null,
    decisionUuid,
  });

/** The refusal of this attempt, with what a ledger that is not ours said. */
export function settlementRefused(
  { code, status, body }: Extract<Settlement, { outcome: 'refused' }>,
  decisionUuid: string | null,
) {
  if (body === undefined) return spendRefused(code, decisionUuid);
  const said = jsonObjectOf(body);
  const text = (said === null ? body : said.detail) || sentenceOf(code);
  const detail = typeof text === 'string' ? text : JSON.stringify(text);
  return contract.spendRefused({
    reason: typeof said?.code === 'string' ? said.code : code,
    detail: PREFIX + detail,
    subsidyStatusCode: String(status),
    body: said === null ? null : body,
    decisionUuid,
  });
}

/** Learners can redeem for themselves only. */
export const notForOthers = () => missing(policyPermissions.has_redemption_access);
