import { z } from 'zod';
import type { RestRequest } from './legacy.ts';
import type { Page } from './page.ts';

/** The page envelope of the old services (auth.md 5.2, "EA standard"). */
export const pageEnvelope = <T extends z.ZodType>(item: T) =>
  z.object({
    next: z.string().nullable().describe('Absolute URL of the next page.'),
    previous: z.string().nullable().describe('Absolute URL of the page before.'),
    count: z.int(),
    num_pages: z.int(),
    current_page: z.int(),
    start: z.int().describe('Number of items before this page.'),
    results: z.array(item),
  });

export function encodePage<T>(page: Page<T>, request: RestRequest, encodeItem: (item: T) => unknown) {
  const pages = Math.max(1, Math.ceil(page.count / page.pageSize));
  const linkTo = (number: number): string => {
    const url = new URL(request.url);
    url.searchParams.set('page', String(number));
    return url.href;
  };
  return {
    next: page.page < pages ? linkTo(page.page + 1) : null,
    previous: page.page > 1 ? linkTo(page.page - 1) : null,
    count: page.count,
    num_pages: pages,
    current_page: page.page,
    start: (page.page - 1) * page.pageSize,
    results: page.items.map(encodeItem),
  };
}
