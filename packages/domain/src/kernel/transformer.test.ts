import { describe, expect, test } from 'vitest';
import { transformer } from './transformer.ts';

const { input, output } = transformer;
const sent = (value: unknown): string => JSON.stringify(output.serialize(value));
const roundTrip = (value: unknown): unknown => output.deserialize(JSON.parse(sent(value)));

const NAMES = ['__proto__', 'constructor', 'prototype'];

describe.each(NAMES)('a field that is called %s', (name) => {
  const json = (text: string) => JSON.parse(text.replaceAll('NAME', name));

  test.each([
    ['at the top', '{"NAME":1}'],
    ['in an object', '{"a":{"NAME":{"b":1}}}'],
    ['in a list', '{"a":[[{"NAME":[]}]]}'],
    ['inside another one', '{"NAME":{"NAME":{"NAME":null}}}'],
  ])('is carried %s', (_where, text) => {
    const value = json(text);
    expect(roundTrip({ at: new Date(5), metadata: value })).toEqual({ at: new Date(5), metadata: value });
    expect(JSON.stringify(roundTrip(value))).toBe(JSON.stringify(value));
  });

  test('is taken as input', () => {
    const value = { metadata: json('{"a":{"NAME":1}}'), at: new Date(5) };
    expect(JSON.stringify(input.deserialize(JSON.parse(sent(value))))).toBe(JSON.stringify(value));
  });

  test('changes no prototype', () => {
    roundTrip(json('{"a":{"NAME":{"polluted":true}}}'));
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

test('other values are sent as plain superjson', () => {
  const value = { at: new Date(5), items: [{ a: 1 }, { b: undefined }] };
  expect(output.serialize(value)).toEqual({
    json: { at: '1970-01-01T00:00:00.005Z', items: [{ a: 1 }, { b: null }] },
    meta: { values: { at: ['Date'], 'items.1.b': ['undefined'] }, v: 1 },
  });
});

test('a value that is nested deeply is carried', () => {
  const depth = 1_000;
  const value = JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);
  expect(JSON.stringify(roundTrip({ value }))).toBe(JSON.stringify({ value }));
});

test.each([
  ['a text that is no JSON', { json: { a: '{' }, meta: { values: { a: [['custom', 'json']] } } }],
  ['another custom kind', { json: { a: '1' }, meta: { values: { a: [['custom', 'other']] } } }],
  ['a typed array', { json: { a: [1] }, meta: { values: { a: [['typed-array', 'Int8Array']] } } }],
])('input with %s is refused', (_what, wire) => {
  expect(() => input.deserialize(wire as never)).toThrow();
});
