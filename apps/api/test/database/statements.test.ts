import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { canRedeemAs, newCourse, newCustomer, newPolicy, newSubsidy, POLICIES, redeemAs } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';

describe.each(dialects)('the number of SQL statements on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  /** Statements of a request that was made before, so that the caller is known already. */
  const statementsOf = async (request: () => Promise<{ status: number }>): Promise<number> => {
    expect((await request()).status).toBe(200);
    let statements = 0;
    const count = () => {
      statements += 1;
    };
    world.db.on('query', count);
    const { status } = await request().finally(() => world.db.off('query', count));
    expect(status).toBe(200);
    return statements;
  };

  /** A customer with so many policies, each on a subsidy of its own. */
  const customerWith = async (policies: number) => {
    const customer = newCustomer(world, [1]);
    const uuids: string[] = [];
    for (let n = 0; n < policies; n += 1) {
      const subsidy = await newSubsidy(world, { customer, balance: n === policies - 1 ? 1_000_000 : 0 });
      uuids.push(await newPolicy(world, { customer, subsidy, learnerSpendLimit: 900_000, groups: [] }));
    }
    return { customer, policies: uuids, token: tokenFor('enterprise_learner', customer, 1) };
  };

  test('can-redeem needs at most eight, for one key as for fifty and for one policy as for thirty', async () => {
    const keys = Array.from({ length: 50 }, (_, n) => newCourse(world, { priceCents: 100 + n }));
    const [one, thirty] = [await customerWith(1), await customerWith(30)];
    for (const { customer, policies } of [one, thirty]) {
      // Some were redeemed before: their transactions are read too.
      for (const key of keys.slice(0, 5))
        expect((await redeemAs(world, policies.at(-1) ?? '', customer, 1, key)).status).toBe(200);
    }
    const ask = ({ customer, token }: typeof one, asked: readonly string[]) =>
      statementsOf(() => canRedeemAs(world, customer, 1, asked, token));
    const first = await ask(one, keys.slice(0, 1));
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(8);
    expect(await ask(one, keys)).toBe(first);
    expect(await ask(thirty, keys.slice(0, 1))).toBe(first);
    expect(await ask(thirty, keys)).toBe(first);
    // Refused by all thirty, with their reasons; refusals of one request that is sampled are stored in one statement.
    expect(await ask(thirty, ['course-v1:no+such+run'])).toBe(first + 1);
    expect(await ask(thirty, ['course-v1:no+such+run', 'course-v1:no+other+run'])).toBe(first + 1);
    expect(first + 1).toBeLessThanOrEqual(8);
  });

  test('the list of policies needs at most four per page, for one as for a hundred', async () => {
    const token = operatorToken();
    const list = (customer: string, query = '') =>
      statementsOf(() => world.call('GET', `${POLICIES}?enterprise_customer_uuid=${customer}${query}`, token));
    const [one, many] = [await customerWith(1), await customerWith(100)];
    const first = await list(one.customer);
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(4);
    expect(await list(many.customer)).toBe(first);
    expect(await list(many.customer, '&page=2&page_size=40')).toBeLessThanOrEqual(4);
  });

  test('credits available need at most eight, for one policy as for thirty', async () => {
    const ask = ({ customer, token }: { customer: string; token: string }) =>
      statementsOf(() =>
        world.call(
          'GET',
          `/api/v1/policy-redemption/credits_available/?enterprise_customer_uuid=${customer}&lms_user_id=1`,
          token,
        ),
      );
    const first = await ask(await customerWith(1));
    expect(first).toBeLessThanOrEqual(8);
    expect(await ask(await customerWith(30))).toBe(first);
  });
});
