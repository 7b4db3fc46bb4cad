import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './redocly.ts';

const DOCUMENT = 'openapi.json';
const DOCUMENT_BYTES = 64 * 2 ** 20;
const execute = promisify(execFile);

/** Output of git, or null if it fails: no repository, unknown commit, no git. */
async function git(...args: readonly string[]): Promise<string | null> {
  try {
    return (await execute('git', [...args], { cwd: ROOT, maxBuffer: DOCUMENT_BYTES })).stdout;
  } catch {
    return null;
  }
}

const commitOf = async (ref: string): Promise<string | null> =>
  (await git('rev-parse', '--verify', '--quiet', `${ref}^{commit}`))?.trim() ?? null;

/** The document as it is in the working tree. */
export const currentDocument = (): Promise<string> => readFile(join(ROOT, DOCUMENT), 'utf8');

/** The document of a commit; null when there is none. */
export const documentOf = (ref: string): Promise<string | null> => git('show', `${ref}:${DOCUMENT}`);

/**
 * The commit to compare with: where this branch left main; on main itself the last commit, or the one before if
 * nothing has changed since. Null outside of a repository, or at its first commit.
 */
export async function defaultBase(): Promise<string | null> {
  const head = await commitOf('HEAD');
  if (head === null) return null;
  for (const main of ['origin/main', 'main']) {
    const common = (await git('merge-base', 'HEAD', main))?.trim();
    if (common && common !== head) return common;
  }
  const isChanged = (await documentOf('HEAD')) !== (await currentDocument());
  return isChanged ? head : commitOf('HEAD^');
}
