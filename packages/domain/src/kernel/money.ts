/** Amounts are integer US cents everywhere inside; dollars exist only at the edges. */

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/**
 * Converts a decimal dollar amount to cents, rounded half away from zero. Works on the decimal text to avoid binary
 * rounding: 19.99 is 1999 and 1.005 is 101. Throws if the text is not a plain decimal.
 */
export function centsOfDollars(dollars: number | string): number {
  const text = typeof dollars === 'number' ? plainDecimal(dollars) : dollars.trim();
  const match = DECIMAL.exec(text);
  if (!match) throw new RangeError('Not a decimal amount.');
  const [, sign, whole = '0', fraction = ''] = match;
  const cents =
    Number(whole) * 100 + Number(fraction.slice(0, 2).padEnd(2, '0')) + (Number(fraction[2] ?? 0) >= 5 ? 1 : 0);
  if (!Number.isSafeInteger(cents)) throw new RangeError('Amount beyond the safe range.');
  return sign === '-' && cents !== 0 ? -cents : cents;
}

/** Formats a number without exponent; fixed notation has at most 20 decimals. */
const plainDecimal = (value: number): string => (/e/.test(String(value)) ? value.toFixed(20) : String(value));

export const dollarsOfCents = (cents: number): number => cents / 100;

/** Formats cents as `$1,234.56`, for messages to administrators. */
export const formatDollars = (cents: number): string =>
  `${cents < 0 ? '-' : ''}$${(Math.abs(cents) / 100).toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
