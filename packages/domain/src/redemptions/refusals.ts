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

/** The refusal of a redeem, with contacts for the learner. */
export async function refused(
  deps: Pick<Runtime, 'lms'>,
  actor: Actor,
  policy: PolicyRow,
  reason: string,
  contentKey: string,
) {
  redemptionDecided.publish({ outcome: 'refused', reason });
  if (reason === PRICE_UNKNOWN) return priceUnknown(contentKey);
  const contacts = await contactsOf(deps, actor, policy.enterpriseCustomerUuid);
  return contract.notRedeemable({ reason, reasons: [refusalReason(reason, [policy.uuid], contacts)] });
}

/** The content has no price in the catalog. */
export const priceUnknown = (contentKey: string) =>
  contract.priceUnknown({ contentKey }, { message: `Could not determine price for content_key: ${contentKey}` });

const PREFIX = 'Subsidy Transaction API error: ';

/** The ledger or the LMS refused an earlier attempt; `code` is null if none was stored. */
export const spendRefused = (code: string | null) =>
  contract.spendRefused({
    reason: code ?? 'transaction_creation_error',
    detail: PREFIX + sentenceOf(code ?? 'transaction_creation_error'),
    subsidyStatusCode: '422',
    body: null,
  });

/** The ledger cannot order the content from its provider. */
export const unfulfillable = (problem: string) =>
  contract.spendRefused({
    reason: 'fulfillment_error',
    detail: PREFIX + problem,
    subsidyStatusCode: '422',
    body: null,
  });

/** The refusal of this attempt, with the reply of a remote ledger. */
export function settlementRefused({ code, status, body }: Extract<Settlement, { outcome: 'refused' }>) {
  if (body === undefined) return spendRefused(code);
  const said = jsonObjectOf(body);
  const text = (said === null ? body : said.detail) || sentenceOf(code);
  const detail = typeof text === 'string' ? text : JSON.stringify(text);
  return contract.spendRefused({
    reason: typeof said?.code === 'string' ? said.code : code,
    detail: PREFIX + detail,
    subsidyStatusCode: String(status),
    body: said === null ? null : body,
  });
}

/** Learners can redeem for themselves only. */
export const notForOthers = () => missing(policyPermissions.has_redemption_access);
