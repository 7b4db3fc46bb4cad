import { foldEmail } from '../kernel/email.ts';
import { newUuid } from '../kernel/ids.ts';
import { type AssignmentRow, isHeld, type RowChange } from './store.ts';

/** What a list of learners is allocated. */
export interface Terms {
  readonly configurationUuid: string;
  readonly enterpriseCustomerUuid: string;
  /** As given by the administrator: a course or a run. */
  readonly contentKey: string;
  readonly priceCents: number;
  readonly batchUuid: string;
  readonly adminLmsUserId: number | null;
  readonly content: {
    /** Always the course (R-ASG-15). */
    readonly contentKey: string;
    readonly courseRunKey: string | null;
    readonly title: string | null;
  };
  readonly at: Date;
  /** Of the call that allocates. */
  readonly correlationId: string | null;
}

export type Outcome = 'created' | 'reallocated' | 'touched' | 'no_change' | 'not_covered';

/** Planned change for one address. */
export interface Planned {
  readonly email: string;
  readonly outcome: Outcome;
  /** The row after the allocation; null if the budget does not cover it. */
  readonly row: AssignmentRow | null;
  readonly change: RowChange | null;
}

export interface KnownLearners {
  /** Accounts by folded address. */
  readonly accounts: ReadonlyMap<string, number>;
  /** Rows of the configuration for the content, in any state. */
  readonly existing: readonly AssignmentRow[];
}

/** Removes duplicates; keeps the order and the first spelling (R-ASG-12). */
export function uniqueEmails(emails: readonly string[]): string[] {
  const first = new Map<string, string>();
  for (const email of emails) if (!first.has(foldEmail(email))) first.set(foldEmail(email), email);
  return [...first.values()];
}

/**
 * Plans an allocation for each address (R-ASG-14 to R-ASG-17). Learners are found by address or account. Learners who
 * hold the content are skipped, ended rows are restarted instead of adding a second one. Only new and restarted rows
 * cost something, and at most `affordable` of them are planned.
 */
export function planAllocation(
  terms: Terms,
  emails: readonly string[],
  known: KnownLearners,
  affordable = Number.POSITIVE_INFINITY,
): Planned[] {
  const byEmail = Map.groupBy(known.existing, (row) => foldEmail(row.learnerEmail));
  const byAccount = Map.groupBy(
    known.existing,
    (row) => row.lmsUserId ?? known.accounts.get(foldEmail(row.learnerEmail)),
  );
  const takenRows = new Set<string>();
  const takenAccounts = new Set<number>();
  let charged = 0;
  return emails.map((email): Planned => {
    const key = foldEmail(email);
    const ofAddress = byEmail.get(key) ?? [];
    // If the address has no account, use that of its last assignment: the learner may have changed the address.
    const account = known.accounts.get(key) ?? best(ofAddress, null)?.lmsUserId ?? null;
    const found = best([...ofAddress, ...((account !== null && byAccount.get(account)) || [])], account);
    const holds = found !== undefined && isHeld(found);
    // Two addresses with one account are the same learner.
    const isRepeat = (found && takenRows.has(found.uuid)) || (!holds && account !== null && takenAccounts.has(account));
    if (isRepeat) return { email, outcome: 'no_change', row: found ?? null, change: null };
    if (found) takenRows.add(found.uuid);
    if (account !== null) takenAccounts.add(account);
    if (holds) {
      const after = touched(terms, found, account);
      if (after === found) return { email, outcome: 'no_change', row: found, change: null };
      return { email, outcome: 'touched', row: after, change: { before: found, after } };
    }
    if (charged >= affordable) return { email, outcome: 'not_covered', row: null, change: null };
    charged += 1;
    const after = found ? restarted(terms, found, email, account) : created(terms, email, account);
    return {
      email,
      outcome: found ? 'reallocated' : 'created',
      row: after,
      change: { before: found ?? null, after },
    };
  });
}

/** The best row: active ones first, then those of the account, then the latest. */
function best(rows: readonly AssignmentRow[], account: number | null): AssignmentRow | undefined {
  const rank = (row: AssignmentRow): number =>
    (isHeld(row) ? 2 : 0) + (account !== null && row.lmsUserId === account ? 1 : 0);
  return rows.reduce<AssignmentRow | undefined>((found, row) => {
    if (!found) return row;
    const difference = rank(row) - rank(found);
    return difference > 0 || (difference === 0 && row.allocatedAt > found.allocatedAt) ? row : found;
  }, undefined);
}

/** R-ASG-15. */
function keysOf({ contentKey, content }: Terms) {
  const isRun = content.contentKey !== contentKey;
  return {
    preferredCourseRunKey: content.courseRunKey,
    parentContentKey: isRun ? content.contentKey : null,
    isAssignedCourseRun: isRun,
  };
}

/** R-ASG-16: adds a missing account, and updates allocated rows to the advertised run. */
function touched(terms: Terms, row: AssignmentRow, account: number | null): AssignmentRow {
  const keys = keysOf(terms);
  const linked = row.lmsUserId === null && account !== null ? { lmsUserId: account } : {};
  const isStale =
    row.state === 'allocated' &&
    (row.preferredCourseRunKey !== keys.preferredCourseRunKey ||
      row.parentContentKey !== keys.parentContentKey ||
      row.isAssignedCourseRun !== keys.isAssignedCourseRun);
  if (!isStale && Object.keys(linked).length === 0) return row;
  return { ...row, ...linked, ...(isStale ? keys : {}), modified: terms.at };
}

const fresh = {
  state: 'allocated',
  acceptedAt: null,
  cancelledAt: null,
  expiredAt: null,
  erroredAt: null,
  reversedAt: null,
  expirationReason: null,
  retireAddressFrom: null,
  transactionUuid: null,
  redemptionUuid: null,
  notifiedAt: null,
  notifyErroredAt: null,
  remindedAt: null,
  errorActionType: null,
  errorReason: null,
} as const;

const common = (terms: Terms) => ({
  ...fresh,
  ...keysOf(terms),
  contentTitle: terms.content.title?.slice(0, 255) ?? null,
  priceCents: terms.priceCents,
  allocatedAt: terms.at,
  allocationBatchUuid: terms.batchUuid,
  adminLmsUserId: terms.adminLmsUserId,
  correlationId: terms.correlationId,
  modified: terms.at,
});

/**
 * Restarts a row with the given address, because the learner's address may have changed or been cleared. An equal
 * address keeps its spelling.
 */
const restarted = (terms: Terms, row: AssignmentRow, email: string, account: number | null): AssignmentRow => ({
  ...row,
  ...common(terms),
  learnerEmail: foldEmail(row.learnerEmail) === foldEmail(email) ? row.learnerEmail : email,
  lmsUserId: account ?? row.lmsUserId,
});

const created = (terms: Terms, email: string, account: number | null): AssignmentRow => ({
  uuid: newUuid(),
  assignmentConfigurationUuid: terms.configurationUuid,
  enterpriseCustomerUuid: terms.enterpriseCustomerUuid,
  learnerEmail: email,
  lmsUserId: account,
  contentKey: terms.contentKey,
  ...common(terms),
  created: terms.at,
});
