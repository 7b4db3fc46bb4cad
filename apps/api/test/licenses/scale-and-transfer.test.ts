import { newUuid } from '@enterprise-access/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, startApp } from '../support/harness.ts';
import { attempt, work } from '../support/work.ts';
import { countersOf, daysFromNow, licenseRow, NOW, newAgreement, newPlan } from './lifecycle-plans.ts';

describe.each(dialects)('scaling, transfers and catalog queries on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  beforeEach(async () => {
    world.world.now = NOW;
    for (const table of ['licenses', 'subscription_plans', 'customer_agreements', 'outbox'])
      await world.db(table).delete();
  });
  afterAll(() => world.stop());

  const many = (n: number, status: Parameters<typeof licenseRow>[0]) =>
    Array.from({ length: n }, () => licenseRow(status));

  describe('scaling', () => {
    const scale = (options: { dryRun?: boolean } = {}) => attempt(world, 'licenses.scale', {}, options);
    const grows = {
      enable_auto_scaling_of_current_plan: true,
      auto_scaling_max_licenses: 100,
      auto_scaling_threshold_percentage: 30,
      auto_scaling_increment_percentage: 50,
    };

    test('example 13, R-LIC-58, W-33: the current plan with the newest start grows, and what it should have too', async () => {
      const broken = await newAgreement(world, { ...grows, auto_scaling_max_licenses: null });
      await newPlan(world, broken, many(2, 'activated'));
      const agreement = await newAgreement(world, grows);
      const older = await newPlan(world, agreement, many(2, 'activated'), { start_date: daysFromNow(-301) });
      const plan = await newPlan(world, agreement, [...many(4, 'assigned'), ...many(6, 'unassigned')], {
        desired_num_licenses: 10,
      });
      await newPlan(world, agreement, many(2, 'activated'), { start_date: daysFromNow(-1), is_active: false });
      await newPlan(world, agreement, many(2, 'activated'), { start_date: daysFromNow(1) });
      await newPlan(world, await newAgreement(world), many(2, 'activated'));
      expect(await scale({ dryRun: true })).toMatchObject({ result: { plans: 1, added: 5, misconfigured: 1 } });
      expect((await countersOf(world, plan)).stored[0]).toBe(6);
      expect(await scale()).toMatchObject({ error: null, result: { plans: 1, added: 5, misconfigured: 1, failed: 0 } });
      const { stored, counted } = await countersOf(world, plan);
      expect(stored).toEqual(counted);
      expect(stored).toEqual([11, 4, 0, 0, 0]);
      expect((await world.db('subscription_plans').where({ uuid: plan }).first()).desired_num_licenses).toBe(15);
      expect((await countersOf(world, older)).stored).toEqual([0, 0, 2, 0, 0]);
      expect(await scale()).toMatchObject({ result: { plans: 0, added: 0 } });
    });

    test('a frozen plan does not grow; a large addition is left to the job that adds licences', async () => {
      const frozen = await newAgreement(world, grows);
      await newPlan(world, frozen, many(2, 'activated'), { last_freeze_timestamp: NOW });
      const big = await newAgreement(world, {
        ...grows,
        auto_scaling_max_licenses: 10_000,
        auto_scaling_increment_percentage: 100,
      });
      const plan = await newPlan(world, big, many(400, 'activated'));
      expect(await scale()).toMatchObject({ result: { plans: 1, added: 400 } });
      await work(world);
      expect((await countersOf(world, plan)).stored).toEqual([400, 0, 400, 0, 0]);
    });
  });

  describe('transfers', () => {
    const transfer = (payload: Record<string, unknown>, options: { dryRun?: boolean } = {}) =>
      attempt(world, 'licenses.transfer', payload, options);
    const planOf = async (uuid: unknown) => (await world.db('licenses').where({ uuid }).first()).subscription_plan_uuid;

    test('R-LIC-96: licences of a list that somebody holds go over; a repetition moves nothing', async () => {
      const agreement = await newAgreement(world);
      const [held, used] = [licenseRow('assigned'), licenseRow('activated')];
      const [free, revoked] = [licenseRow('unassigned'), licenseRow('revoked')];
      const from = await newPlan(world, agreement, [held, used, free, revoked, ...many(3, 'activated')]);
      const to = await newPlan(world, agreement, many(1, 'unassigned'));
      const list = [held, used, free, revoked].map((row) => row.uuid).join('|');
      const payload = { oldPlanUuid: from, newPlanUuid: to, licenseUuids: `${list}\n${newUuid()}` };
      expect(await transfer(payload, { dryRun: true })).toMatchObject({ result: { outcome: 'moved', moved: 2 } });
      expect(await planOf(used.uuid)).toBe(from);
      expect(await transfer(payload)).toMatchObject({
        error: null,
        result: { outcome: 'moved', moved: 2, reason: null },
      });
      expect([await planOf(held.uuid), await planOf(used.uuid)]).toEqual([to, to]);
      expect([await planOf(free.uuid), await planOf(revoked.uuid)]).toEqual([from, from]);
      for (const plan of [from, to]) {
        const { stored, counted } = await countersOf(world, plan);
        expect(stored).toEqual(counted);
      }
      expect(await transfer(payload)).toMatchObject({ result: { moved: 0 } });
    });

    test('R-LIC-96: all licences, whatever their status, page by page', async () => {
      const agreement = await newAgreement(world);
      const all = [
        ...many(9, 'activated'),
        ...many(4, 'unassigned'),
        ...many(3, 'revoked'),
        licenseRow('revoked', { user_email: null }),
      ];
      const [from, to] = [await newPlan(world, agreement, all), await newPlan(world, agreement, [])];
      const payload = { oldPlanUuid: from, newPlanUuid: to, transferAll: true, batch: 5 };
      expect(await transfer(payload)).toMatchObject({ error: null, result: { moved: 17 } });
      expect((await countersOf(world, from)).stored).toEqual([0, 0, 0, 0, 0]);
      const { stored, counted } = await countersOf(world, to);
      expect([stored, stored]).toEqual([counted, [4, 0, 9, 4, 1]]);
    });

    test('W-18: if one holder has a licence in the other plan, none is moved', async () => {
      const agreement = await newAgreement(world);
      const [twice, once] = [licenseRow('assigned'), licenseRow('activated')];
      const from = await newPlan(world, agreement, [once, twice]);
      const to = await newPlan(world, agreement, [
        licenseRow('activated', { user_email: String(twice.user_email).toUpperCase() }),
      ]);
      for (const dryRun of [true, false])
        expect(await transfer({ oldPlanUuid: from, newPlanUuid: to, transferAll: true }, { dryRun })).toMatchObject({
          result: { outcome: 'refused', reason: 'duplicates', duplicates: 1, moved: 0 },
        });
      expect(await planOf(once.uuid)).toBe(from);
    });

    test('R-LIC-95, W-34: plans of two agreements, one plan, unknown ones, and nothing to move are refused', async () => {
      const [agreement, other] = [await newAgreement(world), await newAgreement(world)];
      const [from, foreign] = [await newPlan(world, agreement, []), await newPlan(world, other, [])];
      const reasonOf = async (newPlanUuid: string, more = {}) =>
        (await transfer({ oldPlanUuid: from, newPlanUuid, transferAll: true, ...more })).result?.reason;
      expect(await reasonOf(foreign)).toBe('other_agreement');
      expect(await reasonOf(from)).toBe('same_plan');
      expect(await reasonOf(newUuid())).toBe('unknown_plan');
      const sibling = await newPlan(world, agreement, []);
      expect(await reasonOf(sibling, { transferAll: false })).toBe('nothing_named');
    });
  });

  describe('catalog queries', () => {
    const validate = () => attempt(world, 'licenses.validateCatalogQueries', {});
    const product = async (planType: number) =>
      (await world.db('products').where({ plan_type_id: planType }).first('id'))?.id ?? newProduct(planType);
    const newProduct = async (planType: number) => {
      await world.db('products').insert({
        uuid: newUuid(),
        name: newUuid(),
        description: '',
        plan_type_id: planType,
        created: NOW,
        modified: NOW,
      });
      return (await world.db('products').where({ plan_type_id: planType }).first('id')).id;
    };

    test('as many queries as kinds of plans are fine, one more is not; catalogs of the setting do not count', async () => {
      const agreement = await newAgreement(world);
      const catalogs = Array.from({ length: 4 }, () => newUuid());
      const [first = '', second = '', third = '', custom = ''] = catalogs;
      const plan = async (catalog: string, planType: number, change = {}) =>
        newPlan(world, agreement, [], {
          enterprise_catalog_uuid: catalog,
          product_id: await product(planType),
          ...change,
        });
      await plan(first, 1);
      await plan(second, 1);
      await plan(third, 2);
      await plan(newUuid(), 3, { for_internal_use_only: true });
      await plan(newUuid(), 3, { expiration_processed: true });
      world.world.catalogQueries.set(first, 'one').set(second, 'one').set(third, 'two').set(custom, 'three');
      expect(await validate()).toMatchObject({ error: null, result: { catalogs: 3, queries: 2, planTypes: 2 } });
      await plan(custom, 2);
      expect((await validate()).error).toMatchObject({ name: 'TooManyCatalogQueries' });
      Object.assign(world.runtime.settings, { customCatalogs: [custom] });
      expect(await validate()).toMatchObject({ error: null, result: { catalogs: 4, queries: 2 } });
    });
  });
});
