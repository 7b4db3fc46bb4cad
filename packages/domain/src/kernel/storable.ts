/** Deeper than anybody nests on purpose, and far from where walking by recursion would end. */
const MAXIMUM_DEPTH = 64;

const isStorable = (text: string): boolean => !text.includes('\u0000') && text.isWellFormed();

/**
 * What keeps a value out of the database whatever its field allows, in words for the caller; null if nothing does.
 * PostgreSQL stores neither null characters nor halves of surrogate pairs.
 */
export function flawOf(value: unknown, depth = 0): string | null {
  if (typeof value === 'string')
    return isStorable(value) ? null : 'Null characters and incomplete characters are not allowed.';
  if (typeof value !== 'object' || value === null) return null;
  if (depth >= MAXIMUM_DEPTH) return `Ensure this value is nested no deeper than ${MAXIMUM_DEPTH} levels.`;
  for (const key of Object.keys(value)) {
    const flaw = flawOf(key) ?? flawOf((value as Record<string, unknown>)[key], depth + 1);
    if (flaw !== null) return flaw;
  }
  return null;
}
