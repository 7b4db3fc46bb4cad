import type { FastifyRequest } from 'fastify';
import { queryOf, Refusal } from './http.ts';

/** A list whose size is known without building it, so that a page costs only its own rows. */
export interface Listing<T> {
  count: number;
  rows(start: number, size: number): T[];
}

/** The "default" envelope of the LMS, the catalog and the subsidy service. */
export interface E1<T> {
  next: string | null;
  previous: string | null;
  count: number;
  num_pages: number;
  current_page: number;
  start: number;
  results: T[];
}

const DEFAULT_PAGE_SIZE = 10;
const MAX_PAGE_SIZE = 100;

/** A listing of rows that are in memory already. */
export const listOf = <T>(rows: readonly T[]): Listing<T> => ({
  count: rows.length,
  rows: (start, size) => rows.slice(start, start + size),
});

/** Maps the rows of a page, and only those. */
export const mapListing = <T, U>(listing: Listing<T>, convert: (row: T) => U): Listing<U> => ({
  count: listing.count,
  rows: (start, size) => listing.rows(start, size).map(convert),
});

function pageUrl(request: FastifyRequest, page: number): string {
  const url = new URL(request.url, `${request.protocol}://${request.host}`);
  // Page one has no parameter: DRF removes it, and clients compare such links.
  if (page === 1) url.searchParams.delete('page');
  else url.searchParams.set('page', String(page));
  return url.href;
}

function positive(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}

/** Cuts the page that the request asks for; `next` and `previous` are absolute. */
export function paginate<T>(request: FastifyRequest, listing: Listing<T>): E1<T> {
  const query = queryOf(request);
  const size = Math.min(positive(query.one('page_size')) ?? DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
  const page = query.has('page') ? positive(query.one('page')) : 1;
  const pages = Math.max(1, Math.ceil(listing.count / size));
  if (page === undefined || page > pages) throw new Refusal(404, { detail: 'Invalid page.' });
  const start = (page - 1) * size;
  return {
    next: page < pages ? pageUrl(request, page + 1) : null,
    previous: page > 1 ? pageUrl(request, page - 1) : null,
    count: listing.count,
    num_pages: pages,
    current_page: page,
    start,
    results: listing.rows(start, size),
  };
}

/** The "plain" envelope: the same page with fewer keys. */
export function paginatePlain<T>(request: FastifyRequest, listing: Listing<T>) {
  const { count, next, previous, results } = paginate(request, listing);
  return { count, next, previous, results };
}
