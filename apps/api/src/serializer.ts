import { snakeCase } from '@enterprise-access/domain';
import fastJson from 'fast-json-stringify';
import { z } from 'zod';

type Json = Record<string, unknown>;

/** Turns `T | null` into the form that the serializer compiles; of other unions it would have to try each option. */
function asNullable(json: Json): void {
  const options = json['anyOf'] as Json[] | undefined;
  const [inner, nothing] = options ?? [];
  if (options?.length !== 2 || !inner || nothing?.['type'] !== 'null' || '$ref' in inner) return;
  delete json['anyOf'];
  Object.assign(json, inner, { nullable: true });
}

/** What the serializer needs to know of a schema whose values are in wire form: names, types, and which are times. */
function shapeOf(schema: z.ZodType): Json {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io: 'output',
    unrepresentable: 'any',
    reused: 'inline',
    override: ({ zodSchema, jsonSchema }) => {
      const node = jsonSchema as Json;
      if (zodSchema._zod.def.type === 'date') Object.assign(node, { type: 'string', format: 'date-time' });
      asNullable(node);
      const properties = node['properties'] as Json | undefined;
      if (properties)
        node['properties'] = Object.fromEntries(Object.entries(properties).map(([k, v]) => [snakeCase(k), v]));
      const required = node['required'] as string[] | undefined;
      if (required) node['required'] = required.map(snakeCase);
    },
  }) as Json;
  return json;
}

/**
 * Compiles the writer of a reply: one pass over a known shape, several times faster than a search for what a value
 * holds. Fields that the schema does not name are left out; a required one that is missing is an error.
 */
export const serializerOf = (schema: z.ZodType): ((body: unknown) => string) => fastJson(shapeOf(schema));
