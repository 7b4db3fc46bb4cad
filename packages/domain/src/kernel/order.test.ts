import { expect, test } from 'vitest';
import { orderTerms } from './order.ts';

const fallback = { field: 'created', direction: 'desc' } as const;
const read = (text: string) =>
  orderTerms(text, ['created', 'quantity'], fallback)
    .map(({ field, direction }) => `${field} ${direction}`)
    .join(', ');

test.each([
  ['quantity', 'quantity asc'],
  ['-quantity', 'quantity desc'],
  ['-created,quantity', 'created desc, quantity asc'],
  [' -created , quantity ', 'created desc, quantity asc'],
  ['-enrollment_date', 'created desc'],
  ['nonsense,quantity', 'quantity asc'],
  ['quantity,-quantity', 'quantity asc'],
  ['--quantity', 'created desc'],
  ['', 'created desc'],
  [',,', 'created desc'],
])('the order %j is %s', (text, order) => {
  expect(read(text)).toBe(order);
});
