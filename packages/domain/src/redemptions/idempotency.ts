import { createHash } from 'node:crypto';
import { isStanding, type LedgerTransaction } from '../kernel/ports/ledger.ts';

/**
 * A Python string literal: keys must be equal to those of the old service, so that its pending redemptions stay
 * valid.
 */
function pythonLiteral(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\');
  return escaped.includes("'") && !escaped.includes('"') ? `"${escaped}"` : `'${escaped.replaceAll("'", "\\'")}'`;
}

/** Attempts that failed or were reversed: after one, a new attempt is a new spend (R-RED-24). */
export const endedAttempts = (transactions: readonly LedgerTransaction[], policyUuid: string): string[] =>
  transactions
    .filter((transaction) => transaction.subsidyAccessPolicyUuid === policyUuid)
    .filter(
      (transaction) =>
        transaction.state === 'failed' || (transaction.state === 'committed' && !isStanding(transaction)),
    )
    .map(({ uuid }) => uuid);

/** Idempotency key of a learner's attempt to redeem a content through a policy (R-RED-25). */
export function redemptionKey(
  subsidyUuid: string,
  attempt: { lmsUserId: number; contentKey: string; policyUuid: string; endedAttempts: readonly string[] },
): string {
  const history = attempt.endedAttempts.map(pythonLiteral).join(', ');
  const text = `{'lms_user_id': ${attempt.lmsUserId}, 'content_key': ${pythonLiteral(attempt.contentKey)}, 'subsidy_access_policy_uuid': ${pythonLiteral(attempt.policyUuid)}, 'historical_redemptions_uuids': [${history}]}`;
  return `ledger-for-subsidy-${subsidyUuid}-${createHash('md5').update(text, 'utf8').digest('hex')}`;
}
