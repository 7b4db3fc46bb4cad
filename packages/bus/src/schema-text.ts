type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The text of a schema in the registry: sorted keys, and the spacing of Python's `json.dumps`, as the platform
 * registers it. A registry gives the same id only to identical texts, so this is part of the wire format.
 */
export function schemaText(schema: Json): string {
  if (Array.isArray(schema)) return `[${schema.map(schemaText).join(', ')}]`;
  if (typeof schema !== 'object' || schema === null) return JSON.stringify(schema);
  const fields = Object.entries(schema as { readonly [key: string]: Json })
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${JSON.stringify(key)}: ${schemaText(value)}`);
  return `{${fields.join(', ')}}`;
}

export type { Json };
