import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demonstration, dialects, operatorToken, startApp } from '../support/harness.ts';

const path = '/api/v1/subsidy-access-policies/';
const unknown = '99999999-9999-4999-8999-999999999999';

/** W29: the old service took any uuid. */
describe.each(dialects)('what a policy draws on, on %s', (dialect) => {
  let world: Awaited<ReturnType<typeof startApp>>;
  let own: { catalog_uuid: string; subsidy_uuid: string };
  let others: typeof own;
  beforeAll(async () => {
    world = await startApp(dialect);
    const of = async (customer: string, catalog: string) => ({
      catalog_uuid: catalog,
      subsidy_uuid: (await world.db('subsidies').where({ enterprise_customer_uuid: customer }).first('uuid')).uuid,
    });
    own = await of(demonstration.customer, demonstration.catalog);
    others = await of(demonstration.otherCustomer, demonstration.otherCatalog);
  });
  afterAll(() => world.stop());

  const create = (change: object) =>
    world.call('POST', path, operatorToken(), {
      policy_type: 'PerLearnerSpendCreditAccessPolicy',
      enterprise_customer_uuid: demonstration.customer,
      access_method: 'direct',
      spend_limit: 1,
      display_name: JSON.stringify(change),
      ...own,
      ...change,
    });

  test.each(['catalog_uuid', 'subsidy_uuid'] as const)(
    'R-POL-10, W29: %s of another customer is refused',
    async (field) => {
      const refusal = { [field]: ['This belongs to another enterprise customer.'] };
      const change = { [field]: others[field] };
      expect(await create(change)).toMatchObject({ status: 400, body: refusal });
      const policy = `${path}${demonstration.spendPolicy}/`;
      expect(await world.call('PATCH', policy, operatorToken(), change)).toMatchObject({ status: 400, body: refusal });
      const same = await world.call('PATCH', policy, operatorToken(), { [field]: own[field] });
      expect(same).toMatchObject({ status: 200, body: { [field]: own[field] } });
    },
  );

  test.each(['catalog_uuid', 'subsidy_uuid'] as const)(
    'R-POL-10: %s that nobody knows yet is accepted',
    async (field) => {
      expect((await create({ [field]: unknown })).status).toBe(201);
    },
  );
});
