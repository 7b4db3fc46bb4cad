import { z } from 'zod';
import { invalidInput, notFound } from './errors.ts';

/** The largest valid page number. */
export const LAST_PAGE = 1_000_000;

/** Input fields of every list: a cursor, or a page number for REST clients. */
export const pageInput = (options: { defaultSize: number; maximumSize: number }) => ({
  cursor: z.string().max(200).optional().describe('Cursor: `nextCursor` of the previous page.'),
  page: z.int().min(1).max(LAST_PAGE).optional().describe('Page number from 1; an alternative to the cursor.'),
  pageSize: z
    .int()
    .min(1)
    .transform((size) => Math.min(size, options.maximumSize))
    .default(options.defaultSize)
    .describe(`Items in a page; larger values than ${options.maximumSize} are taken as ${options.maximumSize}.`),
});

export const pageOutput = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item).describe('Items of this page, in the order of the list.'),
    nextCursor: z.string().nullable().describe('Pass it as `cursor` to get the next page; null at the end.'),
    count: z.int().min(0).describe('Number of items on all pages.'),
    page: z.int().min(1).describe('Number of this page, from 1.'),
    pageSize: z.int().min(1).describe('Largest number of items in this page.'),
  });

export interface PageRequest {
  readonly cursor?: string | undefined;
  readonly page?: number | undefined;
  readonly pageSize: number;
}

export interface Page<T> {
  readonly items: T[];
  readonly nextCursor: string | null;
  readonly count: number;
  readonly page: number;
  readonly pageSize: number;
}

const PREFIX = 'p';

/** The requested page number, from 1. An invalid cursor is a validation error. */
export function pageNumber(request: PageRequest): number {
  if (request.cursor === undefined) return request.page ?? 1;
  const text = Buffer.from(request.cursor, 'base64url').toString('utf8');
  const number = text.startsWith(PREFIX) ? Number(text.slice(PREFIX.length)) : Number.NaN;
  if (!Number.isSafeInteger(number) || number < 1) throw invalidInput({ fields: { cursor: ['Invalid cursor.'] } });
  return number;
}

/** The rows of the requested page. */
export const sliceOf = (request: PageRequest): { readonly offset: number; readonly limit: number } => ({
  offset: (pageNumber(request) - 1) * request.pageSize,
  limit: request.pageSize,
});

/** Every list has a first page, even an empty one; a page beyond the end is not found. */
export function assertPageExists(request: PageRequest, items: readonly unknown[]): void {
  if (pageNumber(request) > 1 && items.length === 0) throw notFound({}, { message: 'Invalid page.' });
}

export function pageOf<T>(request: PageRequest, items: T[], count: number): Page<T> {
  const page = pageNumber(request);
  const more = page * request.pageSize < count;
  const nextCursor = more ? Buffer.from(`${PREFIX}${page + 1}`).toString('base64url') : null;
  return { items, nextCursor, count, page, pageSize: request.pageSize };
}
