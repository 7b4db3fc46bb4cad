import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { centsOfDollars, dollarsOfCents, formatDollars } from './money.ts';

describe('a dollar amount becomes cents without binary fractions deciding', () => {
  test.each([
    [19.99, 1999],
    [1.005, 101],
    [10.503, 1050],
    [0.29, 29],
    ['19.99', 1999],
    ['1.005', 101],
    [' 7 ', 700],
    [-1.005, -101],
    [0, 0],
    [-0.001, 0],
    [1e-7, 0],
    ['0.004999', 0],
  ])('%s is %i cents', (dollars, cents) => {
    expect(centsOfDollars(dollars)).toBe(cents);
  });

  test.each(['', 'abc', '1,000', '.5', '1.', '--1', 'NaN', Number.NaN, Number.POSITIVE_INFINITY, 1e21, '9'.repeat(17)])(
    '%s is refused',
    (dollars) => {
      expect(() => centsOfDollars(dollars)).toThrow(RangeError);
    },
  );

  test('every whole number of cents survives the way to dollars and back', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 45), max: 2 ** 45 }), (cents) => {
        expect(centsOfDollars(dollarsOfCents(cents))).toBe(cents);
      }),
    );
  });

  test('rounding is half away from zero and the same for both signs', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 0, max: 9 }), (cents, mill) => {
        const text = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}${mill}`;
        const expected = cents + (mill >= 5 ? 1 : 0);
        expect(centsOfDollars(text)).toBe(expected);
        expect(centsOfDollars(`-${text}`)).toBe(expected === 0 ? 0 : -expected);
      }),
    );
  });
});

test.each([
  [123456, '$1,234.56'],
  [0, '$0.00'],
  [-5, '-$0.05'],
  [5000100, '$50,001.00'],
])('%i cents read %s in messages', (cents, text) => {
  expect(formatDollars(cents)).toBe(text);
});
