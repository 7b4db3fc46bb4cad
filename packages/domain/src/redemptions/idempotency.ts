import { createHash } from 'node:crypto';
import { isStanding, type LedgerTransaction } from '../kernel/ports/ledger.ts';

/** A string in Python's literal notation: keys made by the old service for redemptions in flight stay valid. */
function pythonLiteral(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\');
  return escaped.includes("'") && !escaped.includes('"') ? `"${escaped}"` : `'${escaped.replaceAll("'", "\\'")}'`;
}

/** Attempts that are over without a standing enrolment: after one, a new attempt is a new spend (R-RED-24). */
export const endedAttempts = (transactions: readonly LedgerTransaction[], policyUuid: string): string[] =>
  transactions
    .filter((transaction) => transaction.subsidyAccessPolicyUuid === policyUuid)
    .filter(
      (transaction) =>
        transaction.state === 'failed' || (transaction.state === 'committed' && !isStanding(transaction)),
    )
    .map(({ uuid }) => uuid);

/** The key under which one learner's attempt to redeem one content through one policy is spent at most once (R-RED-25). */
export function redemptionKey(
  subsidyUuid: string,
  attempt: { lmsUserId: number; contentKey: string; policyUuid: string; endedAttempts: readonly string[] },
): string {
  const history = attempt.endedAttempts.map(pythonLiteral).join(', ');
  const text = `{'lms_user_id': ${attempt.lmsUserId}, 'content_key': ${pythonLiteral(attempt.contentKey)}, 'subsidy_access_policy_uuid': ${pythonLiteral(attempt.policyUuid)}, 'historical_redemptions_uuids': [${history}]}`;
  return `ledger-for-subsidy-${subsidyUuid}-${createHash('md5').update(text, 'utf8').digest('hex')}`;
}
