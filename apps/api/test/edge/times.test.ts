import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { trpcData } from '../support/fixtures.ts';
import { demonstration, dialects, operatorToken, startApp } from '../support/harness.ts';

const POLICY = `/api/v1/subsidy-access-policies/${demonstration.spendPolicy}/`;

describe.each(dialects)('times over REST on %s', (dialect) => {
  let world: Awaited<ReturnType<typeof startApp>>;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  const patch = (body: object) => world.call('PATCH', POLICY, operatorToken(), body);
  const read = async () => (await world.call('GET', POLICY, operatorToken())).body;
  /** As another program writes it. */
  const store = (text: string) =>
    world.db.raw('update policies set created = ? where uuid = ?', [
      dialect === 'postgres' ? `${text}Z` : text.replace('T', ' '),
      demonstration.spendPolicy,
    ]);

  test.each([
    ['2026-01-02T03:04:05', '2026-01-02T03:04:05Z'],
    ['2026-01-02T03:04:05.120000', '2026-01-02T03:04:05.120000Z'],
    ['2026-01-02T03:04:05.123456', '2026-01-02T03:04:05.123456Z'],
    ['2026-01-02T03:04:05.000001', '2026-01-02T03:04:05.000001Z'],
    ['1000-01-01T00:00:00', '1000-01-01T00:00:00Z'],
    ['9999-12-31T23:59:59.999999', '9999-12-31T23:59:59.999999Z'],
  ])('what is stored as %s reads %s, also after the row was written again', async (stored, shown) => {
    await store(stored);
    expect((await read()).created).toBe(shown);
    expect((await patch({ description: stored })).body.created).toBe(shown);
    expect((await read()).created).toBe(shown);
  });

  test('over tRPC times are dates, and what is stored keeps its microseconds when the row is written', async () => {
    await store('2026-01-02T03:04:05.123456');
    const input = { uuid: demonstration.spendPolicy };
    const changed = await trpcData<{ created: Date }>(world, 'policies.update', { ...input, description: 'by tRPC' });
    expect(changed.created.toISOString()).toBe('2026-01-02T03:04:05.123Z');
    const found = await trpcData<{ created: Date }>(world, 'policies.get', input);
    expect(found.created.toISOString()).toBe('2026-01-02T03:04:05.123Z');
    expect((await read()).created).toBe('2026-01-02T03:04:05.123456Z');
  });

  test.each([
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'],
    ['2026-01-02T05:04:05.123456+02:00', '2026-01-02T03:04:05.123456Z'],
    ['2026-01-02T03:04:05.1Z', '2026-01-02T03:04:05.100000Z'],
    ['1000-01-01T00:00:00Z', '1000-01-01T00:00:00Z'],
    ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59Z'],
  ])('%s is kept as %s', async (given, shown) => {
    expect((await patch({ late_redemption_allowed_until: given })).body.late_redemption_allowed_until).toBe(shown);
    expect((await read()).late_redemption_allowed_until).toBe(shown);
  });

  const WRONG =
    'Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].';
  test.each([
    ['10000-01-01T00:00:00Z', WRONG],
    ['-0001-01-01T00:00:00Z', WRONG],
    ['2026-02-30T00:00:00Z', WRONG],
    ['2026-01-01T24:00:00Z', WRONG],
    ['0001-01-01T00:00:00Z', 'Datetime value out of range.'],
    ['0999-12-31T23:59:59Z', 'Datetime value out of range.'],
    ['9999-12-31T23:59:59-01:00', 'Datetime value out of range.'],
  ])('%s is refused', async (given, message) => {
    expect(await patch({ late_redemption_allowed_until: given })).toMatchObject({
      status: 400,
      body: { late_redemption_allowed_until: [message] },
    });
  });
});
