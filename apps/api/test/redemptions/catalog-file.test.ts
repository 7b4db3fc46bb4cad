import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { auditBooks } from '@enterprise-access/domain';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newPolicy, SUBSIDIES } from '../support/fixtures.ts';
import { demonstration, dialects, learnerToken, operatorToken } from '../support/harness.ts';
import { startSandboxApp } from '../support/sandbox-app.ts';

const FILE = fileURLToPath(new URL('./odd-courses.csv', import.meta.url));

interface Row {
  readonly course_key: string;
  readonly course_run_key: string;
  readonly title: string;
  readonly verified_price_usd: string;
}

const rows: Row[] = parse(readFileSync(FILE), { bom: true, columns: true });
/** By digits: what the file says, not what binary fractions make of it. */
const centsOf = (dollars: string): number => {
  const [whole = '0', fraction = ''] = dollars.split('.');
  return Number(`${whole}${fraction.padEnd(2, '0')}`);
};

interface Priced {
  readonly content_key: string;
  readonly list_price: { readonly usd: number; readonly usd_cents: number };
  readonly can_redeem: boolean;
  readonly has_successful_redemption: boolean;
}

describe.each(dialects)('a catalog file with odd rows on %s', (dialect) => {
  let world: Awaited<ReturnType<typeof startSandboxApp>>;
  let policy: string;
  beforeAll(async () => {
    world = await startSandboxApp(dialect, { catalogFile: FILE });
    policy = await newPolicy(world, {
      customer: demonstration.customer,
      subsidy: demonstration.subsidy,
      catalog: demonstration.catalog,
    });
    await world.db('policies').whereNot({ uuid: policy }).update({ retired: true });
  });
  afterAll(() => world.stop());

  const LEARNER = 1_000;
  const token = learnerToken(LEARNER);
  const ask = async (): Promise<Priced[]> => {
    const query = new URLSearchParams(
      rows.map(({ course_run_key }): [string, string] => ['content_key', course_run_key]),
    );
    const path = `/api/v1/policy-redemption/enterprise-customer/${demonstration.customer}/can-redeem/?${query}`;
    const { status, body } = await world.call('GET', path, token);
    expect(status, JSON.stringify(body)).toBe(200);
    return body;
  };

  test('every course is priced to the cent, redeemed once under its title, and the books agree', async () => {
    const before = await ask();
    expect(
      before.map(({ content_key, list_price, can_redeem }) => [content_key, list_price.usd_cents, can_redeem]),
    ).toEqual(rows.map((row) => [row.course_run_key, centsOf(row.verified_price_usd), true]));
    const balance = async () =>
      (await world.call('GET', `${SUBSIDIES}${demonstration.subsidy}/`, operatorToken())).body.current_balance;
    const start = await balance();

    const replies: Awaited<ReturnType<typeof world.call>>[] = [];
    for (const { course_run_key } of rows) {
      const body = { lms_user_id: LEARNER, content_key: course_run_key };
      replies.push(await world.call('POST', `/api/v1/policy-redemption/${policy}/redeem/`, token, body));
    }
    expect(
      replies.map(({ status, body }) => [
        status,
        body.content_key,
        body.parent_content_key,
        body.content_title,
        -body.quantity,
      ]),
    ).toEqual(
      rows.map((row) => [200, row.course_run_key, row.course_key, row.title, centsOf(row.verified_price_usd) || -0]),
    );

    expect((await ask()).every((answer) => answer.has_successful_redemption && !answer.can_redeem)).toBe(true);
    expect(start - (await balance())).toBe(rows.reduce((sum, row) => sum + centsOf(row.verified_price_usd), 0));
    expect(await auditBooks(world.db)).toEqual([]);
  });

  test('its rows are as odd as those of real files', () => {
    const titles = rows.map(({ title }) => title).join('');
    for (const odd of [',', '"', '\n', '\u00a0', '  ', '’', 'ñ', '写', 'ل', '🎓']) expect(titles).toContain(odd);
    expect(new Set(rows.map(({ course_run_key }) => course_run_key.toLowerCase())).size).toBeLessThan(rows.length);
    expect(rows.some(({ course_key }) => course_key.endsWith('.'))).toBe(true);
  });
});
