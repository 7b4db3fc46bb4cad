import { readFile } from 'node:fs/promises';
import { CsvError, parse } from 'csv-parse/sync';
import { z } from 'zod';
import { type Course, course } from './courses.ts';

/** A catalog file that cannot be used: every reason with its line, in one message. */
export class CatalogFileError extends Error {
  override readonly name = 'CatalogFileError';
}

const SHOWN_PROBLEMS = 20;

/** Cents by the decimal text, never by a binary fraction. */
const dollars = z
  .string()
  .regex(/^\d{1,7}(\.\d{1,2})?$/, 'is not an amount in dollars')
  .transform((text) => {
    const [whole = '0', fraction = ''] = text.split('.');
    return Number(whole) * 100 + Number(fraction.padEnd(2, '0'));
  });

const row = z.object({
  course_key: z.string().regex(/^[^\s+]+\+\S+$/, 'is not a course key'),
  course_run_key: z.string().regex(/^course-v1:\S+$/, 'is not a course run key'),
  title: z.string().min(1, 'is empty'),
  institution: z.string(),
  pacing: z.string(),
  weeks: z
    .string()
    .regex(/^\d{1,3}$/, 'is not a number of weeks')
    .transform(Number),
  verified_price_usd: dollars,
});
const COLUMNS = [...Object.keys(row.shape), 'slug', 'subject', 'level', 'language', 'enrolled_2020'];

/** The courses of a catalog CSV file. */
export async function readCatalogFile(path: string): Promise<readonly Course[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CatalogFileError('The catalog file cannot be read.', { cause: error });
  }
  return parseCatalog(text);
}

/** The courses of a catalog CSV text. Columns are found by name. */
export function parseCatalog(text: string): readonly Course[] {
  const [header, ...lines] = recordsOf(text);
  const names = header?.record ?? [];
  const missing = COLUMNS.filter((name) => !names.includes(name));
  if (missing.length > 0) throw new CatalogFileError(`The catalog file lacks the columns ${missing.join(', ')}.`);

  const courses: Course[] = [];
  const problems: string[] = [];
  const lineOfKey = new Map<string, number>();
  for (const { record, info } of lines) {
    // A quoted field may span lines; the parser counts to the record's last one.
    const line = info.lines - record.join('').split('\n').length + 1;
    const outcome = courseOf(names, record);
    if (typeof outcome === 'string') {
      problems.push(`line ${line}: ${outcome}`);
      continue;
    }
    const earlier = lineOfKey.get(outcome.key) ?? lineOfKey.get(outcome.runKey);
    if (earlier !== undefined) problems.push(`line ${line}: ${outcome.key} is already on line ${earlier}`);
    lineOfKey.set(outcome.key, line).set(outcome.runKey, line);
    courses.push(outcome);
  }
  if (problems.length > 0) {
    const more = problems.length > SHOWN_PROBLEMS ? [`and ${problems.length - SHOWN_PROBLEMS} more`] : [];
    const shown = [...problems.slice(0, SHOWN_PROBLEMS), ...more].join('; ');
    throw new CatalogFileError(`The catalog file has malformed rows: ${shown}.`);
  }
  return courses;
}

interface Line {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

function recordsOf(text: string): readonly Line[] {
  try {
    const options = { bom: true, info: true, relax_column_count: true, skip_empty_lines: true } as const;
    // Its types know only the plain shape, without the info that was asked for.
    return parse(text, { ...options, record_delimiter: ['\r\n', '\n'] }) as unknown as readonly Line[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new CatalogFileError(`The catalog file is not valid CSV: ${error.message}.`, { cause: error });
  }
}

function courseOf(names: readonly string[], record: readonly string[]): Course | string {
  if (record.length !== names.length) return `${record.length} fields instead of ${names.length}`;
  const parsed = row.safeParse(Object.fromEntries(names.map((name, index) => [name, record[index]?.trim()])));
  if (!parsed.success) {
    return parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join(', ');
  }
  const { data } = parsed;
  return course({
    key: data.course_key,
    runKey: data.course_run_key,
    title: data.title,
    priceCents: data.verified_price_usd,
    organization: data.institution,
    weeks: data.weeks,
    pacing: data.pacing,
  });
}
