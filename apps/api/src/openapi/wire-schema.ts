import { snakeCase } from '@enterprise-access/domain';
import { z } from 'zod';
import { isJson, type Json } from './json.ts';

type Direction = 'input' | 'output';

/** Keywords whose values are names or data of callers, never schemas of their own. */
const VERBATIM = new Set(['enum', 'const', 'default', 'examples', 'required']);

/** JSON Schema of a contract's value on the wire: snake_case names, times as text. */
export const wireSchema = (schema: z.ZodType, io: Direction): Json => jsonSchema(schema, io, snakeCase);

/** JSON Schema of a body in the form of the old services, which is written in the names of the wire. */
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

/** The schema in the words that generators of clients understand best. */
function readable(node: unknown, io: Direction): unknown {
  if (Array.isArray(node)) return node.map((each) => readable(each, io));
  if (!isJson(node)) return node;
  const inner = Object.fromEntries(
    Object.entries(node).map(([name, value]) => {
      if (VERBATIM.has(name)) return [name, value];
      // Below `properties` every name is a field, also one that is called "required".
      if (name === 'properties' && isJson(value))
        return [name, Object.fromEntries(Object.entries(value).map(([key, field]) => [key, readable(field, io)]))];
      return [name, readable(value, io)];
    }),
  );
  const steps = [wholeNumber, uuid, nullable, ...(io === 'output' ? [open] : [])];
  return steps.reduce((json, step) => step(json), inner);
}

/** Amounts of cents do not fit in 32 bits; the bounds of a safe integer say nothing that a reader wants to know. */
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

/** The format says it already. */
function uuid(json: Json): Json {
  if (json.format !== 'uuid' && json.format !== 'guid') return json;
  const { pattern: _pattern, ...others } = json;
  return { ...others, format: 'uuid' };
}

const isNull = (json: unknown): boolean => isJson(json) && json.type === 'null';

/** A plain value that may be null needs no union of schemas. */
function nullable(json: Json): Json {
  const { anyOf, ...others } = json;
  if (!Array.isArray(anyOf) || anyOf.length !== 2 || !anyOf.some(isNull)) return json;
  const [value] = anyOf.filter((each) => !isNull(each)) as [Json];
  if (typeof value?.type !== 'string' || value.title !== undefined || value.enum !== undefined) return json;
  return { ...value, ...others, type: [value.type, 'null'] };
}

/** Replies may gain fields; a client that refused unknown ones would break. */
function open(json: Json): Json {
  if (json.additionalProperties !== false) return json;
  const { additionalProperties: _closed, ...others } = json;
  return others;
}
