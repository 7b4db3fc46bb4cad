import { createTestDatabase } from '@enterprise-access/db/testing';
import { PgBoss } from 'pg-boss';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { openPage } from '../support/browser.ts';
import { demonstration, learnerToken, operatorToken, startApp, tokenFor } from '../support/harness.ts';

type World = Awaited<ReturnType<typeof startApp>>;
const staffToken = () => tokenFor('enterprise_learner', demonstration.customer, 70, { isStaff: true });

let world: World;
let queues: Awaited<ReturnType<typeof createTestDatabase>>;
let boss: PgBoss;
let failed: string;
let url: string;
beforeAll(async () => {
  queues = await createTestDatabase(inject('servers'), 'postgres', 1);
  boss = new PgBoss({ connectionString: queues.url, supervise: false });
  await boss.start();
  await boss.createQueue('test.fails', { retryLimit: 0 });
  failed = (await boss.send('test.fails', { n: 1 })) ?? '';
  await boss.fetch('test.fails');
  await boss.fail('test.fails', failed);
  world = await startApp('postgres', { env: { JOBS_DATABASE_URL: queues.url } });
  url = await world.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await world.stop();
  await boss.stop();
  await queues.drop();
});

const stateOf = async (id = failed) => (await boss.findJobs('test.fails', { id }))[0]?.state;
const action = (intent: string) => ({ method: 'POST', body: new URLSearchParams({ intent }) });
const jobPage = (id = failed) => `${url}/jobs/queues/test.fails/jobs/${id}`;
const cookie = (token: string) => ({ cookie: `edx-jwt-cookie=${token}` });

test.each([
  ['nobody', () => null, 401, 'Authentication credentials were not provided.'],
  ['a learner', () => learnerToken(1000), 403, 'You do not have permission to perform this action.'],
  ['an operator who is not staff', operatorToken, 403, 'You do not have permission to perform this action.'],
])('%s sees nothing, neither pages nor scripts, and changes nothing', async (_who, token, status, detail) => {
  const given = token();
  const headers: Record<string, string> = given === null ? {} : { authorization: `JWT ${given}` };
  for (const path of ['/jobs', '/jobs/', '/jobs/queues', '/jobs/assets/x.js', '/jobs/nonsense']) {
    const reply = await fetch(url + path, { headers });
    expect({ path, status: reply.status, body: await reply.json() }).toEqual({ path, status, body: { detail } });
  }
  expect((await fetch(jobPage(), { ...action('retry'), headers })).status).toBe(status);
  expect(await stateOf()).toBe('failed');
});

test('staff see the queues, with a token in the header or in the cookies', async () => {
  for (const headers of [{ authorization: `JWT ${staffToken()}` }, cookie(staffToken())]) {
    const reply = await fetch(`${url}/jobs/queues`, { headers });
    expect(reply.status).toBe(200);
    expect(await reply.text()).toContain('test.fails');
  }
});

test('another site cannot make the browser of staff change anything; our page sends a failed job back', async () => {
  for (const origin of [{}, { origin: 'https://evil.example' }, { origin: 'null' }]) {
    const reply = await fetch(jobPage(), { ...action('retry'), headers: { ...cookie(staffToken()), ...origin } });
    expect(reply.status).toBe(401);
  }
  expect(await stateOf()).toBe('failed');
  const reply = await fetch(jobPage(), { ...action('retry'), headers: { ...cookie(staffToken()), origin: url } });
  expect(reply.status).toBe(200);
  expect(await stateOf()).toBe('retry');
});

test('each action of the page does what it says, on the schema that our pg-boss made', async () => {
  const headers = { authorization: `JWT ${staffToken()}` };
  const id = (await boss.send('test.fails', { n: 2 }, { startAfter: 3_600 })) ?? '';
  const act = async (intent: string) => {
    const reply = await fetch(jobPage(id), { ...action(intent), headers });
    expect(reply.status, intent).toBe(200);
    return stateOf(id);
  };
  expect(await (await fetch(jobPage(id), { headers })).text()).toContain(id);
  expect(await act('cancel')).toBe('cancelled');
  expect(await act('resume')).toBe('created');
  expect(await act('cancel')).toBe('cancelled');
  expect(await act('delete')).toBeUndefined();
});

test('the page works in a browser under its content security policy', async ({ skip }) => {
  const page = await openPage(`${url}/jobs`, { authorization: `JWT ${staffToken()}` });
  if (page === null) return skip('chromium is not installed');
  try {
    // Set by the script that brings the page to life.
    await page.until(
      'document.querySelector("a[href=\\"/jobs/queues\\"]") && window.__reactRouterRouteModules !== undefined',
    );
    await page.run('document.querySelector("a[href=\\"/jobs/queues\\"]").click()');
    await page.until('location.pathname === "/jobs/queues" && document.body.innerText.includes("test.fails")');
    expect(page.violations.filter((text) => !text.includes('fonts.g'))).toEqual([]);
  } finally {
    await page.close();
  }
});

test('without a database of queues there is no dashboard', async () => {
  const other = await startApp('postgres');
  expect((await other.call('GET', '/jobs', staffToken())).status).toBe(404);
  await other.stop();
});
