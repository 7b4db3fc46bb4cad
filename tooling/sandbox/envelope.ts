import type { FastifyRequest } from 'fastify';
import { queryOf } from './query.ts';
import { Refusal } from './refusal.ts';

/** The E1 envelope of the platform's lists. */
export interface Page<T> {
  readonly next: string | null;
  readonly previous: string | null;
  readonly count: number;
  readonly num_pages: number;
  readonly current_page: number;
  readonly start: number;
  readonly results: readonly T[];
}

const DEFAULT_SIZE = 10;
const MAXIMUM_SIZE = 100;

/** The requested page of a list, ten items unless asked otherwise; only the items shown are rendered. */
export function pageOf<T, R>(request: FastifyRequest, items: readonly T[], render: (item: T) => R): Page<R> {
  const query = queryOf(request);
  const size = sizeOf(query.one('page_size'));
  const pages = Math.max(1, Math.ceil(items.length / size));
  const text = query.one('page') ?? '1';
  const page = text === 'last' ? pages : Number(text);
  if (!Number.isInteger(page) || page < 1 || page > pages) throw new Refusal(404, { detail: 'Invalid page.' });
  const start = (page - 1) * size;
  return {
    next: page < pages ? linkTo(request, page + 1) : null,
    previous: page > 1 ? linkTo(request, page - 1) : null,
    count: items.length,
    num_pages: pages,
    current_page: page,
    start,
    results: items.slice(start, start + size).map(render),
  };
}

/** An unusable size is ignored and a large one cut, as upstream does. */
function sizeOf(text: string | undefined): number {
  const size = Number(text ?? DEFAULT_SIZE);
  return Number.isInteger(size) && size >= 1 ? Math.min(size, MAXIMUM_SIZE) : DEFAULT_SIZE;
}

function linkTo(request: FastifyRequest, page: number): string {
  const url = new URL(request.url, `${request.protocol}://${request.host}`);
  if (page === 1) url.searchParams.delete('page');
  else url.searchParams.set('page', String(page));
  return url.href;
}
