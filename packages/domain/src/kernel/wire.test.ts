import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { instantOf, wordedInstant } from './instant.ts';
import { camelCase, queryDecoder, snakeCase, timesAsText, wireCodec } from './wire.ts';

const schema = z.object({
  lmsUserId: z.int(),
  startsAt: z.date().nullable().optional(),
  isLate: z.boolean().default(false),
  courseRuns: z.array(z.object({ runKey: z.string(), endsAt: z.date().nullable() })).optional(),
  metadata: z.record(z.string(), z.unknown()).nullable().optional(),
  byRun: z.record(z.string(), z.object({ priceCents: z.int() })).optional(),
});
const codec = wireCodec(schema);
const noon = new Date('2026-01-02T12:00:00.000Z');

test.each([
  ['lmsUserId', 'lms_user_id'],
  ['uuid', 'uuid'],
  ['enterpriseCustomerUuid', 'enterprise_customer_uuid'],
])('%s is %s on the wire and comes back', (camel, snake) => {
  expect(snakeCase(camel)).toBe(snake);
  expect(camelCase(snake)).toBe(camel);
});

describe('decoding changes names and times only', () => {
  test.each<[string, unknown, unknown]>([
    ['names', { lms_user_id: 7 }, { lmsUserId: 7 }],
    ['times', { starts_at: '2026-01-02T12:00:00Z' }, { startsAt: noon }],
    ['a null time', { starts_at: null }, { startsAt: null }],
    ['text that is no time, for zod to refuse', { starts_at: 'soon' }, { startsAt: 'soon' }],
    [
      'objects in lists',
      { course_runs: [{ run_key: 'a', ends_at: null }] },
      { courseRuns: [{ runKey: 'a', endsAt: null }] },
    ],
    [
      'record keys, which are data',
      { metadata: { some_key: { in_ner: 1 } } },
      { metadata: { some_key: { in_ner: 1 } } },
    ],
    ['values of records', { by_run: { run_1: { price_cents: 1 } } }, { byRun: { run_1: { priceCents: 1 } } }],
    ['unknown names, kept for strict contracts', { whatever_else: 1 }, { whatever_else: 1 }],
    ['values of the wrong type, kept for zod', { course_runs: 'x' }, { courseRuns: 'x' }],
    ['what is no object', 'x', 'x'],
  ])('%s', (_what, wire, value) => {
    expect(codec.decode(wire)).toEqual(value);
  });

  test('a hostile __proto__ key reaches no prototype', () => {
    const decoded = codec.decode(JSON.parse('{"__proto__": {"isLate": true}}')) as object;
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
    expect('isLate' in decoded).toBe(false);
  });
});

test('encoding names everything as on the wire and leaves out what is absent', () => {
  const value = {
    lmsUserId: 7,
    startsAt: null,
    isLate: true,
    courseRuns: [{ runKey: 'a', endsAt: noon }],
    metadata: { someKey: 1 },
    byRun: { runOne: { priceCents: 1 } },
  };
  expect(codec.encode(value)).toEqual({
    lms_user_id: 7,
    starts_at: null,
    is_late: true,
    course_runs: [{ run_key: 'a', ends_at: '2026-01-02T12:00:00Z' }],
    metadata: { someKey: 1 },
    by_run: { runOne: { price_cents: 1 } },
  });
  expect(codec.encode({ lmsUserId: 7, isLate: false })).toEqual({ lms_user_id: 7, is_late: false });
});

describe('times do not depend on the time zone of the server', () => {
  test.each([
    ['2026-01-02T12:00:00Z', noon],
    ['2026-01-02T12:00:00', noon],
    ['2026-01-02 12:00', noon],
    ['2026-01-02T14:00:00+02:00', noon],
    ['2026-01-02T12:00:00.000000Z', noon],
    ['2026-01-02', null],
    ['2026-13-02T12:00:00Z', null],
    ['2026-02-30T12:00:00Z', null],
    ['2026-01-01T24:00:00Z', null],
    ['10000-01-01T00:00:00Z', null],
    ['-000001-01-01T00:00:00Z', null],
    ['0001-01-01T00:00:00Z', new Date('0001-01-01T00:00:00Z')],
    ['tomorrow', null],
  ])('%s', (text, instant) => {
    expect(instantOf(text)).toEqual(instant);
  });
});

describe('text of a path or query becomes what its field declares, or stays for zod to refuse', () => {
  test.each<[string, z.ZodType, string | string[], unknown]>([
    ['an integer', z.int(), '12', 12],
    ['a default does not matter', z.int().default(1), '12', 12],
    ['no integer', z.int(), '12x', '12x'],
    ['hexadecimal is no number', z.int(), '0x10', '0x10'],
    ['blank is no number', z.int(), '', ''],
    ['true', z.boolean(), 'True', true],
    ['0', z.boolean().default(true), '0', false],
    ['neither', z.boolean(), 'yes', 'yes'],
    ['the last of several', z.string(), ['a', 'b'], 'b'],
    ['a list of one', z.array(z.string()), 'a', ['a']],
    ['a list', z.array(z.int()).optional(), ['1', '2'], [1, 2]],
    ['a time', z.date().nullable(), '2026-01-02T12:00:00Z', noon],
  ])('%s', (_what, field, text, value) => {
    expect(queryDecoder(field)(text)).toEqual(value);
  });
});

describe('times are written as the old services write them', () => {
  const body = z.object({ at: z.date().nullable(), each: z.array(z.object({ at: z.date() })) });
  test.each([
    ['2026-01-02T12:00:00Z', '2026-01-02T12:00:00Z'],
    ['2026-01-02T12:00:00.5Z', '2026-01-02T12:00:00.500000Z'],
    ['2026-01-02T12:00:00.123456Z', '2026-01-02T12:00:00.123456Z'],
    ['2026-01-02T14:00:00.000001+02:00', '2026-01-02T12:00:00.000001Z'],
  ])('%s is %s', (given, written) => {
    const at = instantOf(given);
    expect(timesAsText(body)({ at, each: [{ at }] })).toEqual({ at: written, each: [{ at: written }] });
  });

  test.each(['2026-01-02T14:00:00+02:00', '2026-01-02 12:00:00', '2026-01-02T12:00:00.120Z', '2026-01-02T12:00:00Z'])(
    '%s of another service passes unchanged',
    (text) => {
      expect(timesAsText(body)({ at: wordedInstant(text), each: [] })).toEqual({ at: text, each: [] });
    },
  );

  test('a body without times is handed on as it is', () => {
    const value = { at: null, each: [] };
    expect(timesAsText(body)(value)).toBe(value);
  });
});
