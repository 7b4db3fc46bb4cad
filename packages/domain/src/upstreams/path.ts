/** A path below the root of a service. Only `path` makes one, so nothing unencoded can get into it. */
export interface Path {
  /** Null when a value cannot be a segment; then there is no such resource. */
  readonly text: string | null;
}

/**
 * One encoded segment; null for what the URL standard would resolve or drop (`.`, `..`, nothing) and for text that
 * cannot be encoded. The service's token must not reach another resource than the one that was meant.
 */
function segmentOf(value: string): string | null {
  if (value === '' || value === '.' || value === '..' || !value.isWellFormed()) return null;
  return encodeURIComponent(value);
}

/** Builds the path of a call: every value becomes exactly one segment. */
export function path(parts: TemplateStringsArray, ...values: readonly string[]): Path {
  let text = parts[0] ?? '';
  for (const [index, value] of values.entries()) {
    const segment = segmentOf(value);
    if (segment === null) return { text: null };
    text += segment + (parts[index + 1] ?? '');
  }
  return { text };
}
