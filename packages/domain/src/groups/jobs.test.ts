import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { processCache } from '../kernel/cache/cache.ts';
import { newUuid } from '../kernel/ids.ts';
import { runJob } from '../kernel/jobs/attempt.ts';
import type { Job } from '../kernel/jobs/job.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { mailDelivery } from '../mail/index.ts';
import { create, update } from '../policies/service.ts';
import { createSubsidy } from '../subsidies/service.ts';
import { emptyWorld, everyCampaign, operator, testRuntime } from '../testing.ts';
import { apiKey, httpBraze } from '../upstreams/braze.ts';
import { httpCatalog } from '../upstreams/catalog.ts';
import { upstream } from '../upstreams/http.ts';
import { httpLms } from '../upstreams/lms.ts';
import { clientOf, control } from '../upstreams/testing.ts';
import { planRemindersJob, remindMemberJob } from './jobs.ts';
import { addAssociation } from './service.ts';

const CUSTOMER = '11111111-1111-4111-8111-111111111111';
const CATALOG = '22222222-2222-4222-8222-222222222222';

interface SandboxMail {
  readonly campaignId: string;
  readonly triggerProperties: unknown;
  readonly recipients: readonly { readonly attributes: { readonly email: string } }[];
}

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

describe.each(dialects)('reminders of group invitations on %s', (dialect) => {
  let database: TestDatabase;
  let sandbox: Sandbox;
  let runtime: Runtime;
  let now: Date;
  let group: string;
  let policy: string;
  let subsidy: string;
  beforeAll(async () => {
    database = await createTestDatabase(inject('servers'), dialect);
    now = new Date('2026-06-10T09:00:00Z');
    sandbox = await startSandbox({ now: () => now });
  });
  afterAll(async () => {
    await sandbox.close();
    await database.drop();
  });

  /** A process of its own, with nothing in its cache. */
  function start(change: Partial<Runtime> = {}): void {
    const cache = processCache();
    const clock = () => now;
    const { db } = database;
    const braze = upstream({
      service: 'braze',
      baseUrl: `${sandbox.url}/braze`,
      token: apiKey('key'),
      scheme: 'Bearer',
      timeoutMs: 2_000,
    });
    runtime = testRuntime(db, emptyWorld(), {
      clock,
      lms: httpLms(clientOf(sandbox, 'lms'), cache),
      catalog: httpCatalog(clientOf(sandbox, 'catalog'), cache),
      mail: mailDelivery({ db, clock, braze: httpBraze(braze), campaignIds: everyCampaign }),
      ...change,
    });
  }

  const newPolicy = async () => {
    const input = {
      policyType: 'PerLearnerSpendCreditAccessPolicy',
      enterpriseCustomerUuid: CUSTOMER,
      catalogUuid: CATALOG,
      subsidyUuid: subsidy,
      accessMethod: 'direct',
      displayName: null,
      description: '',
      active: true,
      retired: false,
      retiredAt: null,
      lateRedemptionAllowedUntil: null,
      spendLimit: null,
      perLearnerSpendLimit: null,
      perLearnerEnrollmentLimit: null,
    } as const;
    return (await create(runtime, input)).policy.uuid;
  };

  beforeEach(async () => {
    now = new Date('2026-06-10T09:00:00Z');
    for (const table of ['policy_groups', 'outbox', 'inbox', 'mail_deliveries']) await database.db(table).delete();
    await control(sandbox, 'POST', '/control/reset');
    start();
    const made = await createSubsidy(runtime, operator, {
      referenceId: newUuid(),
      defaultTitle: 'Test',
      defaultEnterpriseCustomerUuid: CUSTOMER,
      defaultActiveDatetime: new Date('2020-01-01T00:00:00Z'),
      defaultExpirationDatetime: new Date('2027-03-04T23:59:59.123456Z'),
      defaultUnit: 'usd_cents',
      defaultStartingBalance: 100_000,
      defaultRevenueCategory: 'bulk-enrollment-prepay',
      defaultInternalOnly: true,
    });
    subsidy = made.subsidy.uuid;
    policy = await newPolicy();
    group = newUuid();
  });

  const invite = async (invited: Readonly<Record<string, string>>) => {
    const members = Object.entries(invited).map(([name, day]) => ({
      email: `${name}@demo.example`,
      invitedAt: `${day}T23:30:00Z`,
    }));
    await control(sandbox, 'PUT', '/control/groups', {
      uuid: group,
      customerUuid: CUSTOMER,
      members: [...members, { lmsUserId: 1_000 }],
    });
  };
  const associate = (uuid = policy) => addAssociation(runtime, { uuid, groupUuid: group });
  const run = (job: Job, payload: unknown, dryRun = false, uuid = newUuid()) =>
    runJob(runtime, job, { uuid, payload, dryRun, signal: new AbortController().signal, isLast: true });
  const plan = (dryRun = false) => run(planRemindersJob, {}, dryRun);
  const planned = async (): Promise<Record<string, unknown>[]> => {
    const rows = await database.db('outbox').where({ name: 'groups.remindMember' }).orderBy('position');
    return rows.map(({ payload }) => (typeof payload === 'string' ? JSON.parse(payload) : payload));
  };
  /** Does what the worker would. */
  const sendAll = async () => {
    const outcomes: unknown[] = [];
    for (const payload of await planned()) outcomes.push((await run(remindMemberJob, payload)).outcome);
    return outcomes.toSorted();
  };
  const mails = async () => ((await control(sandbox, 'GET', '/control/mails')) as { mails: SandboxMail[] }).mails;
  const readers = async () =>
    (await mails()).map(({ recipients }) => recipients.map(({ attributes }) => attributes.email).join()).toSorted();

  test('members invited 5, 25, 50, 65 or 85 days ago get the mail of that day', async () => {
    await invite({
      five: '2026-06-05',
      six: '2026-06-04',
      twentyfive: '2026-05-16',
      fifty: '2026-04-21',
      sixtyfive: '2026-04-06',
      eightyfive: '2026-03-17',
      today: '2026-06-10',
    });
    await associate();
    expect(await plan()).toEqual({ groups: 1, planned: 5, unsent: 0 });
    expect(await sendAll()).toEqual(['sent', 'sent', 'sent', 'sent', 'sent']);
    const count = sandbox.state.content.catalogs.get(CATALOG)?.courseKeys.size;
    const always = { catalog_content_count: count, subsidy_expiration_datetime: 'March 04, 2027' };
    const byReader = Object.fromEntries(
      (await mails()).map((mail) => [mail.recipients[0]?.attributes.email, [mail.campaignId, mail.triggerProperties]]),
    );
    const campaign = (day: number) => `BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_${day}_CAMPAIGN`;
    const customer = { enterprise_customer: 'Demo Company' };
    expect(byReader).toEqual({
      'five@demo.example': [campaign(5), { ...always, ...customer, invitation_end_date: 'September 03, 2026' }],
      'twentyfive@demo.example': [campaign(25), { ...always, invitation_end_date: 'August 14, 2026' }],
      'fifty@demo.example': [campaign(50), { ...always, invitation_end_date: 'July 20, 2026' }],
      'sixtyfive@demo.example': [campaign(65), { ...always, ...customer, invitation_end_date: 'July 05, 2026' }],
      'eightyfive@demo.example': [campaign(85), { ...always, invitation_end_date: 'June 15, 2026' }],
    });
  });

  test('planning twice adds nothing, whatever the process remembers, and sending twice sends nothing', async () => {
    await invite({ five: '2026-06-05' });
    await associate();
    expect(await plan()).toMatchObject({ planned: 1 });
    expect(await plan()).toMatchObject({ planned: 0 });
    await database.db('inbox').delete();
    start();
    expect(await plan()).toMatchObject({ planned: 0 });
    expect(await planned()).toHaveLength(1);
    expect(await sendAll()).toEqual(['sent']);
    expect(await sendAll()).toEqual(['repeated']);
    expect(await readers()).toEqual(['five@demo.example']);
  });

  test('many planners at once plan each reminder once', async () => {
    await invite({ a: '2026-06-05', b: '2026-06-05', c: '2026-05-16' });
    await associate();
    const results = await Promise.all(Array.from({ length: 5 }, () => plan()));
    expect(results.reduce((sum, result) => sum + Number(result.planned), 0)).toBe(3);
    expect(await planned()).toHaveLength(3);
  });

  test('a dry run reports what is due and writes nothing', async () => {
    await invite({ five: '2026-06-05' });
    await associate();
    expect(await plan(true)).toEqual({ groups: 1, planned: 1, unsent: 0 });
    expect(await planned()).toEqual([]);
    expect(await plan()).toMatchObject({ planned: 1 });
  });

  test('a bad address fails alone, and administrators see it', async () => {
    await invite({ fail: '2026-06-05', good: '2026-06-05' });
    await associate();
    await plan();
    expect(await sendAll()).toEqual(['sent', 'unreachable']);
    expect(await readers()).toEqual(['good@demo.example']);
    const { members } = await runtime.lms.groupMembers({ groupUuid: group }, 1);
    const status = Object.fromEntries(members.map((each) => [each.member_details.user_email, each.status]));
    expect(status).toMatchObject({ 'fail@demo.example': 'email_error', 'good@demo.example': 'pending' });
    expect(members.find(({ status }) => status === 'email_error')?.recent_action).toBe('Errored: June 10, 2026');
  });

  test('an outage of the mail service only delays: no member is marked, skipped or mailed twice', async () => {
    await invite({ a: '2026-06-05', b: '2026-06-05' });
    await associate();
    await plan();
    const path = '/braze/campaigns/trigger/send';
    await control(sandbox, 'PUT', '/control/faults', [
      { path, status: 503, times: 1 },
      { path, loseReply: true, times: 1 },
    ]);
    for (const payload of await planned()) await expect(run(remindMemberJob, payload)).rejects.toThrow();
    now = new Date(now.getTime() + 61_000);
    expect(await sendAll()).toEqual(['repeated', 'sent']);
    expect(await readers()).toEqual(['a@demo.example', 'b@demo.example']);
    const { members } = await runtime.lms.groupMembers({ groupUuid: group }, 1);
    expect(members.filter(({ status }) => status === 'email_error')).toEqual([]);
  });

  test('a member who has joined or was invited again meanwhile gets no reminder of the old invitation', async () => {
    await invite({ came: '2026-06-05', again: '2026-06-05' });
    await associate();
    await plan();
    await invite({ again: '2026-06-10' });
    start();
    expect(await sendAll()).toEqual(['answered', 'answered']);
    expect(await mails()).toEqual([]);
  });

  test.each([
    ['retired', { retired: true }],
    ['inactive', { active: false }],
  ])('the group of a policy that is %s is not reminded', async (_what, change) => {
    await invite({ five: '2026-06-05' });
    await associate();
    await plan();
    await update(runtime, { uuid: policy, ...change });
    expect(await sendAll()).toEqual(['closed']);
    expect(await plan()).toEqual({ groups: 0, planned: 0, unsent: 0 });
  });

  test('a group of two policies is reminded once', async () => {
    await invite({ five: '2026-06-05' });
    await associate();
    const second = newUuid();
    const [row] = await database.db('policies').where({ uuid: policy }).select('*');
    const { spent_cents: _spent, ...copy } = row;
    await database.db('policies').insert({ ...copy, uuid: second });
    await associate(second);
    expect(await plan()).toMatchObject({ groups: 1, planned: 1 });
  });

  test('unplanned days are planned later, but not those before the first planned day', async () => {
    await invite({ first: '2026-06-05', missed: '2026-06-06', before: '2026-06-04' });
    await associate();
    await plan();
    now = new Date('2026-06-12T09:00:00Z');
    start();
    expect(await plan()).toMatchObject({ planned: 1 });
    expect(await sendAll()).toEqual(['sent', 'sent']);
    expect(await readers()).toEqual(['first@demo.example', 'missed@demo.example']);
  });

  test('without a campaign nothing is planned, and it is made up for when there is one', async () => {
    await invite({ five: '2026-06-05' });
    await associate();
    const { mail } = runtime;
    start({ mail: { ...mail, canSend: () => false } });
    expect(await plan()).toEqual({ groups: 1, planned: 0, unsent: 1 });
    start({ mail });
    expect(await plan()).toEqual({ groups: 1, planned: 1, unsent: 0 });
  });

  test('a group that cannot be read costs the others nothing, and is planned by the next attempt', async () => {
    await invite({ five: '2026-06-05' });
    await associate();
    const readable = group;
    group = newUuid();
    await invite({ other: '2026-06-05' });
    await associate();
    const path = `/lms/enterprise/api/v1/enterprise-group/${group}/learners/`;
    await control(sandbox, 'PUT', '/control/faults', { path, status: 500 });
    await expect(plan()).rejects.toThrow('1 groups could not be planned.');
    expect((await planned()).map(({ groupUuid }) => groupUuid)).toEqual([readable]);
    await control(sandbox, 'DELETE', '/control/faults');
    expect(await plan()).toEqual({ groups: 2, planned: 1, unsent: 0 });
  });

  test('a group that the LMS has forgotten is passed over', async () => {
    await invite({ five: '2026-06-05' });
    await associate();
    await control(sandbox, 'PUT', '/control/groups', { uuid: group, remove: true });
    expect(await plan()).toEqual({ groups: 1, planned: 0, unsent: 0 });
  });

  test('with the switch for trying mails out, everybody gets the mail of day 5, once a day', async () => {
    await invite({ six: '2026-06-04', today: '2026-06-10' });
    await associate();
    const settings = { ...runtime.settings, remindsAllInvited: true };
    start({ settings });
    expect(await plan()).toMatchObject({ planned: 2 });
    expect(await plan()).toMatchObject({ planned: 0 });
    now = new Date('2026-06-11T09:00:00Z');
    start({ settings });
    expect(await plan()).toMatchObject({ planned: 2 });
    expect(new Set((await planned()).map(({ day }) => day))).toEqual(new Set([5]));
  });

  test('messages between us hold no address', async () => {
    await invite({ five: '2026-06-05' });
    await associate();
    await plan();
    expect(JSON.stringify(await planned())).not.toContain('demo.example');
  });
});
