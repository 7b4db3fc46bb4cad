import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { schedules } from './schedules.ts';

const PAGE = new URL('../../../docs/operations/deployment.md', import.meta.url);

/** The notation of the page: a time of day, or an interval. */
function inWords(cron: string): string {
  const [minute = '', hour = ''] = cron.split(' ');
  if (minute === '*') return 'every minute';
  return hour === '*' ? `${minute} past each hour` : `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`;
}

test('the deployment page lists every scheduled job with its time', async () => {
  const section = (await readFile(PAGE, 'utf8')).split('## Scheduled jobs')[1] ?? '';
  const listed = [...section.matchAll(/^\| `([^`]+)` +\| (.+?) +\|$/gm)].map(([, job, when]) => `${job}: ${when}`);
  expect(listed.toSorted()).toEqual(schedules.map(({ job, cron }) => `${job}: ${inWords(cron)}`).toSorted());
});
