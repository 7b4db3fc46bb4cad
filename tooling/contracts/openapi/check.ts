import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { currentDocument, defaultBase, documentOf } from './base.ts';
import { breaksBetween } from './breaking.ts';
import { ROOT } from './redocly.ts';

/** Page that lists accepted breaking changes. */
export const ACCEPTED = 'docs/breaking-changes.md';

/** Accepted breaking changes: the list items of the page, verbatim. */
export const acceptedIn = (page: string): ReadonlySet<string> =>
  new Set([...page.matchAll(/^- (.+)$/gm)].map(([, line = '']) => line.trim()));

export interface Comparison {
  /** Commit that the working tree was compared with; null if there is none. */
  readonly base: string | null;
  readonly accepted: readonly string[];
  readonly unaccepted: readonly string[];
}

/** Compares the document of the working tree with that of a commit, by default `defaultBase`. */
export async function compareWith(ref?: string): Promise<Comparison> {
  const base = ref ?? (await defaultBase());
  const before = base === null ? null : await documentOf(base);
  if (before === null) {
    if (ref !== undefined) throw new Error(`There is no openapi.json in ${ref}.`);
    return { base: null, accepted: [], unaccepted: [] };
  }
  const known = acceptedIn(await readFile(join(ROOT, ACCEPTED), 'utf8'));
  const lines = await breaksBetween(before, await currentDocument());
  return {
    base,
    accepted: lines.filter((line) => known.has(line)),
    unaccepted: lines.filter((line) => !known.has(line)),
  };
}
