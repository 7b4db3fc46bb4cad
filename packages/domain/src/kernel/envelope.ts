import { z } from 'zod';
import type { RestRequest } from './legacy.ts';
import { linkToPage } from './links.ts';
import type { Page } from './page.ts';

/** The page envelope of the old services. */
export const pageEnvelope = <T extends z.ZodType>(item: T) =>
  z
    .object({
      next: z.string().nullable().describe('Absolute URL of the next page.'),
      previous: z.string().nullable().describe('Absolute URL of the previous page.'),
      count: z.int().describe('Number of items on all pages.'),
      num_pages: z.int().describe('Number of pages.'),
      current_page: z.int().describe('Number of this page, from 1.'),
      start: z.int().describe('Number of items before this page.'),
      results: z.array(item),
    })
    .meta(titleOfPage(item));

/** Names the page of a named schema, such as `PolicyPage`. */
export const titleOfPage = (item: z.ZodType): { title?: string } => {
  const title = item.meta()?.title;
  return title === undefined ? {} : { title: `${title}Page` };
};

export function encodePage<T>(page: Page<T>, request: RestRequest, encodeItem: (item: T) => unknown) {
  const pages = Math.max(1, Math.ceil(page.count / page.pageSize));
  return {
    next: page.page < pages ? linkToPage(request.url, page.page + 1) : null,
    previous: page.page > 1 ? linkToPage(request.url, page.page - 1) : null,
    count: page.count,
    num_pages: pages,
    current_page: page.page,
    start: (page.page - 1) * page.pageSize,
    results: page.items.map(encodeItem),
  };
}

/** The smallest page envelope of the old services. */
export const plainEnvelope = <T extends z.ZodType>(item: T) =>
  z
    .object({
      count: z.int().describe('Number of items on all pages.'),
      next: z.string().nullable().describe('Absolute URL of the next page.'),
      previous: z.string().nullable().describe('Absolute URL of the previous page.'),
      results: z.array(item),
    })
    .meta(titleOfPage(item));

export function encodePlainPage<T>(page: Page<T>, request: RestRequest, encodeItem: (item: T) => unknown) {
  const { count, next, previous, results } = encodePage(page, request, encodeItem);
  return { count, next, previous, results };
}
