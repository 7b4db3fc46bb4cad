import { newUuid } from '@enterprise-access/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, startApp, tokenFor } from '../support/harness.ts';
import { attempt } from '../support/work.ts';
import { DAY_MS, licenseRow, newAgreement, newPlan, renew } from './lifecycle-plans.ts';

const RUN_AT = new Date('2026-11-28T09:07:00Z');
const at = (text: string) => new Date(text);
type Agreement = Awaited<ReturnType<typeof newAgreement>>;

describe.each(dialects)('mails about plans on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
    Object.assign(world.runtime.settings, { adminPortalUrl: 'https://admin.example' });
  });
  beforeEach(async () => {
    world.world.now = RUN_AT;
    world.world.mails.length = 0;
    world.world.mailFault = null;
    for (const table of [
      'licenses',
      'subscription_plan_renewals',
      'subscription_plans',
      'outbox',
      'plan_notifications',
    ])
      await world.db(table).delete();
  });
  afterAll(() => world.stop());

  /** An agreement whose customer the LMS knows. */
  async function customerOf(
    change: Record<string, unknown> = {},
    admins = [{ email: 'boss@demo.example', lmsUserId: 900 }],
  ) {
    const agreement = await newAgreement(world, change);
    world.world.customers.set(agreement.customer, {
      uuid: agreement.customer,
      name: 'Example',
      slug: 'example',
      contactEmail: null,
      senderAlias: null,
      defaultLanguage: 'es',
      isWithoutLearnerPortal: false,
      admins,
    });
    return agreement;
  }
  const ending = (
    agreement: Agreement,
    expiration: string,
    licenses: readonly ReturnType<typeof licenseRow>[],
    change = {},
  ) => newPlan(world, agreement, licenses, { expiration_date: at(expiration), title: 'The plan', ...change });
  const readers = () => world.world.mails.map(({ email }) => email).toSorted();
  const addresses = (...rows: ReturnType<typeof licenseRow>[]) => rows.map(({ user_email: email }) => email).toSorted();

  describe('before and after the expiration', () => {
    const before = (options: { dryRun?: boolean } = {}, payload = {}) =>
      attempt(world, 'licenses.remindOfExpiration', payload, options);
    const after = (options: { dryRun?: boolean } = {}, payload = {}) =>
      attempt(world, 'licenses.tellOfExpiration', payload, options);

    test('R-LICX-20, R-LICX-22: holders of activated licences get the mail once, with what it says', async () => {
      const agreement = await customerOf();
      const license = licenseRow('activated');
      const others = (['assigned', 'revoked', 'unassigned'] as const).map((status) => licenseRow(status));
      await ending(agreement, '2026-12-28T10:00:00.5Z', [license, ...others]);
      expect(await before({ dryRun: true })).toMatchObject({ result: { sent: 1 } });
      expect(world.world.mails).toEqual([]);
      expect(await before()).toMatchObject({ error: null, result: { sent: 1, repeated: 0, refused: 0, unsent: 0 } });
      expect(world.world.mails).toMatchObject([
        {
          email: license.user_email,
          campaign: 'BRAZE_LICENSE_EXPIRATION_REMINDER_CAMPAIGN',
          attributes: { enterprise_default_language: 'es' },
          properties: {
            enterprise_customer_slug: 'example',
            enterprise_customer_name: 'Example',
            enterprise_sender_alias: 'edX Support Team',
            enterprise_contact_email: null,
            expiration_date: '2026-12-28T10:00:00Z',
            subscription_plan_title: 'The plan',
            days_until_expiration: 30,
          },
        },
      ]);
      expect(await before()).toMatchObject({ result: { sent: 0, repeated: 0 } });
    });

    test('after it, with the days since', async () => {
      const agreement = await customerOf();
      await ending(agreement, '2026-11-21T00:00:00Z', [licenseRow('activated')]);
      expect(await after()).toMatchObject({ result: { sent: 1 } });
      expect(world.world.mails).toMatchObject([
        { campaign: 'BRAZE_SUBSCRIPTION_PLAN_EXPIRATION_CAMPAIGN', properties: { days_since_expiration: 7 } },
      ]);
      expect(await after()).toMatchObject({ result: { sent: 0 } });
    });

    test('example 7, W-LICX-01, W-LICX-02: not if access goes on, the plan is not in use, or the customer does not want it', async () => {
      const [agreement, silent] = [await customerOf(), await customerOf({ disable_expiration_notifications: true })];
      for (const date of ['2026-12-10T00:00:00Z', '2026-11-25T00:00:00Z']) {
        const holder = () => [licenseRow('activated')];
        const renewed = await ending(agreement, date, holder(), { title: newUuid() });
        await renew(world, agreement, renewed);
        await ending(agreement, date, [licenseRow('activated', { renewed_to_uuid: newUuid() })], { title: newUuid() });
        await ending(agreement, date, holder(), { title: newUuid(), is_active: false });
        await ending(agreement, date, holder(), { title: newUuid(), for_internal_use_only: true });
        await ending(silent, date, holder(), { title: newUuid() });
      }
      expect(await before()).toMatchObject({ error: null, result: { sent: 0 } });
      expect(await after()).toMatchObject({ error: null, result: { sent: 0 } });
      expect(world.world.mails).toEqual([]);
    });

    test('example 8, W-LICX-03: a later holder of the seat, and a later expiration, have mails of their own', async () => {
      const agreement = await customerOf();
      const license = licenseRow('activated', { lms_user_id: 1_650 });
      const plan = await ending(agreement, '2026-12-28T10:00:00Z', [license]);
      await before();
      Object.assign(world.runtime.settings, { retirementWorkerUsername: 'user-4242' });
      await world.call('POST', '/api/v1/retire_user/', tokenFor('enterprise_learner', agreement.customer, 4_242), {
        lms_user_id: 1_650,
        original_username: 'somebody',
      });
      const held = {
        status: 'activated',
        user_email: 'next@demo.example',
        assigned_date: RUN_AT,
        activation_date: RUN_AT,
      };
      await world.db('licenses').where({ uuid: license.uuid }).update(held);
      await world.db('subscription_plans').where({ uuid: plan }).update({ activated_count: 1, unassigned_count: 0 });
      expect(await before()).toMatchObject({ result: { sent: 1 } });
      await world
        .db('subscription_plans')
        .where({ uuid: plan })
        .update({ expiration_date: at('2026-12-20T10:00:00Z') });
      expect(await before()).toMatchObject({ result: { sent: 1 } });
      expect(readers()).toEqual([license.user_email, 'next@demo.example', 'next@demo.example'].toSorted());
    });

    test('example 9: a mail service that fails leaves all for the next run; other customers are served', async () => {
      const [agreement, other] = [await customerOf(), await customerOf()];
      const three = [licenseRow('activated'), licenseRow('activated'), licenseRow('activated')];
      const fourth = licenseRow('activated');
      await ending(agreement, '2026-12-10T00:00:00Z', three);
      await ending(other, '2026-12-11T00:00:00Z', [fourth]);
      const broken = new Set(addresses(...three));
      world.world.mailFault = async (recipients) => {
        if (recipients.some(({ email }) => broken.has(email))) throw new Error('down');
      };
      const { error } = await before();
      expect(error).toMatchObject({
        message: '3 license expiration reminder emails failed to send across 1 enterprise customer(s)',
      });
      expect(readers()).toEqual(addresses(fourth));
      world.world.mailFault = null;
      world.world.now = new Date(RUN_AT.getTime() + 120_000);
      expect(await before()).toMatchObject({ error: null, result: { sent: 3 } });
      expect(readers()).toEqual(addresses(...three, fourth));
    });

    test('W-LICX-06: a customer that the LMS does not know fails alone, with a readable message', async () => {
      const [known, unknown] = [await customerOf(), await newAgreement(world)];
      await ending(unknown, '2026-12-10T00:00:00Z', [licenseRow('activated')]);
      await ending(known, '2026-12-11T00:00:00Z', [licenseRow('activated')]);
      expect((await before()).error).toMatchObject({ message: '1 subscription plans could not be processed' });
      expect(world.world.mails).toHaveLength(1);
    });

    test('W-LICX-05: a process that ends after sending and before remembering sends nothing twice', async () => {
      const agreement = await customerOf();
      await ending(
        agreement,
        '2026-12-10T00:00:00Z',
        Array.from({ length: 7 }, () => licenseRow('activated')),
      );
      expect(await before({}, { batch: 3 })).toMatchObject({ result: { sent: 7 } });
      await world.db('licenses').update({ reminded_of_expiration: null });
      expect(await before({}, { batch: 3 })).toMatchObject({ result: { sent: 0, repeated: 7 } });
      expect(world.world.mails).toHaveLength(7);
    });
  });

  describe('how much is in use', () => {
    const daily = (options: { dryRun?: boolean } = {}) => attempt(world, 'licenses.tellUtilization', {}, options);
    const weekAgo = new Date(RUN_AT.getTime() - 7 * DAY_MS);
    const applying = { should_auto_apply_licenses: true, auto_apply_since: weekAgo };

    test('R-LIC-90, R-LIC-92: administrators are told once, after a week of automatic licences', async () => {
      const admins = [
        { email: 'boss@demo.example', lmsUserId: 900 },
        { email: 'chief@demo.example', lmsUserId: 901 },
      ];
      const agreement = await customerOf({ enterprise_customer_slug: `slug-${newUuid()}` }, admins);
      const applied = { auto_applied: true, activation_date: RUN_AT };
      const licenses = [
        licenseRow('activated', applied),
        licenseRow('activated'),
        licenseRow('assigned'),
        licenseRow('unassigned'),
      ];
      const plan = await ending(agreement, '2027-03-05T00:00:00Z', licenses, applying);
      const late = { ...applying, auto_apply_since: new Date(weekAgo.getTime() + 1_000) };
      await ending(
        agreement,
        '2027-03-05T00:00:00Z',
        licenses.map(() => licenseRow('activated')),
        { ...late, title: 'Late' },
      );
      await ending(agreement, '2027-03-05T00:00:00Z', [], { ...applying, is_active: false, title: 'Inactive' });
      expect(await daily({ dryRun: true })).toMatchObject({ result: { told: 1 } });
      expect(world.world.mails).toEqual([]);
      expect(await daily()).toMatchObject({ error: null, result: { told: 1, unsent: 0, failed: 0 } });
      expect(readers()).toEqual(['boss@demo.example', 'chief@demo.example']);
      const slug = (await world.db('customer_agreements').where({ uuid: agreement.uuid }).first())
        .enterprise_customer_slug;
      expect(world.world.mails[0]).toMatchObject({
        campaign: 'BRAZE_INITIAL_LICENSE_UTILIZATION_CAMPAIGN',
        properties: {
          subscription_plan_title: 'The plan',
          subscription_plan_expiration_date: 'Mar 5, 2027',
          enterprise_customer_name: 'Example',
          num_allocated_licenses: 3,
          num_licenses: 4,
          admin_portal_url: `https://admin.example/${slug}`,
          num_auto_applied_licenses_since_turned_on: 1,
        },
      });
      expect(await daily()).toMatchObject({ result: { told: 0 } });
      expect(await world.db('plan_notifications').where({ subscription_plan_uuid: plan })).toHaveLength(1);
    });

    test('R-LIC-92: nothing is remembered of a mail that was not sent', async () => {
      const agreement = await customerOf();
      await ending(agreement, '2027-03-05T00:00:00Z', [licenseRow('activated')], applying);
      world.world.mailFault = async () => {
        throw new Error('down');
      };
      expect(await daily()).toMatchObject({ result: { told: 0, failed: 1 } });
      expect(await world.db('plan_notifications')).toEqual([]);
      world.world.mailFault = null;
      world.world.now = new Date(RUN_AT.getTime() + 120_000);
      expect(await daily()).toMatchObject({ result: { told: 1, failed: 0 } });
      expect(world.world.mails).toHaveLength(1);
    });

    test('R-LIC-91: not about three quarters when administrators heard that nothing is left', async () => {
      const agreement = await customerOf();
      const plan = await ending(agreement, '2027-03-05T00:00:00Z', [licenseRow('activated')], applying);
      const tell = async () =>
        (
          await attempt(world, 'licenses.tellAllocation', {
            planUuid: plan,
            enterpriseCustomerUuid: agreement.customer,
          })
        ).result?.outcome;
      expect(await tell()).toBe('sent');
      await world.db('subscription_plans').where({ uuid: plan }).update({ unassigned_count: 1, activated_count: 3 });
      expect(await tell()).toBe('over');
      expect(world.world.mails).toHaveLength(1);
    });

    test('example 17: at three quarters and at the end, each once, and not back again', async () => {
      const agreement = await customerOf();
      const plan = await ending(agreement, '2027-03-05T00:00:00Z', [], applying);
      const payload = { planUuid: plan, enterpriseCustomerUuid: agreement.customer };
      const have = async (unassigned: number, activated: number) => {
        await world
          .db('subscription_plans')
          .where({ uuid: plan })
          .update({ unassigned_count: unassigned, activated_count: activated });
        return (await attempt(world, 'licenses.tellAllocation', payload)).result?.outcome;
      };
      expect(await have(2, 2)).toBe('over');
      expect(await have(1, 3)).toBe('sent');
      expect(await have(1, 3)).toBe('over');
      expect(await have(0, 4)).toBe('sent');
      expect(await have(1, 3)).toBe('over');
      expect(await have(0, 4)).toBe('over');
      expect(world.world.mails.map(({ campaign }) => campaign)).toEqual([
        'BRAZE_LIMITED_ALLOCATIONS_REMAINING_CAMPAIGN',
        'BRAZE_NO_ALLOCATIONS_REMAINING_CAMPAIGN',
      ]);
    });
  });
});
