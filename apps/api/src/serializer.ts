import fastJson from 'fast-json-stringify';
import { z } from 'zod';

/** The parts of a JSON Schema that are used here. */
interface Schema {
  type?: string;
  format?: string;
  nullable?: boolean;
  $ref?: string;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
}

/** Rewrites `T | null` as nullable, which the serializer compiles; for other unions it tries each option. */
function asNullable(schema: Schema): void {
  const [inner, nothing, ...others] = schema.anyOf ?? [];
  if (!inner || nothing?.type !== 'null' || others.length > 0 || inner.$ref !== undefined) return;
  delete schema.anyOf;
  Object.assign(schema, inner, { nullable: true });
}

/** Converts a zod schema for the serializer: wire names, types, and which values are times. */
function shapeOf(schema: z.ZodType, rename: (name: string) => string): object {
  const { $schema: _dialect, ...shape } = z.toJSONSchema(schema, {
    io: 'output',
    unrepresentable: 'any',
    reused: 'inline',
    override: ({ zodSchema, jsonSchema }) => {
      const node = jsonSchema as Schema;
      if (zodSchema._zod.def.type === 'date') Object.assign(node, { type: 'string', format: 'date-time' });
      asNullable(node);
      const { properties, required } = node;
      if (properties)
        node.properties = Object.fromEntries(Object.entries(properties).map(([name, of]) => [rename(name), of]));
      if (required) node.required = required.map(rename);
    },
  });
  return shape;
}

/**
 * Compiles the serializer of a reply: one pass over a known shape, several times faster than `JSON.stringify`. Fields
 * that are not in the schema are omitted; a missing required field is an error. `rename` maps field names to wire
 * names.
 */
export const serializerOf = (
  schema: z.ZodType,
  rename: (name: string) => string = (name) => name,
): ((body: unknown) => string) => fastJson(shapeOf(schema, rename));
