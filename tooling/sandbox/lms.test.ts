import { expect, test } from 'vitest';
import { demo, other } from './seed.ts';
import { sandboxClient } from './testing.ts';

const LMS = '/lms/enterprise/api/v1';
const RUN = 'course-v1:edX+DemoX+2T2026';
const learners = `${LMS}/enterprise-learner/`;
const group = `${LMS}/enterprise-group/${demo.groupUuid}/learners/`;
const enrolment = `${LMS}/enterprise-customer/${demo.customerUuid}/enroll_learners_in_courses/`;
const tx = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;

test('a list has the E1 keys, ten rows and absolute links, with the request id echoed', async () => {
  const { call } = sandboxClient();
  const url = `${learners}?enterprise_customer_uuid=${other.customerUuid}&page=2`;
  const { body, headers } = await call('GET', url, undefined, { 'x-request-id': 'abc', host: 'sandbox:1' });
  expect(headers['x-request-id']).toBe('abc');
  expect(Object.keys(body)).toEqual([
    'next',
    'previous',
    'count',
    'num_pages',
    'current_page',
    'start',
    'results',
    'enterprise_features',
  ]);
  expect(body).toMatchObject({
    next: `http://sandbox:1${learners}?enterprise_customer_uuid=${other.customerUuid}&page=3`,
    previous: `http://sandbox:1${learners}?enterprise_customer_uuid=${other.customerUuid}`,
    count: 101,
    num_pages: 11,
    current_page: 2,
    start: 10,
  });
  expect(body.results).toHaveLength(10);
});

test.each([
  ['an empty list still has one page', `${learners}?username=nobody`, 200, { count: 0, num_pages: 1, results: [] }],
  ['a page past the end', `${learners}?username=nobody&page=2`, 404, { detail: 'Invalid page.' }],
  ['a page that is no number', `${group}?page=x`, 404, { detail: 'Invalid page.' }],
  [
    'a page size over the maximum',
    `${learners}?enterprise_customer_uuid=${demo.customerUuid}&page_size=500`,
    200,
    { num_pages: 11 },
  ],
  ['role without customer', `${learners}?role=enterprise_admin`, 400, {}],
  ['an unknown customer', `${LMS}/enterprise-customer/${tx(1)}/`, 404, { detail: 'Not found.' }],
  ['an unknown group', `${LMS}/enterprise-group/${tx(1)}/learners/`, 404, { detail: 'Not found.' }],
  ['an unknown sort order', `${group}?sort_by=age`, 400, {}],
])('%s', async (_case, url, status, body) => {
  expect(await sandboxClient().call('GET', url)).toMatchObject({ status, body });
});

test.each([
  ['by id', `enterprise_customer_uuid=${demo.customerUuid}&user_ids=1003`, [1003]],
  ['by several ids', `enterprise_customer_uuid=${demo.customerUuid}&user_ids=1003,1004`, [1003, 1004]],
  ['by id, but of another customer', `enterprise_customer_uuid=${other.customerUuid}&user_ids=1003`, []],
  ['by role', `enterprise_customer_uuid=${demo.customerUuid}&role=enterprise_admin`, [demo.adminId]],
  ['by address, whatever its case', 'email=LEARNER-2001@other.example', [2001]],
  ['by user name', 'username=learner-1999', [1999]],
])('learners are found %s', async (_case, query, ids) => {
  const { body } = await sandboxClient().call('GET', `${learners}?${query}`);
  expect(body.results.map(({ user_id }: { user_id: number }) => user_id)).toEqual(ids);
});

test('the customer shows its contact, its admins and its catalog; by slug too', async () => {
  const { call } = sandboxClient();
  const { body } = await call('GET', `${LMS}/enterprise-customer/${demo.customerUuid}/`);
  expect(body).toMatchObject({
    name: 'Demo Company',
    slug: 'demo-company',
    contact_email: 'learning@demo.example',
    admin_users: [{ email: 'admin@demo.example', lms_user_id: 900 }],
    enterprise_customer_catalogs: [demo.catalogUuid],
  });
  const found = await call('GET', `${LMS}/enterprise-customer/?slug=other-company`);
  expect(found.body.results).toMatchObject([{ uuid: other.customerUuid, contact_email: null }]);
});

test.each([
  ['all', '', 14],
  ['pending only', 'pending_users_only=true', 3],
  ['by text', 'user_query=learner-100', 10],
  ['by address', 'learners=learner-1001@demo.example&learners=pending-2@demo.example', 2],
])('group members: %s', async (_case, query, count) => {
  expect((await sandboxClient().call('GET', `${group}?${query}`)).body.count).toBe(count);
});

test('group members sort both ways, and removed ones show only when asked for', async () => {
  const { call } = sandboxClient();
  const sorted = await call('GET', `${group}?sort_by=member_details&is_reversed=true&page_size=1`);
  expect(sorted.body.results[0].member_details.user_name).toBe('Learner 1010');
  await call('PUT', '/control/learners', { lmsUserId: 1000, customerUuid: demo.customerUuid, groups: [] });
  expect((await call('GET', group)).body.count).toBe(13);
  const removed = await call('GET', `${group}?show_removed=true&learners=learner-1000@demo.example`);
  expect(removed.body.results).toMatchObject([{ status: 'removed' }]);
  const learner = await call('GET', `${learners}?user_ids=1000`);
  expect(learner.body.results[0].enterprise_group).toEqual([]);
});

test('a mail error is noted on the member', async () => {
  const { call } = sandboxClient();
  const form = 'learner=pending-1@demo.example&status=email_error&errored_at=2026-04-24T00:00:00Z';
  const reply = await call('PATCH', group, form, { 'content-type': 'application/x-www-form-urlencoded' });
  expect([reply.status, typeof reply.body]).toEqual([201, 'string']);
  const { body } = await call('GET', `${group}?learners=pending-1@demo.example`);
  expect(body.results).toMatchObject([{ status: 'email_error', recent_action: 'Errored: April 24, 2026' }]);
});

test('one transaction enrols once, however often it is sent', async () => {
  const { call } = sandboxClient();
  const info = { enrollments_info: [{ user_id: 1000, course_run_key: RUN, transaction_id: tx(1) }] };
  const [first, again] = [await call('POST', enrolment, info), await call('POST', enrolment, info)];
  const uuid = first.body.successes[0].enterprise_fulfillment_source_uuid;
  expect(first).toMatchObject({ status: 201, body: { successes: [{ created: true }] } });
  expect(again.body.successes).toMatchObject([{ created: false, enterprise_fulfillment_source_uuid: uuid }]);
  const cancel = `${LMS}/enterprise-subsidy-fulfillment/${uuid}/cancel-fulfillment`;
  expect([(await call('POST', cancel)).status, (await call('POST', cancel)).status]).toEqual([204, 200]);
});

test.each([
  [
    'an address without account waits',
    [{ email: 'new@demo.example' }],
    202,
    { pending: [{ email: 'new@demo.example' }] },
  ],
  ['pending@ waits', [{ email: 'pending@demo.example' }], 202, {}],
  ['fail@ fails', [{ email: 'fail@demo.example' }], 409, { failures: [{ email: 'fail@demo.example' }] }],
  ['an unknown id fails', [{ user_id: 5 }], 409, { invalid_user_ids: [5] }],
  ['a broken address fails', [{ email: 'nobody' }], 409, { invalid_email_addresses: ['nobody'] }],
  [
    'one failure decides, the rest is done',
    [{ user_id: 1000 }, { user_id: 5 }],
    409,
    { successes: [{ user_id: 1000 }] },
  ],
  ['neither id nor address', [{}], 400, {}],
])('enrolment: %s', async (_case, who, status, body) => {
  const items = who.map((each, n) => ({ ...each, course_run_key: RUN, transaction_id: tx(n) }));
  expect(await sandboxClient().call('POST', enrolment, { enrollments_info: items })).toMatchObject({ status, body });
});

test('pending learners are created once', async () => {
  const { call } = sandboxClient();
  const items = [{ enterprise_customer: demo.customerUuid, user_email: 'new@demo.example' }];
  const send = async () => (await call('POST', `${LMS}/pending-enterprise-learner/`, items)).status;
  expect([await send(), await send()]).toEqual([201, 204]);
});

test.each([
  ['username=learner-1000,learner-1001', 200, 2],
  ['email=learner-1000@demo.example', 200, 1],
  ['lms_user_id=1000', 200, 1],
  ['lms_user_id=x', 400, 0],
  ['lms_user_id=5', 404, 0],
])('accounts?%s', async (query, status, count) => {
  const reply = await sandboxClient().call('GET', `/lms/api/user/v1/accounts?${query}`);
  expect([reply.status, reply.body?.length ?? 0]).toEqual([status, count]);
  if (status !== 200) expect(reply.text).toBe('');
});

test('a token is a signed service account, and requests without one are refused', async () => {
  const { app, call } = sandboxClient({ tokenSecret: 's', now: () => new Date('2026-01-01T00:00:00Z') });
  const form = 'grant_type=client_credentials&client_id=a&client_secret=b&token_type=jwt';
  const reply = await call('POST', '/oauth2/access_token', form, {
    'content-type': 'application/x-www-form-urlencoded',
  });
  expect(reply.body).toMatchObject({ expires_in: 3600, token_type: 'JWT' });
  const claims = JSON.parse(Buffer.from(reply.body.access_token.split('.')[1], 'base64url').toString());
  expect(claims).toMatchObject({ administrator: true, roles: ['enterprise_openedx_operator:*'], exp: 1767229200 });
  for (const prefix of ['/lms', '/catalog', '/subsidy', '/braze']) {
    const method = prefix === '/braze' ? 'POST' : 'GET';
    const path = { '/lms': '/api/user/v1/accounts', '/catalog': '/api/v1/content-metadata/', '/braze': '/users/track' }[
      prefix
    ];
    const anonymous = await app.inject({ method, url: prefix + (path ?? '/api/v1/subsidies/') });
    expect([prefix, anonymous.statusCode, Object.keys(anonymous.json())]).toEqual([prefix, 401, ['detail']]);
  }
});
