import type { FastifyRequest } from 'fastify';

export type Query = Readonly<Record<string, string | string[] | undefined>>;

export const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value.at(-1) : value);
export const many = (value: string | string[] | undefined): string[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

/** One page in the envelope of the LMS and the catalog; links are absolute. */
export function paged<T>(request: FastifyRequest, items: readonly T[], defaultSize = 10, maximumSize = 500) {
  const query = request.query as Query;
  const size = Math.min(maximumSize, Math.max(1, Number(one(query.page_size) ?? defaultSize) || defaultSize));
  const page = Math.max(1, Number(one(query.page) ?? 1) || 1);
  const pages = Math.max(1, Math.ceil(items.length / size));
  const link = (number: number): string => {
    const url = new URL(request.originalUrl, `http://${request.host}`);
    url.searchParams.set('page', String(number));
    return url.href;
  };
  const start = (page - 1) * size;
  return {
    next: page < pages ? link(page + 1) : null,
    previous: page > 1 ? link(page - 1) : null,
    count: items.length,
    num_pages: pages,
    current_page: page,
    start,
    results: items.slice(start, start + size),
  };
}
