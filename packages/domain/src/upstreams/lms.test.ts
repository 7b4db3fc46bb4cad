import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { processCache } from '../kernel/cache/cache.ts';
import { newUuid } from '../kernel/ids.ts';
import type { Lms } from '../kernel/ports/lms.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import { httpLms } from './lms.ts';
import { clientOf, control, requestsTo } from './testing.ts';

const CUSTOMER = '11111111-1111-4111-8111-111111111111';
const OTHER_CUSTOMER = '44444444-4444-4444-8444-444444444444';
const GROUP = '77777777-7777-4777-8777-777777777777';
const UNKNOWN = '99999999-9999-4999-8999-999999999999';
const RUN = 'course-v1:edX+DemoX+2T2026';
const API = '/lms/enterprise/api/v1';

let sandbox: Sandbox;
let lms: Lms;
beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox.close());
beforeEach(async () => {
  await control(sandbox, 'POST', '/control/reset');
  lms = httpLms(clientOf(sandbox, 'lms'), processCache());
});

const fault = (path: string, what: object) => control(sandbox, 'PUT', '/control/faults', { path: API + path, ...what });

describe('customers and learners', () => {
  test('a customer has a name and people to ask', async () => {
    expect(await lms.customer(CUSTOMER)).toEqual({
      uuid: CUSTOMER,
      name: 'Demo Company',
      slug: 'demo-company',
      contactEmail: 'learning@demo.example',
      senderAlias: null,
      defaultLanguage: null,
      isWithoutLearnerPortal: false,
      admins: [{ email: 'admin@demo.example', lmsUserId: 900 }],
    });
    expect(await lms.customer(OTHER_CUSTOMER)).toMatchObject({ contactEmail: null });
    expect(await lms.customer(UNKNOWN)).toBeNull();
  });

  test('learners are invited together; enrollments with licences end as often as one likes', async () => {
    const emails = ['one@demo.example', 'two@demo.example'];
    await lms.addPendingLearners(CUSTOMER, emails);
    expect([...(sandbox.state.lms.customers.get(CUSTOMER)?.pending ?? [])]).toEqual(expect.arrayContaining(emails));
    expect(await requestsTo(sandbox, `${API}/pending-enterprise-learner/`)).toBe(1);
    await fault('/licensed-enterprise-course-enrollment/license_revoke/', { loseReply: true, times: 1 });
    await lms.revokeLicensedEnrollments(CUSTOMER, 1000);
    await lms.revokeLicensedEnrollments(CUSTOMER, 1000);
    await expect(lms.revokeLicensedEnrollments(UNKNOWN, 1000)).rejects.toThrow(UpstreamRefusal);
  });

  test('a learner belongs to the customer that he is linked to, with his groups', async () => {
    expect(await lms.learner(CUSTOMER, 1000)).toEqual({
      lmsUserId: 1000,
      email: 'learner-1000@demo.example',
      groupUuids: [GROUP],
    });
    expect(await lms.learner(CUSTOMER, 2000)).toBeNull();
    expect(await lms.learner(OTHER_CUSTOMER, 1000)).toBeNull();
    expect(await lms.learner(UNKNOWN, 1000)).toBeNull();
  });

  test('R-ADD-17: only an active link counts, and it is not taken from the cache', async () => {
    const link = (active: boolean) => ({
      status: 200,
      body: {
        results: [{ enterprise_customer: { uuid: CUSTOMER }, user: { id: 1000, email: 'a@demo.example' }, active }],
      },
    });
    expect(await lms.hasActiveLink(CUSTOMER, 1000)).toBe(true);
    expect(await lms.hasActiveLink(OTHER_CUSTOMER, 1000)).toBe(false);
    await fault('/enterprise-learner/', link(false));
    expect(await lms.hasActiveLink(CUSTOMER, 1000)).toBe(false);
    expect(await lms.learner(CUSTOMER, 1000)).toMatchObject({ lmsUserId: 1000 });
    await control(sandbox, 'DELETE', '/control/faults');
    await fault('/enterprise-learner/', { status: 503 });
    await expect(lms.hasActiveLink(CUSTOMER, 1000)).rejects.toThrow(UpstreamFailure);
  });

  test('what was found is kept; a crowd asks once', async () => {
    await Promise.all(Array.from({ length: 10 }, () => lms.learner(CUSTOMER, 1000)));
    await lms.learner(CUSTOMER, 1000);
    await lms.customer(CUSTOMER);
    await lms.customer(CUSTOMER);
    expect(await requestsTo(sandbox, `${API}/enterprise-learner/`)).toBe(1);
    expect(await requestsTo(sandbox, `${API}/enterprise-customer/`)).toBe(1);
  });

  test.each([
    ['an error', { status: 500 }],
    ['a page', { garbage: true }],
    ['a dropped connection', { dropConnection: true }],
    ['a learner without an id', { status: 200, body: { results: [{ enterprise_customer: { uuid: CUSTOMER } }] } }],
  ])('%s is not "not linked", and is not kept', async (_what, spec) => {
    await fault('/enterprise-learner/', spec);
    await expect(lms.learner(CUSTOMER, 1000)).rejects.toThrow(UpstreamFailure);
    await control(sandbox, 'DELETE', '/control/faults');
    expect(await lms.learner(CUSTOMER, 1000)).toMatchObject({ lmsUserId: 1000 });
  });
});

describe('members of a group', () => {
  test('one page as requested', async () => {
    const query = { groupUuid: GROUP, userQuery: 'pending-', sortBy: 'member_details', isReversed: true };
    const { members, count, pages } = await lms.groupMembers(query, 1);
    expect([count, pages]).toEqual([3, 1]);
    expect(members.map(({ member_details }) => member_details.user_email)).toEqual([
      'pending-3@demo.example',
      'pending-2@demo.example',
      'pending-1@demo.example',
    ]);
  });

  test('all of them, over as many pages as it takes', async () => {
    const members = Array.from({ length: 230 }, (_, index) => ({ lmsUserId: 1_000 + index }));
    await control(sandbox, 'PUT', '/control/groups', { uuid: GROUP, members });
    const all = await lms.allGroupMembers({ groupUuid: GROUP });
    expect(new Set(all.map(({ lms_user_id }) => lms_user_id)).size).toBe(230);
    expect(await requestsTo(sandbox, `${API}/enterprise-group/`)).toBe(3);
  });

  test('a page that is missing is no end', async () => {
    const members = Array.from({ length: 230 }, (_, index) => ({ lmsUserId: 1_000 + index }));
    await control(sandbox, 'PUT', '/control/groups', { uuid: GROUP, members });
    await fault('/enterprise-group/.*page=2', { status: 502 });
    await expect(lms.allGroupMembers({ groupUuid: GROUP })).rejects.toThrow(UpstreamFailure);
  });

  test('an unknown group is a refusal', async () => {
    await expect(lms.groupMembers({ groupUuid: UNKNOWN }, 1)).rejects.toMatchObject({ status: 404 });
  });
});

describe('a group and its invitations', () => {
  test('a group has a customer; an unknown one has none', async () => {
    expect(await lms.customerOfGroup(GROUP)).toBe(CUSTOMER);
    expect(await lms.customerOfGroup(UNKNOWN)).toBeNull();
  });

  test('open invitations by membership, with their day; read once', async () => {
    const members = [
      { email: 'a@demo.example', invitedAt: '2026-04-30T23:59:59Z' },
      { email: 'b@demo.example', invitedAt: '2026-05-01T00:00:00Z' },
      { lmsUserId: 1_000 },
    ];
    await control(sandbox, 'PUT', '/control/groups', { uuid: GROUP, members });
    const open = await lms.invitations(GROUP);
    expect([...(open?.values() ?? [])]).toEqual([
      { email: 'a@demo.example', invitedOn: '2026-04-30' },
      { email: 'b@demo.example', invitedOn: '2026-05-01' },
    ]);
    const [membership] = open?.keys() ?? [];
    const { members: all } = await lms.groupMembers({ groupUuid: GROUP }, 1);
    expect(all.map((each) => each.enterprise_group_membership_uuid)).toContain(membership);
    expect(await lms.invitations(GROUP)).toBe(open);
    expect(await lms.invitations(UNKNOWN)).toBeNull();
  });

  test('whom no mail reaches has no open invitation any more, at once', async () => {
    const before = await lms.invitations(GROUP);
    expect(before?.size).toBe(3);
    const email = 'pending-2@demo.example';
    await lms.markUnreachable(GROUP, email, new Date('2026-06-10T09:00:00Z'));
    const { members } = await lms.groupMembers({ groupUuid: GROUP, learners: [email] }, 1);
    expect(members).toMatchObject([{ status: 'email_error', recent_action: 'Errored: June 10, 2026' }]);
    const after = await lms.invitations(GROUP);
    expect([...(after?.values() ?? [])].map((each) => each.email).toSorted()).toEqual([
      'pending-1@demo.example',
      'pending-3@demo.example',
    ]);
    const gone = lms.markUnreachable(GROUP, 'nobody@demo.example', new Date());
    await expect(gone).rejects.toMatchObject({ status: 404 });
  });

  test('more members than can be read are an error, not a part of them', async () => {
    const endless = httpLms(
      async ({ reply }) => reply.parse({ next: 'more', count: 1, num_pages: 1, results: [] }) as never,
      processCache(),
    );
    await expect(endless.allGroupMembers({ groupUuid: GROUP })).rejects.toThrow(UpstreamFailure);
    await expect(endless.invitations(GROUP)).rejects.toThrow(UpstreamFailure);
  });
});

describe('enrolling', () => {
  const enrollment = (lmsUserId = 1000, transactionUuid = newUuid()) => ({
    lmsUserId,
    courseRunKey: RUN,
    transactionUuid,
    force: false,
  });
  const enrollments = () => [...sandbox.state.lms.enrolmentsByFulfilment.values()];

  test('happens once per transaction, whatever gets lost', async () => {
    const wanted = enrollment();
    await fault(`/enterprise-customer/${CUSTOMER}/enroll`, { loseReply: true, times: 2 });
    const first = await lms.enroll(CUSTOMER, wanted);
    expect(await lms.enroll(CUSTOMER, wanted)).toBe(first);
    expect(enrollments()).toEqual([{ fulfilmentUuid: first, lmsUserId: 1000, runKey: RUN, cancelled: false }]);
  });

  test.each([
    ['whom nobody knows', 5, null],
    ['who is refused', 98, 'fail@demo.example'],
    ['who must wait for an account', 97, 'pending@demo.example'],
  ])('a learner %s is a refusal, and none that is repeated', async (_who, lmsUserId, email) => {
    if (email) await control(sandbox, 'PUT', '/control/learners', { lmsUserId, email, customerUuid: CUSTOMER });
    await expect(lms.enroll(CUSTOMER, enrollment(lmsUserId))).rejects.toThrow(UpstreamRefusal);
    expect(await requestsTo(sandbox, `${API}/enterprise-customer/`)).toBe(1);
    expect(enrollments()).toEqual([]);
  });

  test('is unknown if the LMS does not answer', async () => {
    await fault('/enterprise-customer/.*/enroll', { status: 504 });
    await expect(lms.enroll(CUSTOMER, enrollment())).rejects.toThrow(UpstreamFailure);
  });

  test('after the deadline says so', async () => {
    const bodies: unknown[] = [];
    const recording = httpLms(async (call) => {
      bodies.push(call.body);
      return { successes: [{ enterprise_fulfillment_source_uuid: 'f' }] } as never;
    }, processCache());
    await recording.enroll(CUSTOMER, { ...enrollment(), force: true });
    await recording.enroll(CUSTOMER, enrollment());
    expect(bodies).toMatchObject([
      { enrollments_info: [{ force_enrollment: true }] },
      { enrollments_info: [expect.not.objectContaining({ force_enrollment: expect.anything() })] },
    ]);
  });

  test('can be taken back, as often as one likes', async () => {
    const fulfillment = await lms.enroll(CUSTOMER, enrollment());
    expect(await lms.cancelFulfillment(fulfillment)).toBe(true);
    expect(await lms.cancelFulfillment(fulfillment)).toBe(true);
    expect(enrollments()).toMatchObject([{ cancelled: true }]);
    expect(await lms.cancelFulfillment(UNKNOWN)).toBe(false);
  });

  test('is reversed although the answer is lost; no answer means unknown', async () => {
    const fulfillment = await lms.enroll(CUSTOMER, enrollment());
    await fault('/enterprise-subsidy-fulfillment/', { loseReply: true, times: 1 });
    expect(await lms.cancelFulfillment(fulfillment)).toBe(true);
    await fault('/enterprise-subsidy-fulfillment/', { status: 500 });
    await expect(lms.cancelFulfillment(fulfillment)).rejects.toThrow(UpstreamFailure);
  });
});

describe('what follows the end of licences', () => {
  const LICENSE = '88888888-8888-4888-8888-888888888888';

  test('administrators of a customer come page by page', async () => {
    expect(await lms.administrators(CUSTOMER)).toEqual([{ email: 'admin@demo.example', lmsUserId: 900 }]);
    const user = { enterprise_customer: { uuid: CUSTOMER }, user: { id: 901, email: 'second@demo.example' } };
    const first = { next: 'http://lms.test/?page=2', results: [{ ...user, user: null }, user] };
    await fault('/enterprise-learner/', { times: 1, status: 200, body: first });
    await fault('/enterprise-learner/', { times: 1, status: 200, body: { next: null, results: [user] } });
    expect(await lms.administrators(CUSTOMER)).toHaveLength(2);
  });

  test('unlinked learners are linked no more; it can be repeated', async () => {
    for (const _ of [1, 2]) await lms.unlinkLearners(CUSTOMER, ['Learner-1000@demo.example', 'nobody@demo.example']);
    expect(await lms.hasActiveLink(CUSTOMER, 1000)).toBe(false);
    expect(await lms.hasActiveLink(CUSTOMER, 1001)).toBe(true);
  });

  test.each([400, 500])('W-28: an unlinking that is answered %i has failed', async (status) => {
    await fault(`/enterprise-customer/${CUSTOMER}/unlink_users/`, { status });
    await expect(lms.unlinkLearners(CUSTOMER, ['learner-1000@demo.example'])).rejects.toThrow();
  });

  test('enrollments of licences can be ended again and again', async () => {
    for (const since of [null, new Date()]) await lms.endLicensedEnrollments([LICENSE], since);
    await fault('/licensed-enterprise-course-enrollment/bulk_licensed_enrollments_expiration/', { status: 422 });
    await expect(lms.endLicensedEnrollments([LICENSE], null)).rejects.toThrow();
  });

  test('a customer is found by its short name', async () => {
    expect(await lms.customerOfSlug('demo-company')).toMatchObject({ uuid: CUSTOMER });
    expect(await lms.customerOfSlug('nobody')).toBeNull();
  });
});

describe('enrollments with licences', () => {
  const license = newUuid();
  const item = (email: string, courseRunKey = RUN, licenseUuid = license) => ({ email, courseRunKey, licenseUuid });
  const path = `/enterprise-customer/${CUSTOMER}/enroll_learners_in_courses/`;

  test('every item has its outcome, although the LMS answers 409 because of some', async () => {
    const items = [
      item('LEARNER-1000@demo.example'),
      item('fail@demo.example'),
      item('nobody@demo.example'),
      item('no address'),
      item('learner-1001@demo.example'),
    ];
    const enroll = () => lms.enrollWithLicenses(CUSTOMER, items, { notify: false });
    expect(await enroll()).toEqual(['success', 'failed', 'pending', 'invalid_address', 'success']);
    expect(await enroll()).toEqual(['success', 'failed', 'pending', 'invalid_address', 'success']);
  });

  test('what the reply does not name has failed', async () => {
    await fault(path, { status: 201, body: { successes: [] }, times: 1 });
    expect(await lms.enrollWithLicenses(CUSTOMER, [item('a@x.org')], { notify: true })).toEqual(['failed']);
  });

  test('a refusal of the whole request, and no answer, are errors', async () => {
    await fault(path, { status: 400, body: {}, times: 1 });
    const enroll = () => lms.enrollWithLicenses(CUSTOMER, [item('a@x.org')], { notify: true });
    await expect(enroll()).rejects.toThrow(UpstreamRefusal);
    await fault(path, { status: 500 });
    await expect(enroll()).rejects.toThrow(UpstreamFailure);
  });
});
