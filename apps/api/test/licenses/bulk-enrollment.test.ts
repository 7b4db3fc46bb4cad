import { newUuid } from '@enterprise-access/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { newCourse } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { attempt, work } from '../support/work.ts';
import { daysFromNow, licenseRow, NOW, newAgreement, newPlan } from './lifecycle-plans.ts';

const BASE = '/api/v1/bulk-license-enrollment/';
const HEADER = 'email address,course key,enrollment status,notes\r\n';

describe.each(dialects)('bulk enrollment on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  beforeEach(async () => {
    world.world.now = NOW;
    world.world.licensedCalls.length = 0;
    world.world.licensedFault = null;
    world.world.mails.length = 0;
    await world.db('outbox').delete();
  });
  afterAll(() => world.stop());

  const learner = (name: string, id: number) => {
    world.world.learners.set(`bulk:${id}`, { lmsUserId: id, email: name, groupUuids: [] });
    return name;
  };
  const admin = (customer: string) => tokenFor('enterprise_admin', customer, 7);

  /** A customer with a current plan: two activated licences, an assigned and a revoked one. */
  async function newBulk() {
    const agreement = await newAgreement(world);
    const at = agreement.uuid.slice(-6);
    const [first, second, third, gone] = ['act', 'two', 'asg', 'rev'].map((name, id) =>
      learner(`${name}-${at}@x.org`, 80_000 + id + Math.floor(Math.random() * 1e6)),
    ) as [string, string, string, string];
    const licenses = [
      licenseRow('activated', { user_email: first }),
      licenseRow('activated', { user_email: second }),
      licenseRow('assigned', { user_email: third }),
      licenseRow('revoked', { user_email: gone }),
      licenseRow('unassigned'),
    ];
    const plan = await newPlan(world, agreement, licenses);
    return { ...agreement, plan, licenses, first, second, third, gone, course: newCourse(world) };
  }
  type Bulk = Awaited<ReturnType<typeof newBulk>>;

  const enroll = (bulk: Pick<Bulk, 'customer'>, body: object, query = '', token = admin(bulk.customer)) =>
    world.call('POST', `${BASE}?enterprise_customer_uuid=${bulk.customer}${query}`, token, {
      notify: false,
      ...body,
    });
  const status = (bulk: Pick<Bulk, 'customer'>, job: string, token = admin(bulk.customer)) =>
    world.call('GET', `${BASE}?enterprise_customer_uuid=${bulk.customer}&bulk_enrollment_job_uuid=${job}`, token);
  const outcomes = async (bulk: Pick<Bulk, 'customer'>, job: string, query = '') =>
    (
      await world.call(
        'GET',
        `${BASE}${job}/outcomes/?enterprise_customer_uuid=${bulk.customer}${query}`,
        admin(bulk.customer),
      )
    ).body;
  const run = (options = {}) => work(world, { only: 'licenses.enrollInBulk', ...options });
  const resultOf = async (job: string) => {
    const { result_file: name } = await world.db('bulk_enrollments').where({ uuid: job }).first('result_file');
    return world.world.files.get(name);
  };

  test('R-LIC-86, R-LIC-87, W-29: each pair has an outcome; revoked licences and plans that are over do not count', async () => {
    const bulk = await newBulk();
    await newPlan(world, bulk, [licenseRow('activated', { user_email: bulk.gone })], {
      expiration_date: daysFromNow(-1),
    });
    const emails = [bulk.first, bulk.third, bulk.gone, 'nobody@x.org'];
    const made = await enroll(bulk, { emails, course_run_keys: [bulk.course] });
    expect(made).toMatchObject({ status: 201, body: { job_id: expect.any(String) } });
    const job = made.body.job_id;
    expect((await status(bulk, job)).body).toEqual({ job_id: job, download_url: null });
    expect(await run()).toMatchObject([
      { result: { enrolled: 2, pending: 0, failed: 0, missingSubscription: 2, invalidAddress: 0 } },
    ]);
    expect(await resultOf(job)).toBe(
      `${HEADER}${bulk.first},${bulk.course},success,\r\n${bulk.third},${bulk.course},success,\r\n` +
        `${bulk.gone},${bulk.course},failed,missing subscription\r\nnobody@x.org,${bulk.course},failed,missing subscription\r\n`,
    );
    expect(world.world.licensedCalls).toEqual([
      [bulk.first, bulk.third].map((email, at) =>
        expect.objectContaining({
          email,
          courseRunKey: bulk.course,
          licenseUuid: bulk.licenses[at === 0 ? 0 : 2]?.uuid,
        }),
      ),
    ]);
    expect(await outcomes(bulk, job)).toMatchObject({ count: 4, items: [{ outcome: 'success' }, {}, {}, {}] });
    expect(await outcomes(bulk, job, '&only_failed=true')).toMatchObject({
      count: 2,
      items: [{ outcome: 'missing_subscription', email: bulk.gone }, { email: 'nobody@x.org' }],
    });
  });

  test('pending, failed and invalid addresses are told apart', async () => {
    const bulk = await newBulk();
    const licenses = ['later', 'fail', 'invalid'].map((name) =>
      licenseRow('activated', { user_email: name === 'later' ? 'later@x.org' : `${name}@x.org` }),
    );
    const plan = await newPlan(world, bulk, licenses);
    const made = await enroll(
      bulk,
      { emails: ['later@x.org', 'fail@x.org', 'invalid@x.org'], course_run_keys: [bulk.course] },
      `&subscription_uuid=${plan}`,
    );
    await run();
    expect(await resultOf(made.body.job_id)).toBe(
      `${HEADER}later@x.org,${bulk.course},pending,pending license activation\r\nfail@x.org,${bulk.course},failed,\r\n` +
        `invalid@x.org,${bulk.course},failed,invalid email address\r\n`,
    );
  });

  test('W-29: one item for a pair, with the activated licence before the assigned one', async () => {
    const bulk = await newBulk();
    const more = await newPlan(world, bulk, [licenseRow('activated', { user_email: bulk.third })]);
    await enroll(bulk, { emails: [bulk.third.toUpperCase(), bulk.third], course_run_keys: [bulk.course, bulk.course] });
    await run();
    const license = await world.db('licenses').where({ subscription_plan_uuid: more }).first('uuid');
    expect(world.world.licensedCalls.flat()).toMatchObject([{ licenseUuid: license.uuid }]);
  });

  test('R-LIC-85, correction 30a: 26 learners and 26 courses are calls of 625, 25, 25 and 1', async () => {
    const bulk = await newBulk();
    const emails = Array.from({ length: 26 }, (_, at) => learner(`l${at}-${bulk.plan}@x.org`, 2_000_000 + at));
    const plan = await newPlan(
      world,
      bulk,
      emails.map((user_email) => licenseRow('activated', { user_email })),
    );
    const courses = Array.from({ length: 26 }, () => newCourse(world));
    await world.db('bulk_enrollment_pairs').delete();
    const made = await enroll(
      bulk,
      { emails: ['a@b.co'], course_run_keys: courses },
      `&subscription_uuid=${plan}&enroll_all=true`,
    );
    await run();
    expect(world.world.licensedCalls.map((items) => items.length)).toEqual([625, 25, 25, 1]);
    expect(await outcomes(bulk, made.body.job_id)).toMatchObject({ count: 676 });
    const page = await outcomes(bulk, made.body.job_id, '&page=7');
    expect(page.items).toHaveLength(76);
  });

  test('R-LIC-83: at most 500 pairs; 25 × 20 are accepted, 24 × 24 refused', async () => {
    const bulk = await newBulk();
    const of = (emails: number, courses: number) => ({
      emails: Array.from({ length: emails }, (_, at) => `e${at}@x.org`),
      course_run_keys: Array.from({ length: courses }, (_, at) => `course-v1:a+b+${at}`),
    });
    expect(await enroll(bulk, of(24, 24))).toMatchObject({
      status: 400,
      body: 'Too many provided enrollments, please try a smaller request.',
    });
    expect(await enroll(bulk, of(25, 20))).toMatchObject({ status: 201 });
  });

  test('R-LIC-84, W-20: enroll_all needs a plan, false is false, and the list must not be empty', async () => {
    const bulk = await newBulk();
    const body = { emails: [bulk.first], course_run_keys: [bulk.course] };
    expect(await enroll(bulk, body, '&enroll_all=true')).toMatchObject({
      status: 400,
      body: { subscription_id: ['This field is required when enroll_all is provided'] },
    });
    await enroll(bulk, body, `&enroll_all=false&subscription_uuid=${bulk.plan}`);
    await run();
    expect(world.world.licensedCalls.flat()).toHaveLength(1);
    const all = await enroll(bulk, body, `&enroll_all=True&subscription_uuid=${bulk.plan}`);
    await run();
    expect(await outcomes(bulk, all.body.job_id)).toMatchObject({ count: 3 });
    expect(
      await enroll(bulk, { ...body, emails: [] }, `&enroll_all=true&subscription_uuid=${bulk.plan}`),
    ).toMatchObject({ status: 400, body: { emails: ['This list may not be empty.'] } });
  });

  test('W-20, W-21: wrong types and malformed ids are refused', async () => {
    const bulk = await newBulk();
    const body = { emails: [bulk.first], course_run_keys: [bulk.course] };
    expect(await enroll(bulk, { ...body, notify: 'yes' })).toMatchObject({
      status: 400,
      body: { notify: ['Must be a valid boolean.'] },
    });
    expect(await enroll(bulk, { emails: ['none', bulk.first], course_run_keys: 'x' })).toMatchObject({
      status: 400,
      body: {
        emails: { 0: ['Enter a valid email address.'] },
        course_run_keys: ['Expected a list of items but got type "str".'],
      },
    });
    expect(
      await world.call('POST', `${BASE}?enterprise_customer_uuid=none`, operatorToken(), { ...body, notify: true }),
    ).toMatchObject({ status: 400, body: { detail: 'none is not a valid uuid.' } });
    expect(await status(bulk, 'none')).toMatchObject({
      status: 400,
      body: { bulk_enrollment_job_uuid: ['Must be a valid UUID.'] },
    });
    expect(
      await world.call('GET', `${BASE}?enterprise_customer_uuid=${bulk.customer}`, admin(bulk.customer)),
    ).toMatchObject({
      status: 400,
      body: "Missing the following required request data: ['bulk_enrollment_job_uuid']",
    });
  });

  test('W-02, W-03, W-04: learners enroll nobody, plans and jobs of other customers are unknown', async () => {
    const [bulk, other] = [await newBulk(), await newBulk()];
    const body = { emails: [bulk.first], course_run_keys: [bulk.course] };
    const asLearner = tokenFor('enterprise_learner', bulk.customer, 1_000);
    expect(await enroll(bulk, body, '', asLearner)).toMatchObject({ status: 403 });
    expect(await enroll(bulk, body, `&enroll_all=true&subscription_uuid=${other.plan}`)).toMatchObject({ status: 404 });
    const { body: made } = await enroll(other, { ...body, emails: [other.first] });
    expect(await status(other, made.job_id)).toMatchObject({ status: 200 });
    expect(await status(bulk, made.job_id)).toMatchObject({ status: 404 });
    expect(await status(other, made.job_id, asLearner)).toMatchObject({ status: 403 });
    expect(await status(other, made.job_id, admin(bulk.customer))).toMatchObject({ status: 403 });
    expect(await enroll({ customer: newUuid() }, body, '', operatorToken())).toMatchObject({
      status: 404,
      body: { detail: 'No CustomerAgreement matches the given query.' },
    });
  });

  test('without the trailing slash, and correction 44: a job in the path is not found', async () => {
    const bulk = await newBulk();
    const query = `enterprise_customer_uuid=${bulk.customer}`;
    const body = { emails: [bulk.first], course_run_keys: [bulk.course], notify: true };
    const path = BASE.slice(0, -1);
    expect(await world.call('POST', `${path}?${query}`, admin(bulk.customer), body)).toMatchObject({ status: 201 });
    const { status: code } = await world.app
      .inject({ method: 'GET', url: `${BASE}${newUuid()}?${query}` })
      .then(({ statusCode }) => ({ status: statusCode }));
    expect(code).toBe(404);
  });

  test('W-29: a failing LMS loses nothing: other calls go on, a repeat does the rest, the last attempt ends it', async () => {
    const bulk = await newBulk();
    const emails = Array.from({ length: 60 }, (_, at) => learner(`f${at}-${bulk.plan}@x.org`, 3_000_000 + at));
    const plan = await newPlan(
      world,
      bulk,
      emails.map((user_email) => licenseRow('activated', { user_email })),
    );
    const { UpstreamFailure } = await import('@enterprise-access/domain');
    world.world.licensedFault = async (items) => {
      if (items.some(({ email }) => email === emails[30])) throw new UpstreamFailure('lms', 'answered 500');
    };
    const made = await enroll(bulk, { emails, course_run_keys: [bulk.course] }, `&subscription_uuid=${plan}`);
    const [{ error } = { error: null }] = await run();
    expect(error).toMatchObject({ message: 'lms: answered 500' });
    expect(await status(bulk, made.body.job_id)).toMatchObject({ body: { download_url: null } });
    expect(await outcomes(bulk, made.body.job_id, '&page_size=500')).toMatchObject({ count: 60 });
    const again = (isLast: boolean) =>
      attempt(
        world,
        'licenses.enrollInBulk',
        { bulkEnrollmentUuid: made.body.job_id, enterpriseCustomerUuid: bulk.customer },
        { isLast },
      );
    world.world.licensedCalls.length = 0;
    expect(await again(true)).toMatchObject({ result: { enrolled: 35, failed: 25 } });
    expect(world.world.licensedCalls.map((items) => items.length)).toEqual([25]);
    expect((await status(bulk, made.body.job_id)).body.download_url).toMatch(/seconds=300$/);
    expect(await again(true)).toMatchObject({ result: { enrolled: 35, failed: 25 } });
  });

  test('one item that the LMS rejects does not take the others with it', async () => {
    const bulk = await newBulk();
    const { UpstreamRefusal } = await import('@enterprise-access/domain');
    world.world.licensedFault = async (items) => {
      if (items.some(({ email }) => email === bulk.second)) throw new UpstreamRefusal('lms', 400, {});
    };
    const emails = [bulk.first, bulk.second, bulk.third];
    const made = await enroll(bulk, { emails, course_run_keys: [bulk.course] });
    await run();
    const { items } = await outcomes(bulk, made.body.job_id);
    expect(items.map(({ outcome }: { outcome: string }) => outcome)).toEqual(['success', 'failed', 'success']);
  });

  test('R-LIC-88: the result is named after customer, job and time, and a link to it lives 300 s', async () => {
    const bulk = await newBulk();
    const { body: made } = await enroll(bulk, { emails: [bulk.first], course_run_keys: [bulk.course] });
    await run();
    const name = `${bulk.customer}/${made.job_id}/Bulk-Enrollment-Results-${NOW.toISOString()}.csv`;
    expect(await status(bulk, made.job_id)).toMatchObject({
      status: 200,
      body: { job_id: made.job_id, download_url: `http://files.test/${name}?seconds=300` },
    });
  });

  test('correction 30a: the requester gets a mail if among the administrators; otherwise nothing fails', async () => {
    const bulk = await newBulk();
    const ask = { emails: [bulk.first], course_run_keys: [bulk.course] };
    world.world.customers.set(bulk.customer, {
      ...(world.world.customers.values().next().value as never as object),
      uuid: bulk.customer,
      name: 'Bulk Company',
      slug: 'bulk-company',
      admins: [{ email: 'boss@x.org', lmsUserId: 7 }],
    } as never);
    const { body: made } = await enroll(bulk, ask);
    await run();
    const mail = () => work(world, { only: 'licenses.mailBulkResult' });
    expect(await mail()).toMatchObject([{ result: { outcome: 'sent' } }]);
    expect(world.world.mails).toMatchObject([
      {
        email: 'boss@x.org',
        campaign: 'BRAZE_BULK_ENROLL_RESULT_CAMPAIGN',
        properties: {
          enterprise_customer_slug: 'bulk-company',
          enterprise_customer_name: 'Bulk Company',
          bulk_enrollment_job_uuid: made.job_id,
        },
      },
    ]);
    await enroll(bulk, ask, '', tokenFor('enterprise_openedx_operator', '*', 8));
    await run();
    expect(await mail()).toMatchObject([{ result: { outcome: 'over' } }]);
  });

  test('a cell that a spreadsheet would take for a formula begins with a quote', async () => {
    const bulk = await newBulk();
    const { body: made } = await enroll(bulk, { emails: ['=1+1@x.org'], course_run_keys: ['@x'] });
    await run();
    expect(await resultOf(made.job_id)).toBe(`${HEADER}'=1+1@x.org,'@x,failed,missing subscription\r\n`);
  });

  test('W-43: addresses and the file go after 30 days', async () => {
    const bulk = await newBulk();
    const { body: made } = await enroll(bulk, { emails: [bulk.first], course_run_keys: [bulk.course] });
    await run();
    const count = async (table: string, key: string) =>
      Number(
        (
          await world
            .db(table)
            .where({ [key]: made.job_id })
            .count({ n: '*' })
            .first()
        )?.n,
      );
    world.world.now = daysFromNow(29);
    await attempt(world, 'licenses.expireBulkEnrollments', {});
    expect(await count('bulk_enrollment_pairs', 'bulk_enrollment_uuid')).toBe(1);
    world.world.now = daysFromNow(31);
    const files = world.world.files.size;
    expect(files).toBeGreaterThan(0);
    expect(await attempt(world, 'licenses.expireBulkEnrollments', {}, { dryRun: true })).toMatchObject({ error: null });
    expect(await attempt(world, 'licenses.expireBulkEnrollments', { batch: 1 })).toMatchObject({ error: null });
    expect([
      await count('bulk_enrollment_pairs', 'bulk_enrollment_uuid'),
      await count('bulk_enrollments', 'uuid'),
      [...world.world.files.keys()].filter((name) => name.includes(made.job_id)).length,
    ]).toEqual([0, 0, 0]);
    expect(await status(bulk, made.job_id)).toMatchObject({ status: 404 });
  });

  test('the job can be followed', async () => {
    const bulk = await newBulk();
    const { body: made } = await enroll(bulk, { emails: [bulk.first], course_run_keys: [bulk.course] });
    await run();
    const { job_uuid: uuid } = await world.db('bulk_enrollments').where({ uuid: made.job_id }).first('job_uuid');
    expect(await world.call('GET', `/api/v1/jobs/${uuid}/`, admin(bulk.customer))).toMatchObject({
      status: 200,
      body: { state: 'completed', done: 1, total: 1 },
    });
  });
});
