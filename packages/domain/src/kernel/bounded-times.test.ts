import { expect, test } from 'vitest';
import { operations } from '../service.ts';
import { definitionOf, fieldOf } from './schema.ts';

const times = operations.flatMap(({ id, contract }) =>
  Object.entries(contract.input.shape)
    .map(([name, schema]) => [`${id}.${name}`, fieldOf(schema, 'input').schema] as const)
    .filter(([, schema]) => definitionOf(schema).type === 'date'),
);

test('there are times that callers give', () => {
  expect(times.length).toBeGreaterThan(5);
});

test.each(times)('%s takes only times that both databases hold', (_name, schema) => {
  expect(schema.safeParse(new Date('1000-01-01T00:00:00Z')).success).toBe(true);
  expect(schema.safeParse(new Date('9999-12-31T23:59:59.999Z')).success).toBe(true);
  for (const text of ['+010000-01-01T00:00:00Z', '0999-12-31T23:59:59.999Z', '-000001-01-01T00:00:00Z'])
    expect(schema.safeParse(new Date(text)).success, text).toBe(false);
});
