import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { demonstrationCourses } from './courses.ts';

export const USAGE = `Lets many learners ask and redeem at a running server, then checks the books to the cent.

  npm run demo [-- --learners 200 --courses 5 --concurrency 16 --url http://127.0.0.1:18270 --catalog FILE.csv --cover]

  --learners N     learners of Demo Company; at most 1000
  --first ID       LMS id of the first of them, 1000 unless given: others have nothing redeemed yet
  --courses N      course runs that each of them asks for, 5 unless given; at most 10000
  --concurrency N  learners at a time; at most 256
  --url URL        the server, on this machine
  --catalog FILE   take the course runs from the column course_run_key; start the server with the same file
  --cover          each course run is redeemed once, by the next learner who may; all course runs unless --courses says less
`;

/** Invalid arguments; the message explains the problem. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Options {
  readonly firstLearner: number;
  readonly learners: number;
  readonly courses: readonly string[];
  readonly concurrency: number;
  readonly cover: boolean;
  readonly url: string;
}

const FIRST_LEARNER = 1_000;
const LAST_LEARNER = 1_999;

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

/** Converts other errors about arguments to a `UsageError`. */
function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function catalogKeys(file: string): string[] {
  if (!existsSync(file)) throw new UsageError(`There is no file ${file}.`);
  const text = readFileSync(file, 'utf8');
  const rows = z
    .array(z.object({ course_run_key: z.string().trim().min(1) }))
    .safeParse(asUsage(() => parse(text, { bom: true, columns: true, skip_empty_lines: true })));
  if (!rows.success) throw new UsageError(`${file} has no filled column course_run_key.`);
  return [...new Set(rows.data.map((row) => row.course_run_key))];
}

export function readOptions(args: readonly string[]): Options | null {
  const { values } = asUsage(() =>
    parseArgs({
      args: [...args],
      options: {
        learners: { type: 'string', default: '200' },
        first: { type: 'string', default: '1000' },
        courses: { type: 'string' },
        concurrency: { type: 'string', default: '16' },
        url: { type: 'string', default: 'http://127.0.0.1:18270' },
        catalog: { type: 'string' },
        cover: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }),
  );
  if (values.help) return null;
  const keys = values.catalog === undefined ? demonstrationCourses : catalogKeys(values.catalog);
  if (keys.length === 0) throw new UsageError('There is no course run to ask for.');
  const courses = values.courses ?? (values.cover ? String(keys.length) : '5');
  const learners = count('learners', values.learners, 1_000);
  const firstLearner = count('first', values.first, LAST_LEARNER);
  if (firstLearner < FIRST_LEARNER || firstLearner + learners - 1 > LAST_LEARNER)
    throw new UsageError(`The learners of Demo Company are ${FIRST_LEARNER} to ${LAST_LEARNER}.`);
  return {
    firstLearner,
    learners,
    cover: values.cover,
    courses: keys.slice(0, count('courses', courses, 10_000)),
    concurrency: count('concurrency', values.concurrency, 256),
    url: address(values.url),
  };
}
