import { type Actor, missing } from '../kernel/actor.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { redemptionDecided } from '../kernel/telemetry.ts';
import { contactsOf, type PolicyRow, refusalReason } from '../policies/index.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';
import { sentenceOf } from '../upstreams/subsidy-refusals.ts';
import * as contract from './contract.ts';
import { PRICE_UNKNOWN } from './rules.ts';

/** The refusal of a redeem, with whom the learner may turn to. */
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

/** The catalog knows the content but no price for it. */
export const priceUnknown = (contentKey: string) =>
  contract.priceUnknown({ contentKey }, { message: `Could not determine price for content_key: ${contentKey}` });

/** The ledger, or the LMS behind it, said no; null where an older attempt left no code. */
export const spendRefused = (code: string | null) =>
  contract.spendRefused({
    reason: code ?? 'transaction_creation_error',
    detail: `Subsidy Transaction API error: ${sentenceOf(code ?? 'transaction_creation_error')}`,
    subsidyStatusCode: '422',
  });

/** Learners redeem for themselves only. */
export const notForOthers = () => missing(policyPermissions.has_redemption_access);
