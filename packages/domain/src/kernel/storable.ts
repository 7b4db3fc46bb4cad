/** Deeper than real data, and far from a stack overflow. */
const MAXIMUM_DEPTH = 64;

const isStorable = (text: string): boolean => !text.includes('\u0000') && text.isWellFormed();

/**
 * Why a value cannot be stored in the database, as a message for the caller; null if it can. PostgreSQL cannot store
 * null characters or lone surrogates.
 */
export function storageProblemOf(value: unknown, depth = 0): string | null {
  if (typeof value === 'string')
    return isStorable(value) ? null : 'Null characters and incomplete characters are not allowed.';
  if (typeof value !== 'object' || value === null) return null;
  if (depth >= MAXIMUM_DEPTH) return `Ensure this value is nested no deeper than ${MAXIMUM_DEPTH} levels.`;
  for (const key of Object.keys(value)) {
    const problem = storageProblemOf(key) ?? storageProblemOf((value as Record<string, unknown>)[key], depth + 1);
    if (problem !== null) return problem;
  }
  return null;
}
