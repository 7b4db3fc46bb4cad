import { openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { indiscretion } from './discretion.ts';

/** A file for the log of one application or process under test. */
export const openLog = (folder: string): number => openSync(join(folder, `${crypto.randomUUID()}.log`), 'a');

/** Log lines that contain secrets, each with the kind of secret. */
export async function givenAway(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const file of await readdir(folder)) {
    for (const line of (await readFile(join(folder, file), 'utf8')).split('\n')) {
      const what = indiscretion(line);
      if (what !== null) found.push(`  ${what}: ${line.slice(0, 500)}`);
    }
  }
  return found;
}
