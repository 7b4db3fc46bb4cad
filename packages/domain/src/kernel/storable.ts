/** Deeper than anybody nests on purpose, and far from where walking by recursion would end. */
const MAXIMUM_DEPTH = 64;

const isStorable = (text: string): boolean => !text.includes('\u0000') && text.isWellFormed();

/**
 * What keeps a value out of the database whatever its field allows, in words for the caller; null if nothing does.
 * PostgreSQL stores neither null characters nor halves of surrogate pairs.
 */
export function flawOf(value: unknown): string | null {
  const open: { item: unknown; depth: number }[] = [{ item: value, depth: 0 }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { item, depth } = next;
    if (typeof item === 'string' && !isStorable(item))
      return 'Null characters and incomplete characters are not allowed.';
    if (typeof item !== 'object' || item === null) continue;
    if (depth >= MAXIMUM_DEPTH) return `Ensure this value is nested no deeper than ${MAXIMUM_DEPTH} levels.`;
    for (const [key, each] of Object.entries(item)) open.push({ item: key, depth }, { item: each, depth: depth + 1 });
  }
  return null;
}
