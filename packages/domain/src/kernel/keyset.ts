import { z } from 'zod';
import { invalidInput } from './errors.ts';

/** Input fields of a list that grows without end: pages follow the key of the last item, so that none is counted. */
export const keysetInput = (options: { defaultSize: number; maximumSize: number }) => ({
  cursor: z.string().max(200).optional().describe('Where to go on: `nextCursor` of the page before.'),
  pageSize: z
    .int()
    .min(1)
    .transform((size) => Math.min(size, options.maximumSize))
    .default(options.defaultSize)
    .describe(`Items in a page; larger values than ${options.maximumSize} are taken as ${options.maximumSize}.`),
});

export const keysetOutput = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item).describe('Items of this page, in the order of the list.'),
    nextCursor: z.string().nullable().describe('Give it as `cursor` for the next page; null at the end.'),
  });

const INT32 = 2_147_483_647;
/** Key that is a place in a row of things, as the databases store it. */
export const placeKey = z.int().min(0).max(INT32);

export interface KeysetPage<T> {
  readonly items: T[];
  readonly nextCursor: string | null;
}

/** The cursor of a key. */
export const cursorOf = (key: unknown): string => Buffer.from(JSON.stringify(key)).toString('base64url');

/** The key after which a page begins; null for the first page. A cursor that is not ours is bad input. */
export function keyOf<S extends z.ZodType>(schema: S, cursor: string | undefined): z.output<S> | null {
  if (cursor === undefined) return null;
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch (error) {
    throw invalidInput({ fields: { cursor: ['Invalid cursor.'] } }, { cause: error });
  }
}

/** A page of rows of which one more was read than the page holds. */
export function keysetPage<T>(rows: readonly T[], size: number, keyOfRow: (row: T) => unknown): KeysetPage<T> {
  const items = rows.slice(0, size);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > size && last !== undefined ? cursorOf(keyOfRow(last)) : null };
}
