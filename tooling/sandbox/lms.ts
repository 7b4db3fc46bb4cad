import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { many, one, paged, type Query } from './envelope.ts';
import { uuidOf } from './courses.ts';
import type { Customer, Learner, Member, State } from './state.ts';

const customerRecord = (customer: Customer) => ({
  uuid: customer.uuid,
  name: customer.name,
  slug: customer.slug,
  active: true,
  country: 'US',
  contact_email: customer.contactEmail,
  auth_org_id: null,
  enable_data_sharing_consent: true,
  enterprise_customer_catalogs: [customer.catalogUuid],
  admin_users: [{ email: customer.admin.email, lms_user_id: customer.admin.lmsUserId }],
});

const userRecord = (learner: Learner) => ({
  id: learner.lmsUserId,
  username: `learner-${learner.lmsUserId}`,
  first_name: 'Learner',
  last_name: String(learner.lmsUserId),
  email: learner.email,
  is_staff: false,
  is_active: true,
});

const memberRecord = (member: Member, groupUuid: string) => ({
  enterprise_customer_user_id: member.lmsUserId,
  lms_user_id: member.lmsUserId,
  pending_enterprise_customer_user_id: member.lmsUserId === null ? 1 : null,
  enterprise_group_membership_uuid: uuidOf(`${groupUuid}:${member.email}`),
  member_details: { user_email: member.email, user_name: member.name ?? '' },
  recent_action: member.recentAction,
  status: member.status,
  activated_at: member.status === 'accepted' ? '2026-04-24T00:00:00Z' : null,
  group_uuid: groupUuid,
});

const enrolment = z.object({
  enrollments_info: z
    .array(z.object({ user_id: z.int().optional(), email: z.string().optional(), course_run_key: z.string(), transaction_id: z.string().optional() }))
    .min(1),
});

const sortKeys: Readonly<Record<string, (member: Member) => string>> = {
  member_details: ({ email }) => email,
  status: ({ status }) => status,
  recent_action: ({ recentAction }) => recentAction,
};

export async function lms(app: FastifyInstance, { state }: { state: State }): Promise<void> {
  const api = '/enterprise/api/v1';
  const learnerRecord = (learner: Learner) => {
    const customer = state.customers.get(learner.customerUuid);
    return {
      id: learner.lmsUserId,
      enterprise_customer: customer ? customerRecord(customer) : { uuid: learner.customerUuid },
      active: true,
      user_id: learner.lmsUserId,
      user: userRecord(learner),
      enterprise_group: learner.groups,
      role_assignments: ['enterprise_learner'],
    };
  };

  app.get(`${api}/enterprise-customer/`, async (request) => {
    const { slug, name } = request.query as Query;
    const found = [...state.customers.values()].filter((c) => (!slug || c.slug === slug) && (!name || c.name === name));
    return paged(request, found.map(customerRecord));
  });

  app.get<{ Params: { uuid: string } }>(`${api}/enterprise-customer/:uuid/`, async (request, reply) => {
    const found = state.customers.get(request.params.uuid);
    return found ? customerRecord(found) : reply.code(404).send({ detail: 'Not found.' });
  });

  app.get(`${api}/enterprise-learner/`, async (request) => {
    const query = request.query as Query;
    const ids = many(query.user_ids).flatMap((text) => text.split(',')).map(Number);
    const candidates = ids.length > 0 ? ids.flatMap((id) => state.learners.get(id) ?? []) : [...state.learners.values()];
    const found = candidates.filter(
      (learner) =>
        learner.linked &&
        (!query.enterprise_customer_uuid || learner.customerUuid === query.enterprise_customer_uuid) &&
        (!query.email || learner.email === query.email) &&
        (!query.username || `learner-${learner.lmsUserId}` === query.username),
    );
    return paged(request, found.map(learnerRecord));
  });

  app.get<{ Params: { uuid: string } }>(`${api}/enterprise-group/:uuid/learners/`, async (request, reply) => {
    const { uuid } = request.params;
    const group = state.groups.get(uuid);
    if (!group) return reply.code(404).send({ detail: 'Not found.' });
    const query = request.query as Query;
    const isTrue = (name: string) => /^true$/i.test(one(query[name]) ?? '');
    const only = many(query.learners);
    const text = one(query.user_query)?.toLowerCase();
    const found = group.members.filter(
      (member) =>
        (isTrue('show_removed') || member.status !== 'removed') &&
        (!isTrue('pending_users_only') || member.status === 'pending') &&
        (only.length === 0 || only.includes(member.email)) &&
        (!text || member.email.includes(text)),
    );
    const key = sortKeys[one(query.sort_by) ?? ''];
    if (key) found.sort((a, b) => key(a).localeCompare(key(b)));
    if (isTrue('is_reversed')) found.reverse();
    return paged(request, found.map((member) => memberRecord(member, uuid)));
  });

  app.post<{ Params: { uuid: string } }>(`${api}/enterprise-customer/:uuid/enroll_learners_in_courses/`, async (request, reply) => {
    const parsed = enrolment.safeParse(request.body);
    if (!parsed.success) return reply.code(400).send({ enrollments_info: ['Not valid.'] });
    const successes: unknown[] = [];
    const failures: unknown[] = [];
    const unknown: number[] = [];
    for (const item of parsed.data.enrollments_info) {
      const learner = state.learners.get(item.user_id ?? 0);
      if (!learner) unknown.push(item.user_id ?? 0);
      else if (learner.email.startsWith('fail@')) failures.push({ user_id: learner.lmsUserId, course_run_key: item.course_run_key });
      else {
        const key = item.transaction_id ?? `${learner.lmsUserId}:${item.course_run_key}`;
        const created = !state.enrollments.has(key);
        const fulfillment = state.enrollments.get(key) ?? uuidOf(`fulfillment:${key}`);
        state.enrollments.set(key, fulfillment);
        successes.push({ user_id: learner.lmsUserId, email: learner.email, course_run_key: item.course_run_key, created, activation_link: null, enterprise_fulfillment_source_uuid: fulfillment });
      }
    }
    const isComplete = failures.length + unknown.length === 0;
    return reply.code(isComplete ? 201 : 409).send({ successes, pending: [], failures, invalid_email_addresses: [], invalid_user_ids: unknown });
  });

  app.get('/api/user/v1/accounts', async (request, reply) => {
    const query = request.query as Query;
    const found = [...state.learners.values()].filter(
      (learner) => learner.email === query.email || `learner-${learner.lmsUserId}` === query.username || String(learner.lmsUserId) === query.lms_user_id,
    );
    return found.length > 0 ? found.map(userRecord) : reply.code(404).send();
  });
}
