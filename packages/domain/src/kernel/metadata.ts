import { z } from 'zod';
import { pythonType } from './python.ts';

/** Characters of JSON: far more than anybody keeps on purpose, and little enough for the messages that carry it on. */
const MAXIMUM = 65_536;
const LONGEST_NAME = 255;

const fits = (value: unknown): boolean => JSON.stringify(value).length <= MAXIMUM;
const hasShortNames = (value: object): boolean => Object.keys(value).every((name) => name.length <= LONGEST_NAME);

const isPlainObject = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/**
 * Any object of JSON, handed on unchanged. zod's own records drop a field that is called `__proto__`; JSON may have one,
 * and what was stored must come out as it went in.
 */
export const jsonObject = () =>
  z
    .custom<Record<string, unknown>>(isPlainObject, {
      error: ({ input }) => `Expected a dictionary of items but got type "${pythonType(input)}".`,
    })
    .meta({ type: 'object', propertyNames: { type: 'string' }, additionalProperties: {} });

/** What callers keep with a transaction. */
export const metadata = (purpose: string) =>
  jsonObject()
    .refine(hasShortNames, { error: `Ensure the names in this value have no more than ${LONGEST_NAME} characters.` })
    .refine(fits, `Ensure this value has no more than ${MAXIMUM} characters of JSON.`)
    .meta({ propertyNames: { type: 'string', maxLength: LONGEST_NAME } })
    .nullable()
    .describe(`${purpose} At most 65,536 characters of JSON.`);

/** Room for a request with the longest metadata: up to four bytes a character, and the other fields. */
export const METADATA_BODY_LIMIT_BYTES = 4 * 65_536 + 16_384;
