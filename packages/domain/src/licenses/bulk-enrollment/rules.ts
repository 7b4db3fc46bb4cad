import { foldEmail } from '../../kernel/email.ts';
import type { LicenseRow } from '../store.ts';
import type { PairOutcome } from './contract.ts';

/** Learners and course runs of one call to the LMS (R-LIC-85). */
export const GROUP = 25;

export interface Pair {
  readonly position: number;
  /** Pairs of one call to the LMS. */
  readonly batch: number;
  readonly email: string;
  readonly courseRunKey: string;
}

export function groupsOf<T>(items: readonly T[], size: number): T[][] {
  const groups: T[][] = [];
  for (let at = 0; at < items.length; at += size) groups.push(items.slice(at, at + size));
  return groups;
}

/** Addresses without repetitions in another spelling, in their order. */
export function distinctEmails(emails: readonly string[]): string[] {
  const seen = new Map<string, string>();
  for (const email of emails) if (!seen.has(foldEmail(email))) seen.set(foldEmail(email), email);
  return [...seen.values()];
}

/** All pairs in the order of their calls: groups of learners, within them groups of course runs. */
export function pairsOf(
  emails: readonly string[],
  courseRunKeys: readonly string[],
  from: { readonly position: number; readonly batch: number },
): Pair[] {
  let { position, batch } = from;
  const pairs: Pair[] = [];
  for (const learners of groupsOf(emails, GROUP)) {
    for (const runs of groupsOf(courseRunKeys, GROUP)) {
      for (const courseRunKey of runs)
        for (const email of learners) {
          pairs.push({ position, batch, email, courseRunKey });
          position += 1;
        }
      batch += 1;
    }
  }
  return pairs;
}

type Candidate = Pick<LicenseRow, 'uuid' | 'status' | 'subscriptionPlanUuid'>;

/**
 * The licence that enrolls a learner: of those in plans that contain the course, an activated one before an assigned
 * one, then the plan that expires last (R-LIC-86). One that was chosen before an interruption stays.
 */
export function licenseFor<L extends Candidate>(
  licenses: readonly L[],
  containing: ReadonlyMap<string, { readonly expirationDate: Date }>,
  chosen: string | null,
): L | undefined {
  const rank = ({ uuid, status }: L) => (uuid === chosen ? 2 : status === 'activated' ? 1 : 0);
  const expiration = ({ subscriptionPlanUuid: plan }: L) => containing.get(plan)?.expirationDate.getTime() ?? 0;
  return licenses
    .filter(({ subscriptionPlanUuid: plan }) => containing.has(plan))
    .toSorted((a, b) => rank(b) - rank(a) || expiration(b) - expiration(a) || (a.uuid < b.uuid ? -1 : 1))[0];
}

/** The last two columns of the result (R-LIC-87). */
export const wording: Readonly<Record<PairOutcome, readonly [status: string, notes: string]>> = {
  success: ['success', ''],
  pending: ['pending', 'pending license activation'],
  failed: ['failed', ''],
  missing_subscription: ['failed', 'missing subscription'],
  invalid_address: ['failed', 'invalid email address'],
};

/** Name of the result in the storage (R-LIC-88). Does not change when the job is repeated. */
export const resultName = (bulk: { enterpriseCustomerUuid: string; uuid: string; created: Date }): string =>
  `${bulk.enterpriseCustomerUuid}/${bulk.uuid}/Bulk-Enrollment-Results-${bulk.created.toISOString()}.csv`;
