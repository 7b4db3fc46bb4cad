import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import type { Course } from './courses.ts';

const row = z.object({
  course_key: z.string().min(1),
  course_run_key: z.string().startsWith('course-v1:'),
  title: z.string().min(1),
  verified_price_usd: z.coerce.number().min(0),
});

/** Courses of a CSV text with the columns course_key, course_run_key, title and verified_price_usd, among others. */
export function coursesOfCsv(text: string): Course[] {
  const rows: { record: unknown; info: { lines: number } }[] = parse(text, { columns: true, skip_empty_lines: true, bom: true, info: true });
  return rows.map(({ record, info }) => {
    const parsed = row.safeParse(record);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new Error(`Line ${info.lines} of the catalog file: ${issue?.path.join('.') ?? 'row'} ${issue?.message ?? 'is not valid'}`);
    }
    const { course_key: key, course_run_key: runKey, title, verified_price_usd: price } = parsed.data;
    return { key, runKey, title, price, enrollBy: '2099-12-31T23:59:59Z' };
  });
}

export const readCatalogFile = (path: string): Course[] => coursesOfCsv(readFileSync(path, 'utf8'));
