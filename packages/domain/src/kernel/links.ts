import type { Settings } from './settings.ts';

/** Scheme and host of an absolute request target; untrusted client input. */
const AUTHORITY = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i;

/** The public URL of a request. Prepends the path of the public URL, which the proxy has removed from the request. */
export function publicUrlOf({ publicUrl }: Pick<Settings, 'publicUrl'>, target: string): URL {
  const path = target.replace(AUTHORITY, '');
  return new URL(`${publicUrl}${path.startsWith('/') ? path : `/${path}`}`);
}

/** Link to another page of a list. The first page has no page number, unless the list requires one. */
export function linkToPage(url: URL, page: number, { namesFirst = false } = {}): string {
  const link = new URL(url);
  if (page === 1 && !namesFirst) link.searchParams.delete('page');
  else link.searchParams.set('page', String(page));
  return link.href;
}
