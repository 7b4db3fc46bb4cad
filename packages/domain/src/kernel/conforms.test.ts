import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { conformsTo } from './conforms.ts';

const schema = z.object({
  text: z.string(),
  count: z.int().min(0),
  share: z.number().max(1),
  isOpen: z.boolean(),
  at: z.date().nullable(),
  kind: z.enum(['one', 'two']),
  fixed: z.literal('yes'),
  nothing: z.null(),
  maybe: z.string().optional(),
  short: z.string().min(1).max(3),
  free: z.record(z.string().max(3), z.unknown()),
  byName: z.record(z.string(), z.int()),
  items: z.array(z.object({ uuid: z.string(), cents: z.int().nullable() })),
});
const conforms = conformsTo(schema);
const value: z.infer<typeof schema> = {
  text: 'a',
  count: 0,
  share: 0.5,
  isOpen: false,
  at: new Date('2026-01-02T03:04:05Z'),
  kind: 'two',
  fixed: 'yes',
  nothing: null,
  short: 'abc',
  free: { any: ['thing'] },
  byName: { one: 1 },
  items: [
    { uuid: 'u', cents: 1 },
    { uuid: 'v', cents: null },
  ],
};

const strangers = [
  null,
  undefined,
  '',
  'abcd',
  'one',
  'yes',
  1,
  1.5,
  -1,
  2 ** 53,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  true,
  1n,
  new Date(0),
  new Date(Number.NaN),
  [],
  {},
  { uuid: 'u', cents: 1, more: 1 },
  { four: 4 },
  { [Symbol('s')]: 1 },
  JSON.parse('{"__proto__": 1}'),
  new Map([['a', 1]]),
  [{ uuid: 'u', cents: 1, more: 1 }],
  [undefined],
  () => 1,
];

/** The value with each of its parts in turn replaced, taken away or joined by another. */
function* variants(from: unknown): Generator<unknown> {
  yield* strangers;
  if (typeof from !== 'object' || from === null || from instanceof Date) return;
  for (const key of Object.keys(from)) {
    for (const part of variants((from as Record<string, unknown>)[key]))
      yield Object.assign(Array.isArray(from) ? [...from] : { ...from }, { [key]: part });
    const { [key]: _, ...less } = from as Record<string, unknown>;
    yield less;
  }
  yield { ...from, more: 1 };
  yield Object.assign(Object.create({ inherited: 1 }), from);
}

describe('a value that conforms', () => {
  test('is seen to', () => {
    expect(conforms?.(value)).toBe(true);
    expect(conforms?.({ ...value, maybe: 'there', at: null, items: [] })).toBe(true);
  });

  test('is one that zod hands on unchanged, whatever is done to it', () => {
    let accepted = 0;
    let refused = 0;
    for (const variant of variants(value)) {
      if (conforms?.(variant)) {
        accepted += 1;
        expect(schema.safeParse(variant)).toEqual({ success: true, data: variant });
      } else refused += 1;
    }
    expect(accepted).toBeGreaterThan(10);
    expect(refused).toBeGreaterThan(200);
  });
});

test.each<[string, z.ZodType]>([
  ['a default', z.object({ a: z.string().default('x') })],
  ['a changed text', z.object({ a: z.string().toLowerCase() })],
  ['a format', z.object({ a: z.email() })],
  ['a transform', z.object({ a: z.string().transform(Number) })],
  ['a coercion', z.object({ a: z.string().pipe(z.coerce.number()) })],
  ['a union', z.union([z.string(), z.object({ a: z.string() })])],
  ['anything', z.object({ a: z.unknown() })],
  ['a record of what is left to zod', z.record(z.string(), z.string().trim())],
  ['a record with few keys', z.record(z.enum(['a', 'b']), z.string())],
  ['a refinement', z.object({ a: z.string() }).refine(() => false)],
  ['a strict object', z.strictObject({ a: z.string() })],
  ['a loose object', z.looseObject({ a: z.string() })],
  ['a multiple', z.number().multipleOf(5)],
  ['another integer', z.int32()],
  ['a length', z.array(z.string()).min(1)],
  ['an earliest date', z.date().min(new Date(0))],
])('%s is left to zod', (_what, other) => {
  expect(conformsTo(other)).toBeNull();
});
