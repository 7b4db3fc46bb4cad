import { snakeCase } from '@enterprise-access/domain';
import { z } from 'zod';
import { isJson, type Json } from './json.ts';

type Direction = 'input' | 'output';

/** Keywords whose values are data, not schemas. */
const VERBATIM = new Set(['enum', 'const', 'default', 'examples', 'required']);

/** JSON Schema of a contract's value on the wire: snake_case names, times as text. */
export const wireSchema = (schema: z.ZodType, io: Direction): Json => jsonSchema(schema, io, snakeCase);

/** JSON Schema of a body in the format of the old services, whose schema already has wire names. */
export const bodySchema = (schema: z.ZodType): Json => jsonSchema(schema, 'output', (name) => name);

function jsonSchema(schema: z.ZodType, io: Direction, rename: (name: string) => string): Json {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'date') Object.assign(jsonSchema, { type: 'string', format: 'date-time' });
      if (jsonSchema.properties) {
        jsonSchema.properties = Object.fromEntries(
          Object.entries(jsonSchema.properties).map(([name, value]) => [rename(name), value]),
        );
      }
      if (jsonSchema.required) jsonSchema.required = jsonSchema.required.map(rename);
    },
  }) as Json;
  return readable(json, io) as Json;
}

/** Simplifies a schema to the forms that client generators support best. */
function readable(node: unknown, io: Direction): unknown {
  if (Array.isArray(node)) return node.map((each) => readable(each, io));
  if (!isJson(node)) return node;
  const inner = Object.fromEntries(
    Object.entries(node).map(([name, value]) => {
      if (VERBATIM.has(name)) return [name, value];
      // Keys of `properties` are field names, even if a field is called "required".
      if (name === 'properties' && isJson(value))
        return [name, Object.fromEntries(Object.entries(value).map(([key, field]) => [key, readable(field, io)]))];
      return [name, readable(value, io)];
    }),
  );
  const steps = [wholeNumber, uuid, nullable, ...(io === 'output' ? [open] : [])];
  return steps.reduce((json, step) => step(json), inner);
}

/** Declares integers beyond 32 bits, such as cents, as int64, and drops the bounds of safe integers. */
function wholeNumber(json: Json): Json {
  if (json.type !== 'integer') return json;
  const { minimum, maximum, ...others } = json;
  return {
    ...others,
    format: 'int64',
    ...(minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? {} : { minimum }),
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? {} : { maximum }),
  };
}

/** Drops the pattern: `format: uuid` is enough. */
function uuid(json: Json): Json {
  if (json.format !== 'uuid' && json.format !== 'guid') return json;
  const { pattern: _pattern, ...others } = json;
  return { ...others, format: 'uuid' };
}

const isNull = (json: unknown): boolean => isJson(json) && json.type === 'null';

/** Writes a nullable plain value as a list of types instead of a union. */
function nullable(json: Json): Json {
  const { anyOf, ...others } = json;
  if (!Array.isArray(anyOf) || anyOf.length !== 2 || !anyOf.some(isNull)) return json;
  const [value] = anyOf.filter((each) => !isNull(each)) as [Json];
  if (typeof value?.type !== 'string' || value.title !== undefined || value.enum !== undefined) return json;
  return { ...value, ...others, type: [value.type, 'null'] };
}

/** Allows unknown fields in replies, so that clients do not break when a field is added. */
function open(json: Json): Json {
  if (json.additionalProperties !== false) return json;
  const { additionalProperties: _closed, ...others } = json;
  return others;
}
