import type { z } from 'zod';
import { type Cases, type Check, type Definition, definitionOf, visit } from './schema.ts';

/** Returns true only if the schema accepts the value unchanged: nothing to strip, default or transform. */
export type Conforms = (value: unknown) => boolean;

const both =
  (a: Conforms, b: Conforms): Conforms =>
  (value) =>
    a(value) && b(value);

const checksOf = ({ checks = [] }: Definition): readonly Check[] => checks.map(({ _zod }) => _zod.def);

const isText: Conforms = (value) => typeof value === 'string';

function lengthCheck({ check, minimum = 0, maximum = 0 }: Check): Conforms | null {
  if (check === 'min_length') return (text) => (text as string).length >= minimum;
  if (check === 'max_length') return (text) => (text as string).length <= maximum;
  return null;
}

/** Combines checks; null if one of them is null. */
function every(first: Conforms, steps: readonly (Conforms | null)[]): Conforms | null {
  let all = first;
  for (const step of steps) {
    if (!step) return null;
    all = both(all, step);
  }
  return all;
}

function numberCheck({ check, value, inclusive, format }: Check): Conforms | null {
  const bound = value as number;
  if (check === 'number_format') return format === 'safeint' ? Number.isSafeInteger : null;
  if (check === 'greater_than') return inclusive ? (n) => (n as number) >= bound : (n) => (n as number) > bound;
  if (check === 'less_than') return inclusive ? (n) => (n as number) <= bound : (n) => (n as number) < bound;
  return null;
}

function numberOf(definition: Definition): Conforms | null {
  const { check, format } = definition;
  const own: Check[] = check === undefined ? [] : [{ check, ...(format === undefined ? {} : { format }) }];
  return every(Number.isFinite, [...own, ...checksOf(definition)].map(numberCheck));
}

/** Checks keys and values of a record; null if one of them cannot be checked without zod. */
function recordOf({ keyType, valueType, checks }: Definition): Conforms | null {
  const isKey = keyType && definitionOf(keyType).type === 'string' ? conformsTo(keyType) : null;
  const isAny = valueType !== undefined && definitionOf(valueType).type === 'unknown';
  const isValue = isAny ? () => true : valueType && conformsTo(valueType);
  if (!isKey || !isValue || checks?.length) return null;
  return (value) => {
    if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false;
    for (const key of Reflect.ownKeys(value)) {
      if (key === '__proto__' || !isKey(key) || !isValue((value as Record<PropertyKey, unknown>)[key])) return false;
    }
    return true;
  };
}

function objectOf(shape: Readonly<Record<string, z.ZodType>>): Conforms | null {
  const fields: (readonly [string, Conforms])[] = [];
  for (const [name, schema] of Object.entries(shape)) {
    const conforms = conformsTo(schema);
    if (!conforms) return null;
    fields.push([name, conforms]);
  }
  const names = new Set(Object.keys(shape));
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const object = value as Record<string, unknown>;
    for (const [name, conforms] of fields) if (!conforms(object[name])) return false;
    for (const name in object) if (!names.has(name)) return false;
    return true;
  };
}

const isDate: Conforms = (value) => value instanceof Date && !Number.isNaN(value.getTime());

/** Check per zod type, for types whose values zod returns unchanged; null for the others. */
const ofType: Cases<Conforms | null> = {
  string: (definition) =>
    definition.check === undefined ? every(isText, checksOf(definition).map(lengthCheck)) : null,
  number: numberOf,
  boolean: () => (value) => typeof value === 'boolean',
  null: () => (value) => value === null,
  date: ({ checks }) => (checks?.length ? null : isDate),
  enum: ({ entries }) => {
    const values = new Set<unknown>(Object.values(entries ?? {}));
    return (value) => values.has(value);
  },
  literal: ({ values = [] }) => {
    const allowed = new Set(values);
    return (value) => allowed.has(value);
  },
  nullable: ({ innerType }) => {
    const inner = innerType && conformsTo(innerType);
    return inner ? (value) => value === null || inner(value) : null;
  },
  optional: ({ innerType }) => {
    const inner = innerType && conformsTo(innerType);
    return inner ? (value) => value === undefined || inner(value) : null;
  },
  array: ({ element, checks }) => {
    const each = element && conformsTo(element);
    return each && !checks?.length ? (value) => Array.isArray(value) && value.every(each) : null;
  },
  record: recordOf,
  custom: ({ fn, checks }) => (fn && !checks?.length ? (value) => Boolean(fn(value)) : null),
  object: ({ shape, catchall, checks }) => (shape && !catchall && !checks?.length ? objectOf(shape) : null),
};

/**
 * Compiles a validator that allocates nothing, for schemas of plain types; null for other schemas. zod copies what it
 * validates, several objects per field, which was most of the memory of a request. `false` means "not proven": fall
 * back to zod, which also reports the issues.
 */
export const conformsTo = (schema: z.ZodType): Conforms | null => visit<Conforms | null>(schema, ofType, null);
