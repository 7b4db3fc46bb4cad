import { randomUUID } from 'node:crypto';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newPolicy, POLICIES, PRICE } from '../support/fixtures.ts';
import { demonstration, dialects, operatorToken, run, tokenFor } from '../support/harness.ts';
import { startSandboxApp } from '../support/sandbox-app.ts';

const FIRST = 1_100;
const COUNT = 11;
const members = Array.from({ length: COUNT }, (_, index) => FIRST + index);
const courses = [
  'DemoX',
  'CentsX',
  'FreeX',
  'SpanishX',
  'DataX',
  'PythonX',
  'StatsX',
  'CloudX',
  'WriteX',
  'EthicsX',
].map((name) => `course-v1:edX+${name}+2T2026`);

interface Member {
  readonly lms_user_id: number | null;
  readonly enrollment_count: number;
  readonly member_details: { readonly user_email: string; readonly user_name: string };
}

describe.each(dialects)('groups on %s', (dialect) => {
  let world: Awaited<ReturnType<typeof startSandboxApp>>;
  let policy: string;
  const group = randomUUID();
  const admin = tokenFor('enterprise_admin', demonstration.customer, 900);
  const learner = (id: number) => tokenFor('enterprise_learner', demonstration.customer, id);

  const call = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) =>
    world.call(method, path, operatorToken(), body);
  const policyWith = () =>
    newPolicy(world, {
      customer: demonstration.customer,
      subsidy: demonstration.subsidy,
      catalog: demonstration.catalog,
    });
  const associate = (uuid: string, groupUuid: string) =>
    call('POST', `${POLICIES}${uuid}/group-associations/`, { group_uuid: groupUuid });
  const list = (query: string, uuid = policy) => world.call('GET', `${POLICIES}${uuid}/group-members?${query}`, admin);
  const counts = async (query: string) => {
    const { status, body } = await list(query);
    expect(status, JSON.stringify(body)).toBe(200);
    return body.results.map((each: Member) => each.enrollment_count);
  };
  const redeem = (uuid: string, id: number, content_key: string) =>
    world.call('POST', `/api/v1/policy-redemption/${uuid}/redeem/`, learner(id), { lms_user_id: id, content_key });

  beforeAll(async () => {
    world = await startSandboxApp(dialect);
    await world.control('PUT', '/groups', {
      uuid: group,
      name: 'Eleven',
      customerUuid: demonstration.customer,
      members: members.map((lmsUserId) => ({ lmsUserId })),
    });
    policy = await policyWith();
    expect((await associate(policy, group)).status).toBe(201);
    // Member n has redeemed n courses, and the first one more that was reversed.
    for (const [n, id] of members.entries()) {
      for (const key of courses.slice(0, n)) expect(await redeem(policy, id, key)).toMatchObject({ status: 200 });
    }
    const { body } = await redeem(policy, FIRST, run);
    const reverse = `/api/v2/subsidies/${demonstration.subsidy}/admin/transactions/${body.uuid}/reverse/`;
    expect((await call('POST', reverse, {})).status).toBe(200);
    // Nor does another policy count.
    expect((await redeem(demonstration.spendPolicy, FIRST, run)).status).toBe(200);
  });
  afterAll(() => world.stop());

  test('R-GRP-05: each member with exact fields and the enrollments that the policy has paid', async () => {
    const { status, body } = await list(`page=1&user_query=learner-${FIRST + 3}@`);
    expect(status).toBe(200);
    expect(body).toEqual({
      next: null,
      previous: null,
      count: 1,
      num_pages: 1,
      current_page: 1,
      start: 0,
      results: [
        {
          enterprise_customer_user_id: expect.any(Number),
          lms_user_id: FIRST + 3,
          pending_enterprise_customer_user_id: null,
          enterprise_group_membership_uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
          member_details: {
            user_email: `learner-${FIRST + 3}@demo.example`,
            user_name: `Learner ${FIRST + 3}`,
          },
          recent_action: expect.stringMatching(/^Accepted: \w+ \d\d, \d{4}$/),
          status: 'accepted',
          activated_at: expect.stringMatching(/Z$/),
          enrollments: expect.any(Number),
          group_name: 'Eleven',
          group_uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
          enrollment_count: 3,
        },
      ],
    });
  });

  test('R-GRP-06, example 20: by enrollment count in pages of ten, forwards and backwards', async () => {
    expect(await counts('sort_by=enrollment_count&page=1')).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(await counts('sort_by=enrollment_count&page=2')).toEqual([0]);
    expect(await counts('sort_by=enrollment_count&is_reversed=true&page=1')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await counts('sort_by=enrollment_count&traverse_pagination=true')).toEqual(
      Array.from({ length: COUNT }, (_, n) => COUNT - 1 - n),
    );
    // W32: links lead on.
    const { body } = await list('sort_by=enrollment_count&page=1');
    expect(body).toMatchObject({ count: COUNT, num_pages: 2, previous: null });
    const next = await world.call('GET', body.next.replace('http://access.test', ''), admin);
    expect(next.body).toMatchObject({ next: null, current_page: 2, start: 10 });
    expect(next.body.previous).toContain('page=1');
    expect(await list('sort_by=enrollment_count&page=3')).toMatchObject({ status: 404 });
  });

  test('the order, search and pages of the LMS', async () => {
    const pages = [await list('page=1'), await list('page=2')];
    expect(pages.map(({ body }) => body.results.length)).toEqual([10, 1]);
    expect(pages[0]?.body).toMatchObject({ count: COUNT, num_pages: 2, current_page: 1 });
    expect(new Set(pages.flatMap(({ body }) => body.results.map((each: Member) => each.lms_user_id))).size).toBe(COUNT);
    const names = async (query: string) =>
      (await list(query)).body.results.map((each: Member) => each.member_details.user_name);
    const sorted = await names('sort_by=member_details&traverse_pagination=true');
    expect(sorted).toEqual(sorted.toSorted());
    expect(await names('sort_by=member_details&is_reversed=true&traverse_pagination=true')).toEqual(
      sorted.toReversed(),
    );
    for (const order of ['status', 'recent_action'])
      expect(await names(`sort_by=${order}&traverse_pagination=true`)).toHaveLength(COUNT);
    const chosen = `learners=learner-${FIRST}@demo.example&learners=learner-${FIRST + 4}@demo.example`;
    expect((await names(`${chosen}&page=1`)).sort()).toEqual([`Learner ${FIRST}`, `Learner ${FIRST + 4}`]);
  });

  test('pending members count nothing, removed ones are shown on request', async () => {
    const pending = randomUUID();
    await world.control('PUT', '/groups', {
      uuid: pending,
      customerUuid: demonstration.customer,
      members: [{ lmsUserId: FIRST + 10 }, { email: 'new@demo.example' }],
    });
    const other = await policyWith();
    await associate(other, pending);
    const { body } = await list('sort_by=enrollment_count&page=1', other);
    expect(body.results).toMatchObject([{ enrollment_count: 0 }, { enrollment_count: 0 }]);
    expect(body.results.find((each: Member) => each.lms_user_id === null)).toMatchObject({
      status: 'pending',
      enterprise_customer_user_id: null,
      pending_enterprise_customer_user_id: expect.any(Number),
      member_details: { user_email: 'new@demo.example' },
    });
    await world.control('PUT', '/learners', {
      lmsUserId: FIRST + 10,
      customerUuid: demonstration.customer,
      groups: [group],
    });
    expect((await list('page=1', other)).body.count).toBe(1);
    expect((await list('page=1&show_removed=true', other)).body.count).toBe(2);
  });

  test('as CSV', async () => {
    const { status, headers, body } = await list('sort_by=enrollment_count&format_csv=true&traverse_pagination=true');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/csv; charset=utf-8');
    const [header, first, ...rest] = parse(body) as string[][];
    expect(header).toEqual(['email', 'name', 'Recent Action', 'Enrollment Number', 'Activation Date', 'status']);
    expect(first).toEqual([
      `learner-${FIRST + 10}@demo.example`,
      `Learner ${FIRST + 10}`,
      expect.stringMatching(/^Accepted: /),
      '10',
      expect.stringMatching(/Z$/),
      'accepted',
    ]);
    expect(rest).toHaveLength(COUNT - 1);
  });

  test('R-GRP-03: exactly one of a page and everything', async () => {
    for (const query of ['', 'page=1&traverse_pagination=true', 'traverse_pagination=false']) {
      expect(await list(query)).toMatchObject({
        status: 400,
        body: {
          non_field_errors: ['Can only support one param of the following at a time: `page` or `traverse_pagination`'],
        },
      });
    }
    expect(await list('page=0')).toMatchObject({ status: 400, body: { page: [expect.any(String)] } });
    expect((await list('page=1&sort_by=age')).status).toBe(200);
    expect((await list(`page=1&user_query=${'x'.repeat(321)}`)).status).toBe(400);
  });

  // R-GRP-04; W26: the old service showed any group to any learner.
  test('R-GRP-04, W26: the first group of the policy unless one of it is named; none of others', async () => {
    const both = await policyWith();
    const second = demonstration.group;
    await associate(both, group);
    // Later, so that it is not the first.
    await world
      .db('policy_groups')
      .where({ policy_uuid: both })
      .update({ created: new Date(Date.now() - 60_000) });
    await associate(both, second);
    expect((await list('page=1', both)).body.count).toBe(COUNT);
    expect((await list(`page=1&group_uuid=${second}`, both)).body.count).toBe(14);
    const missing = { status: 404, body: 'Policy group not found associated with subsidy' };
    expect(await list(`page=1&group_uuid=${second}`)).toMatchObject(missing);
    expect(await list('page=1', demonstration.spendPolicy)).toMatchObject(missing);
    expect(await call('GET', `${POLICIES}${randomUUID()}/group-members?page=1`)).toMatchObject({
      status: 404,
      body: 'Policy not found',
    });
    const path = `${POLICIES}${policy}/group-members?page=1`;
    expect((await world.call('GET', path, learner(FIRST))).status).toBe(403);
    const foreign = tokenFor('enterprise_admin', demonstration.otherCustomer, 901);
    expect((await world.call('GET', path, foreign)).status).toBe(403);
  });

  test('R-GRP-01, R-GRP-02: members may redeem, others not; without a group everybody may again', async () => {
    const closed = await policyWith();
    expect((await redeem(closed, 1_500, run)).status).toBe(200);
    const added = await associate(closed, group);
    expect(added.status).toBe(201);
    expect(added.body).toEqual({
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      policy_uuid: closed,
      group_uuid: group,
      created: expect.stringMatching(/Z$/),
    });
    const again = await associate(closed, group);
    expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: added.body });
    expect((await call('GET', `${POLICIES}${closed}/`)).body.group_associations).toEqual([group]);
    expect(await redeem(closed, 1_501, run)).toMatchObject({
      status: 422,
      body: [{ reason: 'learner_not_in_enterprise_group' }],
    });
    expect((await redeem(closed, FIRST + 1, 'course-v1:edX+SpanishX+2T2026')).status).toBe(200);
    // A row that names no group is a row: nobody is in it.
    await associate(closed, demonstration.group);
    await world.db('policy_groups').where({ policy_uuid: closed }).whereNot({ enterprise_group_uuid: group }).update({
      enterprise_group_uuid: null,
    });
    expect((await redeem(closed, 1_502, run)).status).toBe(422);
    await world.db('policy_groups').where({ policy_uuid: closed }).delete();
    expect((await redeem(closed, 1_502, run)).status).toBe(200);
  });

  test('a group is removed from all policies of the customer, and from no others (W27)', async () => {
    const doomed = randomUUID();
    await world.control('PUT', '/groups', { uuid: doomed, customerUuid: demonstration.customer });
    const own = [await policyWith(), await policyWith()];
    for (const uuid of own) expect((await associate(uuid, doomed)).status).toBe(201);
    const stamps = { created: new Date(), modified: new Date() };
    await world.db('policy_groups').insert({
      uuid: randomUUID(),
      policy_uuid: demonstration.otherPolicy,
      enterprise_customer_uuid: demonstration.otherCustomer,
      enterprise_group_uuid: doomed,
      ...stamps,
    });
    const path = `/api/v1/${demonstration.customer}/delete-group-association/${doomed}`;
    const scoped = tokenFor('enterprise_openedx_operator', demonstration.customer, 8);
    expect(await world.call('DELETE', path, admin)).toMatchObject({ status: 403 });
    expect(await world.call('DELETE', path, scoped)).toMatchObject({ status: 204, body: null });
    expect(await world.call('DELETE', path, scoped)).toMatchObject({ status: 204 });
    const left = await world.db('policy_groups').where({ enterprise_group_uuid: doomed }).pluck('policy_uuid');
    expect(left).toEqual([demonstration.otherPolicy]);
  });

  test('a group of another customer, or of none, is associated with no policy', async () => {
    const target = await policyWith();
    const foreign = randomUUID();
    await world.control('PUT', '/groups', { uuid: foreign, customerUuid: demonstration.otherCustomer });
    const refusal = (text: string) => ({ status: 400, body: { group_uuid: [text] } });
    expect(await associate(target, foreign)).toMatchObject(
      refusal('This group belongs to another enterprise customer.'),
    );
    expect(await associate(target, randomUUID())).toMatchObject(refusal('This group does not exist.'));
    await world.control('PUT', '/faults', { path: `/lms/enterprise/api/v1/enterprise-group/${foreign}/`, status: 500 });
    expect(await associate(target, foreign)).toMatchObject({ status: 503 });
    await world.control('DELETE', '/faults');
    expect((await call('GET', `${POLICIES}${target}/`)).body.group_associations).toEqual([]);
    expect((await associate(demonstration.otherPolicy, foreign)).status).toBe(201);
  });

  test('ten associations of one group at once make one', async () => {
    const target = await policyWith();
    const replies = await Promise.all(Array.from({ length: 10 }, () => associate(target, group)));
    expect(replies.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 9 }, () => 200), 201]);
    expect(new Set(replies.map(({ body }) => body.uuid)).size).toBe(1);
  });

  test('an LMS that fails is 503, one that does not know the group is 404', async () => {
    await world.control('PUT', '/faults', { path: '/lms/enterprise/api/v1/enterprise-group/', status: 500, times: 3 });
    const silent = await list('page=1');
    expect(silent).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    await world.control('DELETE', '/faults');
    // It was deleted at the LMS, and is still associated.
    const orphan = randomUUID();
    await world.control('PUT', '/groups', { uuid: orphan, customerUuid: demonstration.customer });
    const unknown = await policyWith();
    expect((await associate(unknown, orphan)).status).toBe(201);
    await world.control('PUT', '/groups', { uuid: orphan, remove: true });
    expect(await list('page=1', unknown)).toMatchObject({
      status: 404,
      body: 'Policy group not found associated with subsidy',
    });
  });

  test('spending was counted once for each', async () => {
    const { body } = await call('GET', `${POLICIES}${policy}/`);
    const spent = body.aggregates.amount_redeemed_usd_cents;
    const rows: { total: number }[] = await world
      .db('ledger_transactions')
      .where({ subsidy_access_policy_uuid: policy, state: 'committed', is_reversed: false })
      .sum({ total: 'quantity_cents' });
    expect(spent).toBe(-Number(rows[0]?.total));
    expect(spent).toBeGreaterThan(PRICE);
  });
});
