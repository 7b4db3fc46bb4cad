import { demonstration } from '@enterprise-access/start/demonstration';
import fc from 'fast-check';
import { z } from 'zod';

/** The parts of a JSON Schema that inputs use; references are resolved. */
export interface InputSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly anyOf?: readonly InputSchema[];
  readonly items?: InputSchema;
  readonly properties?: Readonly<Record<string, InputSchema>>;
  readonly isDate?: true;
}

const uuids = [...Object.values(demonstration), '00000000-0000-0000-0000-000000000000'];
const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '\u0000', ''];

/** Unexpected values. */
export const strange: fc.Arbitrary<unknown> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '\u0000',
    '\ud800',
    '𝒳'.repeat(300),
    "'; drop table policies; --",
    '1e400',
    '-0',
    '..',
    'x'.repeat(5_000),
  ),
  fc.constantFrom(-1, 0, 0.5, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 1e308, Number.NaN, true, false, null),
  fc.constantFrom('0000-01-01T00:00:00Z', '9999-12-31T23:59:59-23:59', '2026-02-31T25:00Z', '2026-01-01'),
  fc.constantFrom(new Date(Number.NaN), new Date(8.64e15), new Date(-8.64e15)),
  fc.jsonValue({ maxDepth: 4 }),
  fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), fc.jsonValue(), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
);

const time = fc.date({ noInvalidDate: true, min: new Date('1970-01-01'), max: new Date('2100-01-01') });

const bounded = (of: number | undefined, otherwise: number): number =>
  Math.max(-(2 ** 31), Math.min(of ?? otherwise, 2 ** 31));

/** A value with which a field of this name leads further than the outermost checks; undefined for none. */
type Hint = (name: string) => unknown;

function valid(schema: InputSchema, name: string, hint: Hint): fc.Arbitrary<unknown> {
  const { type } = schema;
  if (typeof type === 'object') return fc.oneof(...type.map((each) => valid({ ...schema, type: each }, name, hint)));
  if (schema.isDate) return time;
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((each) => valid(each, name, hint)));
  switch (type) {
    case 'array':
      return fc.array(valid(schema.items ?? {}, name, hint), { minLength: schema.minItems ?? 0, maxLength: 4 });
    case 'integer':
    case 'number': {
      const any = fc.integer({ min: bounded(schema.minimum, -1_000), max: bounded(schema.maximum, 10_000) });
      const likely = /lms_?user_?id/i.test(name) ? fc.oneof(fc.integer({ min: 1_000, max: 1_020 }), any) : any;
      return hinted(likely, 'number', hint(name));
    }
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'object':
      return schema.properties
        ? recordOf(schema.properties, hint)
        : fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3, noNullPrototype: true });
    default:
      return hinted(text(schema, name), 'string', hint(name));
  }
}

const hinted = (any: fc.Arbitrary<unknown>, type: 'number' | 'string', value: unknown): fc.Arbitrary<unknown> =>
  typeof value === type ? fc.oneof(fc.constant(value), any) : any;

function text(schema: InputSchema, name: string): fc.Arbitrary<unknown> {
  const length = { minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 60, 300) };
  if (/uuids?$/i.test(name)) return fc.oneof(fc.constantFrom(...uuids), fc.uuid());
  if (schema.format === 'date-time') return time.map((at) => at.toISOString());
  if (/content_?keys?$/i.test(name)) return fc.oneof(fc.constant(demonstration.run), fc.string(length));
  if (/email/i.test(name)) return fc.oneof(fc.emailAddress(), fc.string(length));
  return fc.string({ ...length, unit: 'grapheme' });
}

/** A valid field; sometimes an unexpected value, or a missing field. */
const field = (schema: InputSchema, name: string, hint: Hint): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 16, arbitrary: valid(schema, name, hint) },
    { weight: 2, arbitrary: strange },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );

/** Objects with these fields, mostly as their schemas have them. */
export const recordOf = (properties: Readonly<Record<string, InputSchema>>, hint: Hint = () => undefined) =>
  fc.record(Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, field(schema, name, hint)])), {
    noNullPrototype: true,
  });

/** Inputs of an operation: mostly valid, some with wrong fields, a few that are not an object. */
export function inputsOf(input: z.ZodType): fc.Arbitrary<unknown> {
  const schema = z.toJSONSchema(input, {
    io: 'input',
    unrepresentable: 'any',
    reused: 'inline',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'date') Object.assign(jsonSchema, { isDate: true });
    },
  }) as InputSchema;
  return fc.oneof(
    { weight: 30, arbitrary: recordOf(schema.properties ?? {}) },
    { weight: 1, arbitrary: strange },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}
