import { newUuid } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demonstration, dialects, learnerToken, operatorToken, run, startApp } from '../support/harness.ts';

const { customer, subsidy, spendPolicy, assignedPolicy, assignmentConfiguration } = demonstration;
const TRANSACTIONS = `/api/v2/subsidies/${subsidy}/admin/transactions/`;
const POLICIES = `/api/v1/subsidy-access-policies/?enterprise_customer_uuid=${customer}`;
const ASSIGNMENTS = `/api/v1/assignment-configurations/${assignmentConfiguration}/admin/assignments/`;
const LEARNERS = [1000, 1001, 1002];

describe.each(dialects)('queries and bodies as the old services read them, on %s', (dialect) => {
  let world: Awaited<ReturnType<typeof startApp>>;
  beforeAll(async () => {
    world = await startApp(dialect);
    for (const lmsUserId of LEARNERS) {
      const path = `/api/v1/policy-redemption/${spendPolicy}/redeem/`;
      await world.call('POST', path, learnerToken(lmsUserId), { lms_user_id: lmsUserId, content_key: run });
    }
  });
  afterAll(() => world.stop());

  const get = (path: string) => world.call('GET', path, operatorToken());
  const post = (path: string, body: unknown) => world.call('POST', path, operatorToken(), body);
  const send = async (method: 'POST' | 'PATCH', url: string, payload: string) => {
    const headers = { authorization: `JWT ${operatorToken()}`, 'content-type': 'application/json' };
    const reply = await world.app.inject({ method, url, headers, payload });
    return { status: reply.statusCode, body: reply.json() };
  };
  const quantities = async (query: string) => {
    const reply = await get(`${TRANSACTIONS}?${query}`);
    expect(reply.status, query).toBe(200);
    return reply.body.results.map(({ quantity }: { quantity: number }) => quantity);
  };

  test('unknown orders are dropped, and lists of orders taken', async () => {
    const newestFirst = await quantities('');
    for (const query of ['ordering=', 'ordering=-enrollment_date', 'ordering=x,,y', 'ordering=-created'])
      expect(await quantities(query), query).toEqual(newestFirst);
    const byQuantity = [...newestFirst].sort((a, b) => a - b);
    for (const query of ['ordering=quantity', 'ordering=-enrollment_date,quantity', 'ordering=quantity,-created'])
      expect(await quantities(query), query).toEqual(byQuantity);
    expect(await quantities('ordering=-quantity,created')).toEqual([...byQuantity].reverse());
  });

  test.each([
    `/api/v1/subsidies/?enterprise_customer_uuid=${customer}&sort_by=`,
    `/api/v1/transactions/?subsidy_uuid=${subsidy}&ordering=`,
    `/api/v2/subsidies/${subsidy}/admin/transactions/?ordering=`,
    `${ASSIGNMENTS}?ordering=`,
    `/api/v1/subsidy-access-policies/${spendPolicy}/group-members?page=1&group_uuid=${demonstration.group}&sort_by=`,
  ])('%s takes every order', async (path) => {
    for (const order of ['', '-enrollment_date', 'nonsense,created', '-created,title', ',', '-'])
      expect((await get(`${path}${order}`)).status, order).not.toBe(400);
  });

  test.each([
    [POLICIES, ['active', 'policy_type', 'page', 'page_size']],
    [`${TRANSACTIONS}?x=1`, ['content_key', 'lms_user_id', 'state', 'search', 'ordering', 'include_aggregates']],
    [`${TRANSACTIONS}?x=1`, ['subsidy_access_policy_uuid', 'page']],
    [`/api/v1/subsidies/?enterprise_customer_uuid=${customer}`, ['uuid', 'title', 'sort_by', 'page', 'page_size']],
    [`/api/v1/assignment-configurations/?enterprise_customer_uuid=${customer}`, ['active', 'page']],
    [`${ASSIGNMENTS}?x=1`, ['content_key', 'lms_user_id', 'lms_user_id__in', 'state', 'learner_state__in', 'search']],
  ])('empty values are no filter: %s', async (path, names) => {
    const whole = (await get(path)).body;
    expect(whole.count).toBeGreaterThanOrEqual(0);
    for (const name of names) {
      const { status, body } = await get(`${path}&${name}=`);
      expect({ status, count: body.count, name }).toEqual({ status: 200, count: whole.count, name });
    }
    const all = names.map((name) => `${name}=`).join('&');
    expect((await get(`${path}&${all}`)).body.count).toBe(whole.count);
  });

  test('a flag that is neither true nor false is ignored', async () => {
    expect((await get(`${POLICIES}&active=yes`)).body.count).toBe((await get(POLICIES)).body.count);
    expect((await get(`${TRANSACTIONS}?include_aggregates=yes`)).body.aggregates).toBeUndefined();
  });

  test('pages as the old services count them', async () => {
    const pageOf = (query: string) => get(`${TRANSACTIONS}?page_size=2&${query}`);
    for (const query of ['', 'page=', 'page=1'])
      expect((await pageOf(query)).body).toMatchObject({ current_page: 1, count: 4, num_pages: 2, previous: null });
    const last = await pageOf('page=last');
    expect(last.body).toMatchObject({ current_page: 2, next: null, results: [{}, {}] });
    expect(last.body.results).toEqual((await pageOf('page=2')).body.results);
    expect(new URL(last.body.previous).search).toBe('?page_size=2');
    expect((await get(`${TRANSACTIONS}?page=last`)).body).toMatchObject({ current_page: 1, count: 4 });
    for (const page of ['0', '-1', 'abc', '1.5', '3', '99999999999999999999'])
      expect(await pageOf(`page=${page}`), page).toMatchObject({ status: 404, body: { detail: 'Invalid page.' } });
    for (const size of ['', '0', '-1', 'abc', '1.5'])
      expect((await get(`${TRANSACTIONS}?page_size=${size}`)).body.results, size).toHaveLength(4);
  });

  test('invalid filters are reported in the format of django-filter', async () => {
    const cases: [string, object][] = [
      [`${ASSIGNMENTS}?lms_user_id__in=abc`, { lms_user_id__in: ['Enter a number.'] }],
      [`${ASSIGNMENTS}?lms_user_id=abc`, { lms_user_id: ['Enter a number.'] }],
      [
        `${ASSIGNMENTS}?state=nonsense`,
        { state: ['Select a valid choice. nonsense is not one of the available choices.'] },
      ],
      [
        `${TRANSACTIONS}?state=nonsense`,
        { state: ['Select a valid choice. nonsense is not one of the available choices.'] },
      ],
      [`${TRANSACTIONS}?lms_user_id=abc`, { lms_user_id: ['Enter a number.'] }],
      [`${TRANSACTIONS}?subsidy_access_policy_uuid=x`, { subsidy_access_policy_uuid: ['Enter a valid UUID.'] }],
    ];
    for (const [path, body] of cases) {
      const reply = await get(path);
      expect({ path, status: reply.status, body: reply.body }).toEqual({ path, status: 400, body });
    }
  });

  test('a customer that is no uuid is named', async () => {
    expect(await get('/api/v1/subsidy-access-policies/?enterprise_customer_uuid=nonsense')).toMatchObject({
      status: 400,
      body: { detail: 'nonsense is not a valid uuid.' },
    });
  });

  test('uuids without hyphens are taken in paths and queries', async () => {
    const plain = (uuid: string) => uuid.replaceAll('-', '');
    expect((await get(`/api/v1/subsidy-access-policies/${plain(spendPolicy)}/`)).body.uuid).toBe(spendPolicy);
    const list = `/api/v1/subsidy-access-policies/?enterprise_customer_uuid=${plain(customer)}`;
    expect((await get(list)).body.count).toBe((await get(POLICIES)).body.count);
    expect((await get(`${TRANSACTIONS}?subsidy_access_policy_uuid=${plain(spendPolicy)}`)).body.count).toBe(3);
  });

  test('a date is its first instant', async () => {
    const path = `/api/v1/subsidy-access-policies/${spendPolicy}/`;
    const reply = await world.call('PATCH', path, operatorToken(), { late_redemption_allowed_until: '2026-06-02' });
    expect(reply.body.late_redemption_allowed_until).toBe('2026-06-02T00:00:00Z');
  });

  test('R-POL-09: the uuid of a policy is not updatable', async () => {
    const path = `/api/v1/subsidy-access-policies/${spendPolicy}/`;
    expect(await send('PATCH', path, `{"uuid":"${newUuid()}","b":1}`)).toEqual({
      status: 400,
      body: { non_field_errors: ['Field(s) are not updatable: b, uuid'] },
    });
  });

  const allocation = { learner_emails: ['a@demo.example'], content_key: 'edX+DemoX', content_price_cents: 14_900 };
  const allocate = (policy: string) => `/api/v1/policy-allocation/${policy}/allocate/`;
  test.each([
    [{ content_price_cents: 'x' }, { content_price_cents: ['A valid integer is required.'] }],
    [{ content_key: '' }, { content_key: ['This field may not be blank.'] }],
    [{ content_key: '  ' }, { content_key: ['This field may not be blank.'] }],
    [{ learner_emails: 'x' }, { learner_emails: ['Expected a list of items but got type "str".'] }],
    [{ learner_emails: {} }, { learner_emails: ['Expected a list of items but got type "dict".'] }],
    [{ learner_emails: [''] }, { learner_emails: { 0: ['This field may not be blank.'] } }],
    [{ learner_emails: ['x'] }, { learner_emails: { 0: ['Enter a valid email address.'] } }],
    [{ content_key: [] }, { content_key: ['Not a valid string.'] }],
  ])('a body with %j answers with %j', async (change, body) => {
    const reply = await post(allocate(assignedPolicy), { ...allocation, ...change });
    expect({ status: reply.status, body: reply.body }).toEqual({ status: 400, body });
  });

  test('an unknown policy is reported before the body is validated', async () => {
    expect(await post(allocate(newUuid()), { content_price_cents: 'x' })).toMatchObject({ status: 404 });
  });

  test('OPTIONS that is no preflight has a body with a sentence', async () => {
    const reply = await world.app.inject({ method: 'OPTIONS', url: POLICIES });
    expect(reply.statusCode).toBe(405);
    expect(reply.json()).toEqual({ detail: expect.any(String) });
  });

  test('members of a group carry what the LMS says of them', async () => {
    const { lms } = world.runtime;
    const row = {
      enterprise_customer_user_id: 11,
      lms_user_id: 1000,
      pending_enterprise_customer_user_id: null,
      enterprise_group_membership_uuid: newUuid(),
      member_details: { user_email: 'learner-1000@demo.example', user_name: 'Ana' },
      enrollments: 2,
      group_name: 'Sales',
      group_uuid: demonstration.group,
    };
    Object.assign(lms, { groupMembers: async () => ({ members: [row], count: 1, pages: 1 }) });
    const path = `/api/v1/subsidy-access-policies/${spendPolicy}/group-members`;
    await world.call('POST', `/api/v1/subsidy-access-policies/${spendPolicy}/group-associations/`, operatorToken(), {
      group_uuid: demonstration.group,
    });
    const reply = await get(`${path}?page=1`);
    expect(reply.body.results).toMatchObject([
      { enrollments: 2, group_name: 'Sales', group_uuid: demonstration.group },
    ]);
  });
});
