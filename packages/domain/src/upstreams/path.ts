/** A path below the base URL of a service. Only `path` creates one, so all values are encoded. */
export interface Path {
  /** Null if a value cannot be a path segment. */
  readonly text: string | null;
}

/**
 * Encodes a path segment; null for values that URL parsing would resolve or drop (`.`, `..`, empty) and for text that
 * cannot be encoded. Otherwise a caller's value could reach another resource with our token.
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
