// What the old services took, but for quoted names: the default of zod refuses `r&d@x.example` and `a@x.xn--p1ai`.
const NAME = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])';
/** A plain address: ASCII only, without quotes or blanks. */
export const PLAIN_EMAIL = new RegExp(`^${NAME}(?:\\.${NAME})*@(?:${LABEL}?\\.)+${LABEL}$`);

/** Only plain addresses may decide which account something belongs to. */
export const isPlainEmail = (email: string): boolean => email.length <= 254 && PLAIN_EMAIL.test(email);

/**
 * An address as it is compared: without regard to the case of ASCII letters. Unicode folding would make other people's
 * addresses equal: the Kelvin sign becomes `k`.
 */
export const foldEmail = (email: string): string => email.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
