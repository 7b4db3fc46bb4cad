import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { schedules } from './schedules.ts';

const PAGE = new URL('../../../docs/operations/deployment.md', import.meta.url);

/** As the page writes it: times of the day, or how often within one. */
function inWords(cron: string): string {
  const [minute = '', hour = ''] = cron.split(' ');
  if (minute === '*') return 'every minute';
  return hour === '*' ? `${minute} past each hour` : `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`;
}

test('the page for operators lists what happens by itself, and when', async () => {
  const section = (await readFile(PAGE, 'utf8')).split('## What happens by itself')[1] ?? '';
  const listed = [...section.matchAll(/^\| `([^`]+)` +\| (.+?) +\|$/gm)].map(([, job, when]) => `${job}: ${when}`);
  expect(listed.toSorted()).toEqual(schedules.map(({ job, cron }) => `${job}: ${inWords(cron)}`).toSorted());
});
