import { expect, test } from 'vitest';
import { parseCatalog } from './catalog-file.ts';

const HEADER =
  'course_key,course_run_key,slug,title,institution,subject,level,language,pacing,weeks,verified_price_usd,enrolled_2020';
const line = (key: string, title: string, institution: string, price: string) =>
  `${key},course-v1:${key}+2T2026,slug,${title},${institution},Math,Introductory,English,self_paced,4,${price},10`;
const parse = (...lines: string[]) => parseCatalog([HEADER, ...lines, ''].join('\n'), 'c.csv');

test.each([
  [
    'a quoted comma',
    line('A+b.c.', '"Study, Stress and Health"', '"University of X, Y"', '49'),
    'Study, Stress and Health',
    4_900,
  ],
  ['a quoted quote', line('A+b', '"The ""Big"" One"', 'X', '49.99'), 'The "Big" One', 4_999],
  ['a quoted line break', line('A+b', '"Two\nlines"', 'X', '5'), 'Two\nlines', 500],
  ['other scripts', line('A+b', 'اللغة العربية 中文', 'X', '19.9'), 'اللغة العربية 中文', 1_990],
  ['a price that floats get wrong', line('A+b', 'T', 'X', '19.99'), 'T', 1_999],
])('a row with %s loads', (_case, row, title, priceCents) => {
  expect(parse(row)).toMatchObject([{ title, priceCents, weeks: 4, pacing: 'self_paced' }]);
});

test('a byte order mark, CRLF and blank lines do no harm', () => {
  const text = `\uFEFF${[HEADER, line('A+b', 'T', 'X', '1'), '', line('A+c', 'T', 'X', '2')].join('\r\n')}\r\n`;
  expect(parseCatalog(text, 'c.csv').map(({ courseKey }) => courseKey)).toEqual(['A+b', 'A+c']);
});

const good = line('A+b', '"T\nT"', 'X', '1');
test.each([
  ['a price that is none', [good, line('A+c', 'T', 'X', 'free')], 'line 4: verified_price_usd must be a price'],
  ['too few values', [good, 'A+c,T'], 'line 4: 2 values where the header has 12'],
  ['a run twice', [good, good], 'line 4: course_run_key course-v1:A+b+2T2026 is on line 2 already'],
  ['an empty title', [line('A+c', '', 'X', '1')], 'line 2: title must not be empty'],
  ['an open quote', [line('A+c', '"T', 'X', '1')], 'Quote Not Closed'],
])('%s is reported with its line', (_case, lines, message) => {
  expect(() => parse(...lines)).toThrow(message);
});

test('all problems come in one error, and a missing column is named', () => {
  const bad = [line('A+c', 'T', 'X', 'a'), line('A+d', 'T', 'X', 'b')];
  expect(() => parse(...bad)).toThrow(/^Catalog file c\.csv: line 2: .*; line 3: /);
  expect(() => parseCatalog('course_key,title\n', 'c.csv')).toThrow(
    'missing column course_run_key, verified_price_usd',
  );
});
