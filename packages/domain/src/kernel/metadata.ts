import { z } from 'zod';
import { pythonType } from './python.ts';

/** Maximum length of the JSON text: more than real metadata needs, but small enough for events that contain it. */
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
 * Any JSON object, unchanged. zod's records drop a field called `__proto__`, which JSON allows and which must be
 * returned as it was stored.
 */
export const jsonObject = () =>
  z
    .custom<Record<string, unknown>>(isPlainObject, {
      error: ({ input }) => `Expected a dictionary of items but got type "${pythonType(input)}".`,
    })
    .meta({ type: 'object', propertyNames: { type: 'string' }, additionalProperties: {} });

/** Free-form data that callers attach to a transaction. */
export const metadata = (purpose: string) =>
  jsonObject()
    .refine(hasShortNames, { error: `Ensure the names in this value have no more than ${LONGEST_NAME} characters.` })
    .refine(fits, `Ensure this value has no more than ${MAXIMUM} characters of JSON.`)
    .meta({ propertyNames: { type: 'string', maxLength: LONGEST_NAME } })
    .nullable()
    .describe(`${purpose} At most 65,536 characters of JSON.`);

/** Body limit for requests with metadata: up to four bytes per character, plus the other fields. */
export const METADATA_BODY_LIMIT_BYTES = 4 * 65_536 + 16_384;
