type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The text under which a schema is registered: keys sorted, spaced as the platform's Python code does it. A registry
 * gives the same id only to the same text, so this is part of the wire format (section 2.2).
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
