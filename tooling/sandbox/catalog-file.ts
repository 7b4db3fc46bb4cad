import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { CsvError, parse } from 'csv-parse/sync';
import { z } from 'zod';
import type { CourseSeed } from './content.ts';

const filled = z.string().trim().min(1, 'must not be empty');

/** Dollars to cents by digits: 19.99 times 100 is 1998.9999… in floats. */
const dollars = z
  .string()
  .trim()
  .regex(/^\d{1,9}(\.\d{1,2})?$/, 'must be a price such as 49 or 49.99')
  .transform((text) => {
    const [whole = '0', fraction = ''] = text.split('.');
    return Number(whole) * 100 + Number(fraction.padEnd(2, '0'));
  });

const row = z.object({
  course_key: filled.regex(/^[^+\s]+\+\S+$/, 'must look like org+course'),
  course_run_key: filled.regex(/^course-v1:\S+$/, 'must start with course-v1:'),
  title: filled,
  verified_price_usd: dollars,
  slug: filled.optional().catch(undefined),
  institution: filled.optional().catch(undefined),
  subject: filled.optional().catch(undefined),
  level: filled.optional().catch(undefined),
  language: filled.optional().catch(undefined),
  pacing: filled.optional().catch(undefined),
  weeks: z.coerce.number().int().positive().optional().catch(undefined),
});

const REQUIRED = ['course_key', 'course_run_key', 'title', 'verified_price_usd'];
const MAX_PROBLEMS = 10;

interface Line {
  number: number;
  cells: string[];
}

function readLines(text: string): Line[] {
  const records: unknown = parse(text, { bom: true, info: true, relax_column_count: true, skip_empty_lines: true });
  const shape = z.array(z.object({ record: z.array(z.string()), info: z.object({ lines: z.int() }) }));
  // The parser reports the line on which a record ends; a reader looks for the one on which it starts.
  return shape.parse(records).map(({ record, info }) => ({
    number: info.lines - record.join('').split('\n').length + 1,
    cells: record,
  }));
}

const optional = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };

function readCourse(cells: Record<string, string>): CourseSeed | string {
  const parsed = row.safeParse(cells);
  if (!parsed.success) {
    return parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join(', ');
  }
  const { course_key, course_run_key, title, verified_price_usd, ...details } = parsed.data;
  return {
    courseKey: course_key,
    courseRunKey: course_run_key,
    title,
    priceCents: verified_price_usd,
    ...optional(details),
  };
}

/** Reads the courses of a catalog CSV. All that is wrong with it is told in one error, each problem with its line. */
export function parseCatalog(text: string, name: string): CourseSeed[] {
  const refuse = (problems: readonly string[]) => {
    const more = problems.length > MAX_PROBLEMS ? `; and ${problems.length - MAX_PROBLEMS} more` : '';
    return new Error(`Catalog file ${name}: ${problems.slice(0, MAX_PROBLEMS).join('; ')}${more}`);
  };
  let lines: Line[];
  try {
    lines = readLines(text);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw refuse([`line ${String(error.lines ?? '?')}: ${error.message}`]);
  }

  const [header, ...body] = lines;
  const columns = header?.cells.map((cell) => cell.trim()) ?? [];
  const absent = REQUIRED.filter((column) => !columns.includes(column));
  if (absent.length > 0) throw refuse([`line 1: missing column ${absent.join(', ')}`]);

  const courses: CourseSeed[] = [];
  const problems: string[] = [];
  const seen = new Map<string, number>();
  for (const { number, cells } of body) {
    if (cells.length !== columns.length) {
      problems.push(`line ${number}: ${cells.length} values where the header has ${columns.length}`);
      continue;
    }
    const course = readCourse(Object.fromEntries(columns.map((column, at) => [column, cells[at] ?? ''])));
    if (typeof course === 'string') {
      problems.push(`line ${number}: ${course}`);
      continue;
    }
    const first = seen.get(course.courseRunKey);
    if (first === undefined) seen.set(course.courseRunKey, number);
    else problems.push(`line ${number}: course_run_key ${course.courseRunKey} is on line ${first} already`);
    courses.push(course);
  }
  if (problems.length > 0) throw refuse(problems);
  return courses;
}

export const readCatalogFile = (path: string): CourseSeed[] => parseCatalog(readFileSync(path, 'utf8'), basename(path));
