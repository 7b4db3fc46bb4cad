/** Names under which the LMS, or a subsidy service before it, is told to enrol although the deadline has passed. */
const LATE = ['allow_late_enrollment', 'force_enrollment'];

type Metadata = Readonly<Record<string, unknown>> | null | undefined;

/**
 * What a caller may keep with a transaction. Whether a deadline counts is decided by the policy and by staff, so these
 * keys of everybody else are dropped.
 */
export function callerMetadata(metadata: Metadata, isStaff: boolean): Metadata {
  if (!metadata || isStaff) return metadata;
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !LATE.includes(key)));
}
