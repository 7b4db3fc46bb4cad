import type { Settings } from './settings.ts';

/** An absolute request target names scheme and host, which are the sender's choice. */
const AUTHORITY = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i;

/**
 * The URL by which clients reach what a request asked for. A path of the public address stays in front: the proxy that
 * adds it has removed it from the request.
 */
export function publicUrlOf({ publicUrl }: Pick<Settings, 'publicUrl'>, target: string): URL {
  const path = target.replace(AUTHORITY, '');
  return new URL(`${publicUrl}${path.startsWith('/') ? path : `/${path}`}`);
}

/** The same list at another page. */
export function linkToPage(url: URL, page: number): string {
  const link = new URL(url);
  link.searchParams.set('page', String(page));
  return link.href;
}
