/** Regions that CLDR names and ISO 3166-1 does not. */
const NO_COUNTRIES = new Set([
  'AC',
  'CP',
  'CQ',
  'DG',
  'EA',
  'EU',
  'EZ',
  'IC',
  'QO',
  'TA',
  'UN',
  'XA',
  'XB',
  'XK',
  'ZZ',
]);

const names = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });
const LETTERS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];

/** Codes by upper-case English name. Codes of countries that are gone stand for others. */
const byName = new Map(
  LETTERS.flatMap((a) => LETTERS.map((b) => a + b)).flatMap((code): [string, string][] => {
    const name = NO_COUNTRIES.has(code) ? undefined : names.of(code);
    const isCurrent = name !== undefined && new Intl.Locale(`und-${code}`).region === code;
    return isCurrent ? [[name.toUpperCase(), code]] : [];
  }),
);
const codes = new Set(byName.values());

/** The two-letter code of a country, given by code or English name; null if there is no such country. */
export function countryCodeOf(text: string): string | null {
  const upper = text.toUpperCase();
  return codes.has(upper) ? upper : (byName.get(upper) ?? null);
}
