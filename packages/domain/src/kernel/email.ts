// Accepts what the old services accepted, except quoted names. zod's default rejects `r&d@x.example` and
// `a@x.xn--p1ai`.
const NAME = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])';
/** A plain address: ASCII only, without quotes or blanks. */
export const PLAIN_EMAIL = new RegExp(`^${NAME}(?:\\.${NAME})*@(?:${LABEL}?\\.)+${LABEL}$`);

/** Only plain addresses are used to find the account of a learner. */
export const isPlainEmail = (email: string): boolean => email.length <= 254 && PLAIN_EMAIL.test(email);

/**
 * Normalizes an address for comparison: lower-cases ASCII letters only. Unicode case folding would make different
 * addresses equal: it maps the Kelvin sign to `k`.
 */
export const foldEmail = (email: string): string => email.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
