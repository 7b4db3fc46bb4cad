import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { demonstration, dialects, startApp } from '../support/harness.ts';
import { attempt } from '../support/work.ts';
import { countersOf } from './lifecycle-plans.ts';

describe.each(dialects)('made-up licences on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  beforeEach(() => {
    Object.assign(world.runtime.settings, { isDemoDataAllowed: true });
  });
  afterAll(() => world.stop());

  test('a customer of the LMS gets a plan for a year, in the agreement that it has', async () => {
    const payload = { enterpriseCustomerSlug: 'demo-company', numLicenses: 12 };
    expect(await attempt(world, 'licenses.seedDemoData', payload, { dryRun: true })).toMatchObject({
      result: { planUuid: null },
    });
    const { result, error } = await attempt(world, 'licenses.seedDemoData', payload);
    expect(error).toBeNull();
    const plan = await world.db('subscription_plans').where({ uuid: result?.planUuid }).first();
    expect(plan).toMatchObject({
      customer_agreement_uuid: demonstration.agreement,
      unassigned_count: 12,
      for_internal_use_only: true,
      salesforce_opportunity_line_item: '00k456789123456789',
    });
    const unknown = await attempt(world, 'licenses.seedDemoData', { enterpriseCustomerSlug: 'nobody' });
    expect(unknown.error).toMatchObject({ name: 'UnknownCustomer' });
  });

  test('made-up customers have plans with licences in every state, and counters that fit', async () => {
    const before = new Set((await world.db('subscription_plans').select('uuid')).map(({ uuid }) => uuid));
    const { result, error } = await attempt(world, 'licenses.manufactureData', {
      agreements: 2,
      plans: 2,
      licenses: 30,
    });
    expect(error).toBeNull();
    expect(result).toEqual({ agreements: 2, plans: 4, licenses: 120 });
    const made = (await world.db('subscription_plans').select('uuid')).filter(({ uuid }) => !before.has(uuid));
    expect(made).toHaveLength(4);
    for (const { uuid } of made) {
      const { stored, counted } = await countersOf(world, uuid);
      expect([stored, stored]).toEqual([counted, [6, 6, 15, 3, 0]]);
    }
  });

  test('not where it is not allowed', async () => {
    Object.assign(world.runtime.settings, { isDemoDataAllowed: false });
    for (const [name, payload] of [
      ['licenses.seedDemoData', { enterpriseCustomerSlug: 'demo-company' }],
      ['licenses.manufactureData', {}],
    ] as const)
      expect((await attempt(world, name, payload)).error).toMatchObject({ name: 'DemoDataForbidden' });
  });
});
