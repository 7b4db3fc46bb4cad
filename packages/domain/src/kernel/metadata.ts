import { z } from 'zod';

/** Characters of JSON: far more than anybody keeps on purpose, and little enough for the messages that carry it on. */
const MAXIMUM = 65_536;

const fits = (value: unknown): boolean => JSON.stringify(value).length <= MAXIMUM;

/** What callers keep with a transaction: any object of JSON, handed on unchanged. */
export const metadata = (purpose: string) =>
  z
    .record(z.string().max(255), z.unknown())
    .refine(fits, `Ensure this value has no more than ${MAXIMUM} characters of JSON.`)
    .nullable()
    .describe(`${purpose} At most 65,536 characters of JSON.`);
