import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { trpcData } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { licenseRow, newAgreement, newPlan } from './lifecycle-plans.ts';

const HEADER = 'activation_date,activation_link,last_remind_date,status,user_email\r\n';
const KEY = 'dddddddd-dddd-4ddd-8ddd-dddddddddddd';

describe.each(dialects)('licences as CSV on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  const csvOf = (plan: string, token: string, slash = '/') =>
    world.call('GET', `/api/v1/subscriptions/${plan}/licenses/csv${slash}`, token);
  const admin = (customer: string) => tokenFor('enterprise_admin', customer, 7);
  async function made(licenses: Parameters<typeof newPlan>[2]) {
    const agreement = await newAgreement(world);
    const plan = await newPlan(world, agreement, licenses);
    const slug = `slug-${agreement.uuid.slice(-12)}`;
    const link = (key: string) => `http://portal.test/${slug}/licenses/${key}/activate`;
    return { ...agreement, plan, link };
  }

  test('corrections 11, 12: columns, both forms of time, lines, and no free licences; with and without the slash', async () => {
    const { plan, customer, link } = await made([
      licenseRow('activated', {
        uuid: '00000000-0000-7000-8000-000000000001',
        user_email: 'a@x.org',
        activation_key: KEY,
        activation_date: new Date('2021-04-08T19:30:55Z'),
        last_remind_date: new Date('2026-11-28T09:55:27.120Z'),
      }),
      licenseRow('assigned', {
        uuid: '00000000-0000-7000-8000-000000000002',
        user_email: 'b,c@x.org',
        activation_key: null,
        last_remind_date: null,
      }),
      licenseRow('revoked', {
        uuid: '00000000-0000-7000-8000-000000000003',
        user_email: null,
        activation_key: KEY,
        activation_date: null,
        last_remind_date: null,
      }),
      licenseRow('unassigned'),
    ]);
    const reply = await csvOf(plan, admin(customer));
    expect(reply).toMatchObject({ status: 200, headers: { 'content-type': 'text/csv; charset=utf-8' } });
    expect(JSON.parse(reply.body)).toBe(
      `${HEADER}2021-04-08 19:30:55+00:00,${link(KEY)},2026-11-28 09:55:27.120000+00:00,activated,a@x.org\r\n` +
        `,${link('None')},,assigned,"b,c@x.org"\r\n,${link(KEY)},,revoked,\r\n`,
    );
    expect((await csvOf(plan, admin(customer), '')).body).toBe(reply.body);
  });

  test('correction 11a: a plan without held licences is an empty text', async () => {
    const { plan, customer } = await made([licenseRow('unassigned')]);
    expect((await csvOf(plan, admin(customer))).body).toBe('""');
  });

  test('a text that a spreadsheet would take for a formula begins with a quote; the others stay as they are', async () => {
    const { plan, customer } = await made([
      licenseRow('assigned', { uuid: '00000000-0000-7000-8000-000000000011', user_email: '=1+1@x.org' }),
      licenseRow('assigned', { uuid: '00000000-0000-7000-8000-000000000012', user_email: "o'neil+a@x.org" }),
    ]);
    const lines = JSON.parse((await csvOf(plan, admin(customer))).body).split('\r\n');
    expect(lines.map((line: string) => line.split(',').at(-1))).toEqual([
      'user_email',
      "'=1+1@x.org",
      "o'neil+a@x.org",
      '',
    ]);
  });

  test('a large plan comes in parts: every licence once, over both transports', async () => {
    const licenses = Array.from({ length: 12_000 }, (_, at) =>
      licenseRow((['activated', 'assigned', 'revoked'] as const)[at % 3] ?? 'assigned', { user_email: `u${at}@x.org` }),
    );
    const { plan, customer } = await made(licenses);
    const lines = JSON.parse((await csvOf(plan, admin(customer))).body)
      .split('\r\n')
      .slice(1, -1);
    const addresses = lines.map((line: string) => line.split(',').at(-1));
    expect(addresses).toHaveLength(12_000);
    expect(new Set(addresses).size).toBe(12_000);
    let [content, parts] = ['', 0];
    for (let cursor: string | null | undefined; cursor !== null; parts += 1) {
      const part: { content: string; nextCursor: string | null } = await trpcData(world, 'licenses.csv', {
        planUuid: plan,
        ...(cursor === undefined ? {} : { cursor }),
      });
      content += part.content;
      cursor = part.nextCursor;
    }
    expect(parts).toBe(4);
    expect(content.split('\r\n').slice(1, -1)).toEqual(lines);
  });

  test('W-21: other customers are refused, unknown plans are not found, malformed ids are bad input', async () => {
    const { plan, customer } = await made([licenseRow('assigned')]);
    const other = await made([]);
    expect(await csvOf(plan, admin(other.customer))).toMatchObject({
      status: 403,
      body: { detail: 'Missing: subscriptions.has_admin_access' },
    });
    expect(await csvOf(plan, tokenFor('enterprise_learner', customer, 1_000))).toMatchObject({ status: 403 });
    expect(await csvOf(KEY, operatorToken())).toMatchObject({ status: 404 });
    expect(await csvOf('none', operatorToken())).toMatchObject({ status: 400 });
  });
});
