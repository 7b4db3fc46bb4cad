import { UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, startApp } from '../support/harness.ts';
import { attempt } from '../support/work.ts';
import { daysFromNow, licenseRow, NOW, newAgreement, newPlan } from './lifecycle-plans.ts';

const HALF_YEAR = 'edx.server.license-manager.license.activated.180.days.ago';

describe.each(dialects)('unlinking and half a year of use on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  beforeEach(async () => {
    world.world.now = NOW;
    world.world.licenseFault = null;
    world.world.unlinked.length = 0;
    for (const table of ['licenses', 'subscription_plans', 'outbox']) await world.db(table).delete();
  });
  afterAll(() => world.stop());

  const listed = (setting: 'customersToUnlink' | 'customersWithHalfYearEvents', customers: string[]) =>
    Object.assign(world.runtime.settings, { [setting]: customers });
  const unlink = (options: { dryRun?: boolean } = {}, payload = {}) =>
    attempt(world, 'licenses.unlinkExpired', payload, options);
  const expired = { expiration_date: daysFromNow(-91) };
  const unlinkedAddresses = () => world.world.unlinked.flatMap(({ emails }) => emails).toSorted();

  test('R-LIC-74, W-28: holders of licences of plans that expired 90 days ago, who have no other one to use', async () => {
    const agreement = await newAgreement(world);
    const [gone, waiting] = [licenseRow('activated'), licenseRow('assigned')];
    const [stays, byAccount] = [licenseRow('activated'), licenseRow('activated', { lms_user_id: 1_777 })];
    const revokedElsewhere = licenseRow('activated');
    const out = [
      licenseRow('revoked'),
      licenseRow('unassigned'),
      licenseRow('activated', { unlinked: NOW }),
      licenseRow('activated', { renewed_to_uuid: gone.uuid }),
    ];
    const plan = await newPlan(
      world,
      agreement,
      [gone, waiting, stays, byAccount, revokedElsewhere, ...out].map((row) =>
        row === byAccount ? row : { ...row, lms_user_id: null },
      ),
      expired,
    );
    await newPlan(world, agreement, [licenseRow('activated')], { expiration_date: daysFromNow(-89) });
    await newPlan(world, agreement, [
      licenseRow('assigned', { user_email: String(stays.user_email).toUpperCase() }),
      licenseRow('activated', { lms_user_id: 1_777 }),
      licenseRow('revoked', { user_email: revokedElsewhere.user_email }),
    ]);
    await newPlan(world, await newAgreement(world), [licenseRow('activated')], expired);
    await newPlan(world, agreement, [licenseRow('activated', { user_email: gone.user_email })], { is_active: false });
    listed('customersToUnlink', [agreement.customer, '00000000-1111-4222-8333-444444444444']);

    expect(await unlink({ dryRun: true })).toMatchObject({ result: { unlinked: 3, failed: 0 } });
    expect(world.world.unlinked).toEqual([]);
    expect(await unlink()).toMatchObject({ error: null, result: { unlinked: 3, failed: 0 } });
    const addresses = [gone, waiting, revokedElsewhere].map((row) => row.user_email).toSorted();
    expect(unlinkedAddresses()).toEqual(addresses);
    expect(world.world.unlinked.every(({ customerUuid }) => customerUuid === agreement.customer)).toBe(true);
    const marked = await world.db('licenses').where({ subscription_plan_uuid: plan }).whereNotNull('unlinked');
    expect(marked).toHaveLength(4);
    expect(await unlink()).toMatchObject({ result: { unlinked: 0 } });
  });

  test('W-28: a refused call marks nobody; 250 learners are unlinked in one run, 100 per call', async () => {
    const agreement = await newAgreement(world);
    await newPlan(
      world,
      agreement,
      Array.from({ length: 250 }, () => licenseRow('assigned')),
      expired,
    );
    listed('customersToUnlink', [agreement.customer]);
    world.world.licenseFault = async () => {
      throw new UpstreamRefusal('lms', 400, {});
    };
    expect(await unlink()).toMatchObject({ result: { failed: 1 } });
    expect(await world.db('licenses').whereNotNull('unlinked')).toEqual([]);
    world.world.licenseFault = null;
    expect(await unlink()).toMatchObject({ result: { unlinked: 250, failed: 0 } });
    expect(world.world.unlinked.map(({ emails }) => emails.length)).toEqual([100, 100, 50]);
  });

  test('180 days after the activation the event is stored with its marker, once, for all in one run', async () => {
    const agreement = await newAgreement(world);
    const old = { activation_date: daysFromNow(-181) };
    const due = Array.from({ length: 25 }, (_, at) =>
      licenseRow('activated', at === 0 ? { ...old, lms_user_id: 1_700 } : old),
    );
    const others = [
      licenseRow('activated', { activation_date: daysFromNow(-180) }),
      licenseRow('activated', { ...old, half_year_announced: NOW }),
      licenseRow('revoked', old),
    ];
    await newPlan(world, agreement, [...due, ...others]);
    await newPlan(world, agreement, [licenseRow('activated', old)], { is_active: false });
    await newPlan(world, await newAgreement(world), [licenseRow('activated', old)]);
    listed('customersWithHalfYearEvents', [agreement.customer, '00000000-1111-4222-8333-444444444444']);
    const run = (options = {}) => attempt(world, 'licenses.announceHalfYear', { batch: 10 }, options);
    expect(await run({ dryRun: true })).toMatchObject({ result: { announced: 25 } });
    expect(await world.db('outbox').where({ name: HALF_YEAR })).toEqual([]);
    expect(await run()).toMatchObject({ error: null, result: { announced: 25, failed: 0 } });
    const events = await world.db('outbox').where({ name: HALF_YEAR });
    expect(events).toHaveLength(25);
    expect(JSON.stringify(events)).not.toContain('@demo.example');
    expect(await run()).toMatchObject({ result: { announced: 0 } });
  });
});
