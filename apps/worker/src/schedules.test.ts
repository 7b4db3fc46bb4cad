import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { schedules } from './schedules.ts';

/** How the page about deployment writes the times of the table. */
function written(cron: string): string {
  const [minute = '', hour = ''] = cron.split(' ');
  if (minute === '*') return 'every minute';
  if (hour === '*') return `every hour, at :${minute}`;
  return `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`;
}

test('the page about deployment names every schedule with its time', async () => {
  const page = await readFile(new URL('../../../docs/operations/deployment.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([\w.-]+)` +\| (every minute|every hour, at :\d+|\d\d:\d\d) +\|$/gm)];
  const expected = schedules.map(({ job, cron }) => [job, written(cron)]);
  expect(rows.map(([, job, time]) => [job, time]).sort()).toEqual(expected.sort());
});
