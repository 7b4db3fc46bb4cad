import { newUuid, UpstreamFailure } from '@enterprise-access/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, startApp } from '../support/harness.ts';
import { attempt, work } from '../support/work.ts';
import { daysFromNow, licenseRow, NOW, newAgreement, newPlan, renew } from './lifecycle-plans.ts';

const EXPIRED = 'edx.server.license-manager.license-lifecycle.expired';

describe.each(dialects)('expiration of plans on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  beforeEach(async () => {
    world.world.now = NOW;
    world.world.licenseFault = null;
    world.world.ended.length = 0;
    for (const table of ['licenses', 'subscription_plan_renewals', 'subscription_plans', 'outbox'])
      await world.db(table).delete();
  });
  afterAll(() => world.stop());

  const expire = (payload = {}, options: { dryRun?: boolean } = {}) =>
    attempt(world, 'licenses.expirePlans', payload, options);
  const isProcessed = async (uuid: string) =>
    (await world.db('subscription_plans').where({ uuid }).first()).expiration_processed;
  const held = (n: number) => Array.from({ length: n }, (_, at) => licenseRow(at % 2 ? 'assigned' : 'activated'));
  const eventsOf = async () => {
    const rows: { payload: string | { license_uuid: string } }[] = await world.db('outbox').where({ name: EXPIRED });
    return rows
      .map(({ payload }) => (typeof payload === 'string' ? JSON.parse(payload) : payload).license_uuid)
      .toSorted();
  };

  /** Three plans, each renewed by the next; the last one expired today. */
  async function chain(last: Date = daysFromNow(-0.5)) {
    const agreement = await newAgreement(world);
    const plan = (expiration: Date, start: number) =>
      newPlan(world, agreement, held(2), { expiration_date: expiration, start_date: daysFromNow(start) });
    const first = await plan(daysFromNow(-730), -1_095);
    const second = await plan(daysFromNow(-365), -730);
    const third = await plan(last, -365);
    await renew(world, agreement, first, { renewed_subscription_plan_uuid: second, processed: true });
    await renew(world, agreement, second, { renewed_subscription_plan_uuid: third, processed: true });
    return { agreement, plans: [first, second, third] as const };
  }
  /** The plans of the calls, with the times after which changes are spared. */
  const calls = async () => {
    const planOf = new Map(
      (await world.db('licenses').select('uuid', 'subscription_plan_uuid')).map((row) => [
        row.uuid,
        row.subscription_plan_uuid,
      ]),
    );
    return world.world.ended.map(({ licenseUuids, unlessModifiedAfter }) => [
      planOf.get(licenseUuids[0]),
      unlessModifiedAfter,
    ]);
  };

  test('example 14, R-LIC-71, R-LIC-73: the last plan of a chain, then the others from the oldest on', async () => {
    const { plans } = await chain();
    const [first, second, third] = plans;
    await world.db('subscription_plans').where({ uuid: first }).update({ expiration_processed: true });
    expect(await expire()).toMatchObject({ error: null, result: { plans: 3, licenses: 6, failed: 0 } });
    expect(await calls()).toEqual([
      [third, null],
      [first, daysFromNow(-730)],
      [second, daysFromNow(-365)],
    ]);
    for (const plan of plans) expect(await isProcessed(plan)).toBe(true);
    world.world.ended.length = 0;
    expect(await expire()).toMatchObject({ result: { plans: 0 } });
    expect(world.world.ended).toEqual([]);
  });

  test('R-LIC-71: a plan with a renewal is left alone while what renews it has not expired, or does not exist', async () => {
    await chain(daysFromNow(30));
    const agreement = await newAgreement(world);
    const waiting = await newPlan(world, agreement, held(1), { expiration_date: daysFromNow(-1) });
    await renew(world, agreement, waiting);
    expect(await expire()).toMatchObject({ result: { plans: 0, licenses: 0 } });
    expect(world.world.ended).toEqual([]);
  });

  test('example 15: 502 licences are six calls; a plan of which one fails is not done, others are', async () => {
    const agreement = await newAgreement(world);
    const ended = { expiration_date: daysFromNow(-0.5) };
    const broken = held(502);
    const [one, two] = [
      await newPlan(world, agreement, broken, ended),
      await newPlan(world, agreement, held(502), ended),
    ];
    const marked = new Set(broken.map(({ uuid }) => uuid));
    world.world.licenseFault = async ([first]) => {
      if (marked.has(first)) throw new UpstreamFailure('lms', 'is down');
    };
    expect(await expire()).toMatchObject({ error: null, result: { plans: 1, licenses: 502, failed: 1 } });
    expect(world.world.ended.filter(({ licenseUuids }) => !marked.has(licenseUuids[0] ?? ''))).toHaveLength(6);
    expect([await isProcessed(one), await isProcessed(two)]).toEqual([false, true]);
    await work(world);
    expect(await eventsOf()).toHaveLength(502);
    world.world.licenseFault = null;
    world.world.ended.length = 0;
    expect(await expire()).toMatchObject({ result: { plans: 1, licenses: 502, failed: 0 } });
    expect(world.world.ended.map(({ licenseUuids }) => licenseUuids.length)).toEqual([100, 100, 100, 100, 100, 2]);
    expect(await isProcessed(one)).toBe(true);
  });

  test('R-LIC-72: events for every licence that was not renewed, whatever its status, once the plan is done', async () => {
    const renewed = licenseRow('activated', { renewed_to_uuid: newUuid() });
    const others = [licenseRow('activated'), licenseRow('assigned'), licenseRow('revoked'), licenseRow('unassigned')];
    const agreement = await newAgreement(world);
    await newPlan(world, agreement, [renewed, ...others], { expiration_date: daysFromNow(-2) });
    await expire();
    expect(world.world.ended.flatMap(({ licenseUuids }) => licenseUuids)).toHaveLength(3);
    expect(await work(world)).toMatchObject([{ name: 'licenses.announceExpiration', result: { events: 4 } }]);
    expect(await eventsOf()).toEqual(others.map(({ uuid }) => uuid).toSorted());
  });

  test('what was interrupted goes on with the licence after the last page, unless the plan was prolonged meanwhile', async () => {
    const agreement = await newAgreement(world);
    const plan = await newPlan(world, agreement, held(30), { expiration_date: daysFromNow(-1) });
    let calls = 0;
    world.world.licenseFault = async () => {
      calls += 1;
      if (calls > 2) throw new UpstreamFailure('lms', 'is down');
    };
    await expire({ batch: 10 });
    expect(world.world.ended).toHaveLength(2);
    world.world.licenseFault = null;
    await expire({ batch: 10 });
    const all = world.world.ended.flatMap(({ licenseUuids }) => licenseUuids);
    expect([all.length, new Set(all).size]).toEqual([30, 30]);
    await world
      .db('subscription_plans')
      .where({ uuid: plan })
      .update({
        expiration_processed: false,
        expiration_date: daysFromNow(-0.5),
        expiration_sent_to: all[20],
      });
    expect(await expire()).toMatchObject({ result: { licenses: 30 } });
  });

  test('a chain that was interrupted is completed', async () => {
    const { plans } = await chain();
    let calls = 0;
    world.world.licenseFault = async () => {
      calls += 1;
      if (calls === 2) throw new UpstreamFailure('lms', 'is down');
    };
    await expire();
    world.world.licenseFault = null;
    await expire();
    for (const plan of plans) expect(await isProcessed(plan)).toBe(true);
    expect(world.world.ended.flatMap(({ licenseUuids }) => licenseUuids)).toHaveLength(6);
  });

  test('a range, a list of plans and --force choose; a dry run only counts', async () => {
    const agreement = await newAgreement(world);
    const ended = (days: number) => newPlan(world, agreement, held(1), { expiration_date: daysFromNow(days) });
    const [old, recent, future] = [await ended(-20), await ended(-2), await ended(2)];
    expect(await expire({}, { dryRun: true })).toMatchObject({ result: { plans: 2, licenses: 2 } });
    expect([world.world.ended.length, await isProcessed(old)]).toEqual([0, false]);
    const range = { expiredAfter: '2026-05-29T00:00:00Z', expiredBefore: '2030-01-01T00:00:00Z' };
    expect(await expire(range)).toMatchObject({ result: { plans: 1 } });
    expect([await isProcessed(old), await isProcessed(recent)]).toEqual([false, true]);
    expect(await expire({ ...range, force: true })).toMatchObject({ result: { plans: 1 } });
    expect(await expire({ subscriptionUuids: `${recent}, ${future}` })).toMatchObject({ result: { plans: 1 } });
    expect((await expire({ subscriptionUuids: future })).error).toMatchObject({ name: 'NothingExpired' });
  });
});
