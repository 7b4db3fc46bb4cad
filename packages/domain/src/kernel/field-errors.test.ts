import { expect, test } from 'vitest';
import { z } from 'zod';
import { fieldErrors } from './field-errors.ts';
import { courseRunKey, instant, uuid } from './ids.ts';
import { jsonObject } from './metadata.ts';

const REQUIRED = 'This field is required.';

test.each<[string, z.ZodObject, unknown, unknown]>([
  ['a missing field', z.object({ lmsUserId: z.int() }), {}, { lms_user_id: [REQUIRED] }],
  ['a missing choice', z.object({ kind: z.enum(['a']) }), {}, { kind: [REQUIRED] }],
  ['null', z.object({ lmsUserId: z.int() }), { lmsUserId: null }, { lms_user_id: ['This field may not be null.'] }],
  ['no integer', z.object({ n: z.int() }), { n: 'x' }, { n: ['A valid integer is required.'] }],
  ['a fraction', z.object({ n: z.int() }), { n: 1.5 }, { n: ['A valid integer is required.'] }],
  ['no boolean', z.object({ b: z.boolean() }), { b: 'x' }, { b: ['Must be a valid boolean.'] }],
  ['no text', z.object({ s: z.string() }), { s: 1 }, { s: ['Not a valid string.'] }],
  ['no list', z.object({ l: z.array(z.string()) }), { l: 1 }, { l: ['Expected a list of items but got type "int".'] }],
  ['an empty list', z.object({ l: z.array(z.string()).min(1) }), { l: [] }, { l: ['This list may not be empty.'] }],
  ['blank text', z.object({ s: z.string().min(1) }), { s: '' }, { s: ['This field may not be blank.'] }],
  [
    'long text',
    z.object({ s: z.string().max(1) }),
    { s: 'ab' },
    { s: ['Ensure this field has no more than 1 characters.'] },
  ],
  [
    'a small number',
    z.object({ n: z.int().min(1) }),
    { n: 0 },
    { n: ['Ensure this value is greater than or equal to 1.'] },
  ],
  [
    'a large number',
    z.object({ n: z.int().max(1) }),
    { n: 2 },
    { n: ['Ensure this value is less than or equal to 1.'] },
  ],
  [
    'an unknown choice',
    z.object({ kind: z.enum(['a', 'b']) }),
    { kind: 'x' },
    { kind: ['"x" is not a valid choice.'] },
  ],
  [
    'no object',
    z.object({ o: z.object({}) }),
    { o: [] },
    { o: ['Invalid data. Expected a dictionary, but got list.'] },
  ],
  [
    'no record',
    z.object({ o: z.record(z.string(), z.int()) }),
    { o: 'x' },
    { o: ['Expected a dictionary of items but got type "str".'] },
  ],
  [
    'no free-form object',
    z.object({ o: jsonObject() }),
    { o: 1.5 },
    { o: ['Expected a dictionary of items but got type "float".'] },
  ],
  ['a blank course key', z.object({ key: courseRunKey() }), { key: ' ' }, { key: ['This field may not be blank.'] }],
  ['a blank address', z.object({ to: z.email() }), { to: '' }, { to: ['This field may not be blank.'] }],
  ['an empty uuid', z.object({ id: uuid() }), { id: '' }, { id: ['Must be a valid UUID.'] }],
  [
    'a time out of range',
    z.object({ at: instant() }),
    { at: new Date(-1e14) },
    { at: ['Datetime value out of range.'] },
  ],
  ['no uuid', z.object({ id: uuid() }), { id: 'x' }, { id: ['Must be a valid UUID.'] }],
  [
    'a course key',
    z.object({ contentKey: courseRunKey() }),
    { contentKey: 'a+b' },
    { content_key: ['Invalid content_key: a+b'] },
  ],
  [
    'something deeper',
    z.object({ itemList: z.array(z.int()) }),
    { itemList: [1, null] },
    { item_list: { 1: ['This field may not be null.'] } },
  ],
  [
    'unknown names',
    z.strictObject({ a: z.int() }),
    { a: 1, z: 1, b: 2 },
    { non_field_errors: ['Field(s) are not updatable: b, z'] },
  ],
  ['the whole', z.object({ a: z.int() }).refine(() => false, 'No.'), { a: 1 }, { non_field_errors: ['No.'] }],
  [
    'a field named like a built-in',
    z.object({ constructor: z.int() }),
    { constructor: 'x' },
    { constructor: ['A valid integer is required.'] },
  ],
])('callers are told about %s in the words they know', (_what, schema, input, expected) => {
  const parsed = schema.safeParse(input, { reportInput: true });
  expect(parsed.error && fieldErrors(parsed.error, schema)).toEqual(expected);
});
