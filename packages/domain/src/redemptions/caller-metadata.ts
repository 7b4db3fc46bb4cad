/** Metadata keys that make the LMS or the subsidy service enroll after the deadline. */
const LATE = ['allow_late_enrollment', 'force_enrollment'];

type Metadata = Readonly<Record<string, unknown>> | null | undefined;

/**
 * Metadata of a caller, without the keys above unless the caller is staff: only the policy and staff can override a
 * deadline.
 */
export function callerMetadata(metadata: Metadata, isStaff: boolean): Metadata {
  if (!metadata || isStaff) return metadata;
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !LATE.includes(key)));
}
