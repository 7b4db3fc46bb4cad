import type { LicenseRow } from '../store.ts';

/** What the audit trail says about one change of a licence. */
export interface Recorded {
  readonly action: 'created' | 'updated' | 'deleted';
  /** As the licence was after the change. */
  readonly lmsUserId: number | null;
  readonly learnerEmail: string | null;
  readonly beforeValues: Readonly<Record<string, unknown>> | null;
}

export type Unrestorable = 'not_there_yet' | 'forgotten' | 'moved';

const HIDDEN = '***';
const TIMES: ReadonlySet<string> = new Set([
  'assignedDate',
  'activationDate',
  'lastRemindDate',
  'revokedDate',
  'unlinked',
  'halfYearAnnounced',
]);

/**
 * A licence as it was before these changes, the latest first, or why that is not known. `last` is the change before
 * them. The trail hides personal data and keys: the holder is known from the record before, a key that was removed is
 * not.
 */
export function restored(
  row: LicenseRow,
  changes: readonly Recorded[],
  last: Recorded | undefined,
): LicenseRow | Unrestorable {
  if (changes.some(({ action }) => action === 'created')) return 'not_there_yet';
  const values: Record<string, unknown> = {};
  for (const { beforeValues } of changes) Object.assign(values, beforeValues);
  const holder: Readonly<Record<string, unknown>> = {
    userEmail: last?.learnerEmail ?? null,
    lmsUserId: last?.lmsUserId ?? null,
  };
  const before: Record<string, unknown> = { ...row };
  for (const [name, value] of Object.entries(values)) {
    const known = value === HIDDEN ? (holder[name] ?? null) : value;
    if (value === HIDDEN && known === null) return 'forgotten';
    before[name] = TIMES.has(name) && typeof known === 'string' ? new Date(known) : known;
  }
  return before.subscriptionPlanUuid === row.subscriptionPlanUuid ? (before as unknown as LicenseRow) : 'moved';
}
