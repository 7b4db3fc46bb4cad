import fc from 'fast-check';
import superjson, { SuperJSON } from 'superjson';
import { describe, expect, test } from 'vitest';
import { wire } from './wire.ts';

const key = fc.oneof(
  fc.string().filter((name) => !['__proto__', 'constructor', 'prototype'].includes(name)),
  fc.constantFrom('a.b', 'a\\', '\\.', '.', '..', '0', 'course-v1:edX+DemoX.1+2T2026'),
);
const date = fc.date({ noInvalidDate: true });
const leaf = (more: fc.Arbitrary<unknown>[]) =>
  fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), date, ...more);
const tree = (leaves: fc.Arbitrary<unknown>) =>
  fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      leaves,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value;

describe('the built-in code and superjson understand each other', () => {
  test('whatever superjson writes of data is read the same', () => {
    const strange = [
      fc.constantFrom(undefined, Number.NaN, Infinity, -Infinity, -0),
      fc.bigInt(),
      fc.array(fc.oneof(fc.integer(), date)).map((items) => new Set(items)),
      fc.array(fc.tuple(fc.string(), date)).map((entries) => new Map(entries)),
      fc.webUrl().map((url) => new URL(url)),
    ];
    fc.assert(
      fc.property(tree(leaf(strange)), (value) => {
        const sent = superjson.stringify(value);
        expect(wire.deserialize(JSON.parse(sent))).toEqual(superjson.parse(sent));
      }),
      { numRuns: 500 },
    );
  });

  test('superjson reads what is written here', () => {
    fc.assert(
      fc.property(tree(leaf([])), (value) => {
        expect(superjson.parse(JSON.stringify(wire.serialize(value)))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });
});

describe('objects with field names that superjson refuses', () => {
  const names = ['__proto__', 'constructor', 'prototype'];
  const withRegistered = new SuperJSON();
  withRegistered.registerCustom<object, string>(
    { isApplicable: (_value): _value is object => false, serialize: String, deserialize: (text) => JSON.parse(text) },
    'json',
  );

  test.each(names)('%s: travels at any depth, and superjson with the kind registered reads it', (name) => {
    const free = JSON.parse(`{"a":[{"${name}":{"b":[1,{"${name}":null}]}}]}`);
    const value = { when: new Date(0), metadata: free, list: [free.a[0]], '': 1 };
    const sent = JSON.stringify(wire.serialize(value));
    expect(wire.deserialize(JSON.parse(sent))).toEqual(value);
    expect(withRegistered.parse(sent)).toEqual(value);
    expect(Object.keys((wire.deserialize(JSON.parse(sent)) as typeof value).metadata.a[0])).toEqual([name]);
  });

  test.each(names)('%s: the whole value may be such an object', (name) => {
    const value = JSON.parse(`{"${name}":1}`);
    const sent = JSON.stringify(wire.serialize(value));
    expect(wire.deserialize(JSON.parse(sent))).toEqual(value);
    expect(Object.keys(wire.deserialize(JSON.parse(sent)) as object)).toEqual([name]);
  });
});

test('fields that are undefined are left out', () => {
  expect(JSON.stringify(wire.serialize({ a: undefined, b: 1 }))).toBe('{"json":{"b":1}}');
});

test.each([
  ['a path into the prototype', { json: {}, meta: { values: { '__proto__.toString': ['Date'] } } }],
  ['a path to a value that is not there', { json: { a: 1 }, meta: { values: { b: ['Date'] } } }],
  ['a kind that nobody knows', { json: { a: 1 }, meta: { values: { a: [['class', 'Secret']] } } }],
])('%s is refused', (_what, reply) => {
  expect(() => wire.deserialize(reply as never)).toThrow(TypeError);
  expect(Object.prototype.toString).toBeInstanceOf(Function);
});
