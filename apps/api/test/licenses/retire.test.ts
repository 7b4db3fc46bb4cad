import { newUuid } from '@enterprise-access/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { demonstration, dialects, startApp, tokenFor } from '../support/harness.ts';
import { attempt } from '../support/work.ts';
import { countersOf, daysFromNow, licenseRow, NOW, newAgreement, newPlan } from './lifecycle-plans.ts';

describe.each(dialects)('retirement of licences on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
    Object.assign(world.runtime.settings, { retirementWorkerUsername: 'user-4242' });
  });
  beforeEach(async () => {
    world.world.now = NOW;
    await world.db('licenses').delete();
    await world.db('subscription_plans').delete();
    await world.db('outbox').delete();
  });
  afterAll(() => world.stop());

  const retire = (options: { dryRun?: boolean } = {}, payload = {}) =>
    attempt(world, 'licenses.retire', payload, options);
  const rowOf = (uuid: unknown) => world.db('licenses').where({ uuid }).first();
  const trailOf = (uuid: unknown) => world.db('audit_changes').where({ subject_uuid: uuid });
  /** What the trail knows of a learner before. */
  const remember = (license: { uuid?: unknown; user_email?: unknown; lms_user_id?: unknown }) =>
    world.db('audit_changes').insert({
      entry_uuid: newUuid(),
      position: 1,
      subject_kind: 'license',
      subject_uuid: license.uuid,
      action: 'updated',
      lms_user_id: license.lms_user_id ?? 77,
      learner_email: license.user_email,
    });
  const GONE = { user_email: null, user_email_key: null, lms_user_id: null, activation_key: null };

  test('example 16, W-25: a plan that expired 91 days ago loses its holders: address, account, key and trail', async () => {
    const earlier = daysFromNow(-200);
    const activated = licenseRow('activated', { salesforce_contact_id: '0000qse56709sdfd08' });
    const assigned = licenseRow('assigned');
    const revoked = licenseRow('revoked', { revoked_date: earlier });
    const untouched = licenseRow('revoked', { user_email: null, revoked_date: earlier });
    const agreement = await newAgreement(world);
    const plan = await newPlan(world, agreement, [activated, assigned, revoked, untouched, licenseRow('unassigned')], {
      expiration_date: daysFromNow(-91),
    });
    for (const each of [activated, assigned, revoked]) await remember(each);
    expect(await retire()).toMatchObject({ error: null, result: { revoked: 2, cleared: 1, released: 0, failed: 0 } });
    const told = await world.db('outbox').where({ name: 'edx.server.license-manager.license-lifecycle.revoked' });
    const payloads = told.map(({ payload }) => (typeof payload === 'string' ? JSON.parse(payload) : payload));
    expect(payloads.map((each) => [each.license_uuid, each.assigned_lms_user_id]).toSorted()).toEqual(
      [
        [activated.uuid, 1_500],
        [assigned.uuid, null],
      ].toSorted(),
    );
    expect(JSON.stringify(payloads)).not.toMatch(/@|activation_key/);
    for (const each of [activated, assigned])
      expect(await rowOf(each.uuid)).toMatchObject({
        ...GONE,
        status: 'revoked',
        revoked_date: NOW,
        salesforce_contact_id: null,
      });
    expect(await rowOf(revoked.uuid)).toMatchObject({ ...GONE, status: 'revoked', revoked_date: earlier });
    expect(await rowOf(untouched.uuid)).toMatchObject({ lms_user_id: 1_500, modified: NOW });
    for (const each of [activated, assigned, revoked]) {
      const trail = await trailOf(each.uuid);
      expect(trail.length).toBeGreaterThan(1);
      for (const change of trail) expect(change).toMatchObject({ learner_email: null, lms_user_id: null });
      expect(JSON.stringify(trail)).not.toContain(String(each.user_email));
      expect(JSON.stringify(trail)).not.toContain('1500');
    }
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
    expect(stored).toEqual([1, 0, 0, 4, 4]);
    expect(await retire()).toMatchObject({ result: { revoked: 0, cleared: 0, released: 0 } });
  });

  test.each([
    [
      'assigned 91 days ago and never activated: free again',
      'assigned',
      { assigned_date: daysFromNow(-91) },
      'released',
    ],
    ['assigned exactly 90 days ago: not yet', 'assigned', { assigned_date: daysFromNow(-90) }, null],
    ['revoked 91 days ago: cleared', 'revoked', { revoked_date: daysFromNow(-91) }, 'cleared'],
    ['revoked 90 days ago: not yet', 'revoked', { revoked_date: daysFromNow(-90) }, null],
    ['activated 91 days ago: in use', 'activated', { activation_date: daysFromNow(-91) }, null],
  ] as const)('R-LIC-75, plan in use: %s', async (_case, status, change, outcome) => {
    const license = licenseRow(status, { ...change, reminded_of_expiration: NOW, auto_applied: true });
    const agreement = await newAgreement(world);
    const plan = await newPlan(world, agreement, [license]);
    const { result } = await retire();
    expect(result).toEqual({ revoked: 0, cleared: 0, released: 0, failed: 0, ...(outcome && { [outcome]: 1 }) });
    const row = await rowOf(license.uuid);
    if (outcome === null) expect(row).toMatchObject({ status, user_email: license.user_email });
    if (outcome === 'cleared') expect(row).toMatchObject({ ...GONE, status: 'revoked' });
    if (outcome === 'released')
      expect(row).toMatchObject({
        ...GONE,
        status: 'unassigned',
        assigned_date: null,
        activation_date: null,
        last_remind_date: null,
        auto_applied: false,
        reminded_of_expiration: null,
      });
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
  });

  test('internal plans keep theirs until they have expired long ago; each agreement has its own number of days', async () => {
    const old = { assigned_date: daysFromNow(-400) };
    const internal = { for_internal_use_only: true };
    const agreement = await newAgreement(world, { days_before_purge: 10 });
    const [kept, expired, ended] = [licenseRow('assigned', old), licenseRow('assigned', old), licenseRow('activated')];
    await newPlan(world, agreement, [kept], internal);
    await newPlan(world, agreement, [expired], { ...internal, expiration_date: daysFromNow(-11) });
    await newPlan(world, agreement, [ended], { expiration_date: daysFromNow(-10) });
    expect(await retire()).toMatchObject({ result: { revoked: 1, released: 0, failed: 0 } });
    expect(await rowOf(kept.uuid)).toMatchObject({ status: 'assigned' });
    expect(await rowOf(expired.uuid)).toMatchObject({ status: 'revoked' });
    expect(await rowOf(ended.uuid)).toMatchObject({ status: 'activated' });
  });

  test('a dry run counts the same and writes nothing; pages smaller than the plan end the same', async () => {
    const agreement = await newAgreement(world);
    const many = Array.from({ length: 25 }, () => licenseRow('activated'));
    const plan = await newPlan(world, agreement, many, { expiration_date: daysFromNow(-91) });
    expect(await retire({ dryRun: true })).toMatchObject({ result: { revoked: 25 } });
    expect(await world.db('licenses').where({ status: 'activated' })).toHaveLength(25);
    expect(await retire({}, { batch: 7 })).toMatchObject({ result: { revoked: 25 } });
    const { stored, counted } = await countersOf(world, plan);
    expect([stored, stored]).toEqual([counted, [0, 0, 0, 25, 25]]);
  });

  describe('retire_user', () => {
    const worker = tokenFor('enterprise_learner', demonstration.customer, 4_242);
    const ask = (body: unknown, token: string | null = worker) =>
      world.call('POST', '/api/v1/retire_user/', token, body);
    const account = async (username: string, lmsUserId: number, email: string) => {
      await world.db('users').insert({ username, email, lms_user_id: lmsUserId, created: NOW, modified: NOW });
    };

    test('R-LIC-76: licences of the account are free again or without holder, the trail forgets, the account goes', async () => {
      const email = `${newUuid()}@demo.example`;
      const own = { lms_user_id: 1_600, user_email: email };
      const [active, revoked] = [licenseRow('activated', own), licenseRow('revoked', own)];
      const waiting = licenseRow('assigned', { user_email: email.toUpperCase() });
      const [other, earlier] = [licenseRow('activated'), licenseRow('unassigned')];
      const agreement = await newAgreement(world);
      const plan = await newPlan(world, agreement, [active, revoked, other, earlier]);
      const second = await newPlan(world, agreement, [waiting]);
      for (const each of [active, revoked, waiting, { ...earlier, lms_user_id: 1_600, user_email: email }])
        await remember(each);
      await account('gone', 1_600, email);
      const { status, body } = await ask({ lms_user_id: 1_600, original_username: 'gone' });
      expect([status, body]).toEqual([204, null]);
      for (const each of [active, waiting])
        expect(await rowOf(each.uuid)).toMatchObject({ ...GONE, status: 'unassigned' });
      expect(await rowOf(revoked.uuid)).toMatchObject({ ...GONE, status: 'revoked' });
      expect(await rowOf(other.uuid)).toMatchObject({ status: 'activated', lms_user_id: 1_500 });
      for (const each of [active, revoked, waiting, earlier])
        expect(
          await world.db('audit_changes').where({ subject_uuid: each.uuid }).whereNotNull('learner_email'),
        ).toEqual([]);
      expect(await world.db('users').where({ username: 'gone' })).toEqual([]);
      for (const each of [plan, second]) {
        const { stored, counted } = await countersOf(world, each);
        expect(stored).toEqual(counted);
      }
    });

    test('an unknown user is 404 without a body; the licences were taken all the same', async () => {
      const license = licenseRow('activated', { lms_user_id: 1_601 });
      await newPlan(world, await newAgreement(world), [license]);
      const { status, body } = await ask({ lms_user_id: 1_601, original_username: 'nobody' });
      expect([status, body]).toEqual([404, null]);
      expect(await rowOf(license.uuid)).toMatchObject({ ...GONE, status: 'unassigned' });
    });

    test.each([
      [
        { original_username: 'x' },
        { detail: 'Required field "lms_user_id" missing or missing value in retirement request"' },
      ],
      [
        { lms_user_id: 5 },
        { detail: 'Required field "original_username" missing or missing value in retirement request"' },
      ],
      [
        { lms_user_id: null, original_username: 'x' },
        { detail: 'Required field "lms_user_id" missing or missing value in retirement request"' },
      ],
      [
        { lms_user_id: 5, original_username: '' },
        { detail: 'Required field "original_username" missing or missing value in retirement request"' },
      ],
      [{ lms_user_id: 'abc', original_username: 'x' }, { lms_user_id: ['A valid integer is required.'] }],
    ])('W-21: %j is 400', async (request, answer) => {
      expect(await ask(request)).toMatchObject({ status: 400, body: answer });
    });

    test('only the account of the setting, and superusers, may', async () => {
      const body = { lms_user_id: 1_602, original_username: 'x' };
      expect((await ask(body, tokenFor('enterprise_openedx_operator', '*', 7))).status).toBe(403);
      expect((await ask(body, null)).status).toBe(401);
    });
  });
});
