import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { demonstrationCourses } from './courses.ts';

export const USAGE = `Lets many learners ask and redeem at a running server, then checks the books to the cent.

  npm run demo [-- --learners 200 --courses 5 --concurrency 16 --url http://127.0.0.1:18270 --catalog FILE.csv]

  --learners N     learners of Demo Company, from LMS id 1000 on; at most 1000
  --courses N      course runs that each of them asks for; at most 200
  --concurrency N  learners at a time; at most 256
  --url URL        the server, on this machine
  --catalog FILE   take the course runs from the column course_run_key; start the server with the same file
`;

/** What the caller got wrong, in a sentence. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Options {
  readonly learners: number;
  readonly courses: readonly string[];
  readonly concurrency: number;
  readonly url: string;
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

function count(name: string, text: string, maximum: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > maximum)
    throw new UsageError(`--${name} must be a whole number from 1 to ${maximum}.`);
  return value;
}

function address(text: string): string {
  if (!URL.canParse(text)) throw new UsageError(`--url ${text} is no URL.`);
  const url = new URL(text);
  if (url.protocol !== 'http:' || !LOOPBACK.has(url.hostname))
    throw new UsageError('--url must be an http:// address of this machine: the demonstration never loads another.');
  return url.origin;
}

function catalogKeys(file: string): string[] {
  const rows = z
    .array(z.object({ course_run_key: z.string().trim().min(1) }))
    .safeParse(parse(readFileSync(file, 'utf8'), { bom: true, columns: true, skip_empty_lines: true }));
  if (!rows.success) throw new UsageError(`${file} has no filled column course_run_key.`);
  return [...new Set(rows.data.map((row) => row.course_run_key))];
}

export function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      learners: { type: 'string', default: '200' },
      courses: { type: 'string', default: '5' },
      concurrency: { type: 'string', default: '16' },
      url: { type: 'string', default: 'http://127.0.0.1:18270' },
      catalog: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const keys = values.catalog === undefined ? demonstrationCourses : catalogKeys(values.catalog);
  if (keys.length === 0) throw new UsageError('There is no course run to ask for.');
  return {
    learners: count('learners', values.learners, 1_000),
    courses: keys.slice(0, count('courses', values.courses, 200)),
    concurrency: count('concurrency', values.concurrency, 256),
    url: address(values.url),
  };
}
