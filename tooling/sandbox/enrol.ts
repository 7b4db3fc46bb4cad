import { randomUUID } from 'node:crypto';
import type { Account, Enrolment, LmsStore } from './lms-store.ts';
import { folded } from './lms-store.ts';

/** One item of LMS-17. */
export interface EnrolmentRequest {
  userId?: number | undefined;
  email?: string | undefined;
  runKey: string;
  transactionId?: string | undefined;
  licenseUuid?: string | undefined;
}

/** What became of the item; the bulk call sorts these into its lists. */
export type EnrolmentOutcome =
  | { kind: 'success'; account: Account; enrolment: Enrolment; created: boolean }
  | { kind: 'pending'; email: string }
  | { kind: 'failure'; account: Account | null; email: string }
  | { kind: 'invalid_email'; email: string }
  | { kind: 'invalid_user'; userId: number };

const isEmail = (text: string) => /^[^@\s]+@[^@\s]+$/.test(text);

/** Enrols one learner. Asking again for the same transaction or licence gives the first enrolment again. */
export function enrol(lms: LmsStore, item: EnrolmentRequest): EnrolmentOutcome {
  const { userId } = item;
  const account = userId === undefined ? lms.accountsByEmail.get(folded(item.email ?? '')) : lms.accounts.get(userId);
  if (userId !== undefined && !account) return { kind: 'invalid_user', userId };
  const email = account?.email ?? item.email ?? '';
  if (!isEmail(email)) return { kind: 'invalid_email', email };
  // Two addresses let a test provoke the other outcomes.
  if (folded(email).startsWith('fail@')) return { kind: 'failure', account: account ?? null, email };
  if (folded(email).startsWith('pending@') || !account) return { kind: 'pending', email };

  const source = item.transactionId ?? `${item.licenseUuid} ${account.lmsUserId} ${item.runKey}`;
  const known = lms.enrolmentsBySource.get(source);
  if (known) {
    const same = known.lmsUserId === account.lmsUserId && known.runKey === item.runKey;
    if (!same) return { kind: 'failure', account, email };
    return { kind: 'success', account, enrolment: known, created: false };
  }
  const enrolment = {
    fulfilmentUuid: randomUUID(),
    lmsUserId: account.lmsUserId,
    runKey: item.runKey,
    cancelled: false,
  };
  lms.enrolmentsBySource.set(source, enrolment);
  lms.enrolmentsByFulfilment.set(enrolment.fulfilmentUuid, enrolment);
  lms.enrolmentCounts.set(account.lmsUserId, (lms.enrolmentCounts.get(account.lmsUserId) ?? 0) + 1);
  return { kind: 'success', account, enrolment, created: true };
}

/** LMS-21: ends what a learner took with licences; their enrolments are known by more than a transaction. */
export function revokeEnrolments(lms: LmsStore, lmsUserId: number): void {
  for (const [source, enrolment] of lms.enrolmentsBySource)
    if (source.includes(' ') && enrolment.lmsUserId === lmsUserId) cancelFulfilment(lms, enrolment.fulfilmentUuid);
}

/** LMS-23: true when this call cancelled it, false when it was cancelled before, undefined when unknown. */
export function cancelFulfilment(lms: LmsStore, fulfilmentUuid: string): boolean | undefined {
  const enrolment = lms.enrolmentsByFulfilment.get(fulfilmentUuid);
  if (!enrolment) return undefined;
  if (enrolment.cancelled) return false;
  enrolment.cancelled = true;
  lms.enrolmentCounts.set(enrolment.lmsUserId, (lms.enrolmentCounts.get(enrolment.lmsUserId) ?? 1) - 1);
  return true;
}

/** LMS-22: ends what learners took with these licences. Asking again changes nothing. */
export function endEnrolments(lms: LmsStore, licenseUuids: readonly string[]): void {
  const licenses = new Set(licenseUuids);
  for (const [source, { fulfilmentUuid }] of lms.enrolmentsBySource) {
    const [license = ''] = source.split(' ');
    if (licenses.has(license)) cancelFulfilment(lms, fulfilmentUuid);
  }
}
