import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { bulkEnrolmentBody, enrolInBulk } from './bulk-enrolment.ts';
import { cancelFulfilment, endEnrolments, revokeEnrolments } from './enrol.ts';
import type { Listing } from './envelope.ts';
import { listOf, mapListing, paginate } from './envelope.ts';
import { selectMembers } from './group-members.ts';
import type { Query } from './http.ts';
import { notFound, parseBody, queryOf, Refusal } from './http.ts';
import type { CustomerRecord } from './lms-records.ts';
import { accountRecord, customerRecord, enterpriseFeatures, learnerRecord, memberRecord } from './lms-records.ts';
import type { Account, Customer, Group, Link, Member } from './lms-store.ts';
import { folded, removeLink } from './lms-store.ts';
import type { SandboxState } from './state.ts';

const API = '/enterprise/api/v1';
type ByUuid = { Params: { uuid: string } };

const memberErrorBody = z.object({
  learner: z.string(),
  status: z.literal('email_error'),
  errored_at: z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'Datetime has wrong format.'),
});
const expiredLicenses = z.object({
  expired_license_uuids: z.array(z.uuid()).min(1),
  ignore_enrollments_modified_after: z.string().nullish(),
});
const unlinkedUsers = z.object({ user_emails: z.array(z.string()).min(1), is_relinkable: z.boolean().optional() });
const pendingLearners = z.array(z.object({ enterprise_customer: z.uuid(), user_email: z.string().min(3) }));

const licenseRevocation = z.object({ user_id: z.int(), enterprise_id: z.uuid() });

const listed = (text: string | undefined) => (text ?? '').split(',').filter((part) => part !== '');

/** The LMS: customers, learners, groups, enrolment and accounts. */
export function lmsRoutes(app: FastifyInstance, state: SandboxState): void {
  const customerOf = (uuid: string): Customer => {
    const customer = state.lms.customers.get(uuid);
    if (!customer) throw notFound();
    return customer;
  };
  const groupOf = (uuid: string): Group => {
    const group = state.lms.groups.get(uuid);
    if (!group) throw notFound();
    return group;
  };

  // LMS-01
  app.get<ByUuid>(`${API}/enterprise-customer/:uuid/`, (request, reply) => {
    reply.send(customerRecord(customerOf(request.params.uuid)));
  });

  // LMS-02
  app.get(`${API}/enterprise-customer/`, (request, reply) => {
    const query = queryOf(request);
    const slug = query.one('slug');
    const { customers, customersBySlug } = state.lms;
    const pool =
      slug === undefined ? [...customers.values()] : [customersBySlug.get(slug)].filter((c) => c !== undefined);
    const chosen = pool.filter(
      (customer) =>
        [undefined, customer.uuid].includes(query.one('uuid')) &&
        [undefined, customer.name].includes(query.one('name')),
    );
    const page = paginate(request, mapListing(listOf(chosen), customerRecord));
    reply.send({ ...page, enterprise_features: enterpriseFeatures });
  });

  /** The accounts that a filter names, or undefined when it names none and the whole customer is meant. */
  function namedAccounts(query: Query): Account[] | undefined {
    const { accounts, accountsByEmail, accountsByUsername } = state.lms;
    const ids = query.many('user_ids').flatMap(listed);
    const email = query.one('email');
    const username = query.one('username');
    if (ids.length > 0) return ids.flatMap((id) => accounts.get(Number(id)) ?? []);
    if (email !== undefined) return [accountsByEmail.get(folded(email))].filter((found) => found !== undefined);
    if (username === undefined) return undefined;
    return [accountsByUsername.get(folded(username))].filter((found) => found !== undefined);
  }

  function selectLinks(query: Query): Listing<Link> {
    const customerUuid = query.one('enterprise_customer_uuid');
    const role = query.one('role');
    if (role !== undefined && customerUuid === undefined) {
      throw new Refusal(400, { detail: 'The enterprise_customer_uuid parameter is required to filter by role.' });
    }
    const customer = customerUuid === undefined ? undefined : state.lms.customers.get(customerUuid);
    if (customerUuid !== undefined && !customer) return listOf([]);

    const named = namedAccounts(query);
    if (named) {
      const links = named.flatMap(({ lmsUserId }) => [...(state.lms.linksByAccount.get(lmsUserId)?.values() ?? [])]);
      const [email, username] = [query.one('email'), query.one('username')];
      return listOf(
        links.filter(
          (link) =>
            (customer === undefined || link.customerUuid === customer.uuid) &&
            (role === undefined || link.role === role) &&
            (email === undefined || folded(link.account.email) === folded(email)) &&
            (username === undefined || folded(link.account.username) === folded(username)),
        ),
      );
    }
    if (!customer) return listOf([...state.lms.customers.values()].flatMap(({ links }) => [...links.values()]));
    if (role === 'enterprise_learner') return listOf([...customer.links.values()].filter((link) => link.role === role));
    const links = role === undefined ? customer.links : customer.admins;
    if (role !== undefined && role !== 'enterprise_admin') return listOf([]);
    return { count: links.size, rows: (start, size) => [...links.values().drop(start).take(size)] };
  }

  // LMS-04, 05, 06
  app.get(`${API}/enterprise-learner/`, (request, reply) => {
    const customers = new Map<string, CustomerRecord>();
    const recordOf = (link: Link) => {
      const customer = customers.get(link.customerUuid) ?? customerRecord(customerOf(link.customerUuid));
      customers.set(link.customerUuid, customer);
      return learnerRecord(link, customer);
    };
    const page = paginate(request, mapListing(selectLinks(queryOf(request)), recordOf));
    reply.send({ ...page, enterprise_features: enterpriseFeatures });
  });

  // A group by itself; our services read whose it is.
  app.get<ByUuid>(`${API}/enterprise-group/:uuid/`, (request, reply) => {
    const { uuid, name, customerUuid, members } = groupOf(request.params.uuid);
    const accepted = [...members.values()].filter(({ status }) => status === 'accepted').length;
    reply.send({ uuid, name, enterprise_customer: customerUuid, accepted_members_count: accepted, group_type: 'flex' });
  });

  // LMS-13
  app.get<ByUuid>(`${API}/enterprise-group/:uuid/learners/`, (request, reply) => {
    const group = groupOf(request.params.uuid);
    const recordOf = (member: Member) => memberRecord(state.lms, group, member);
    reply.send(paginate(request, mapListing(selectMembers(group, queryOf(request)), recordOf)));
  });

  // LMS-14
  app.patch<ByUuid>(`${API}/enterprise-group/:uuid/learners/`, (request, reply) => {
    const group = groupOf(request.params.uuid);
    const body = parseBody(memberErrorBody, request.body);
    const member = group.members.get(folded(body.learner));
    if (!member) throw notFound();
    member.status = body.status;
    member.changed = new Date(body.errored_at);
    const message = `Successfully updated learner record for learner ${body.learner}`;
    reply.code(201).type('application/json').send(JSON.stringify(message));
  });

  // LMS-17
  app.post<ByUuid>(`${API}/enterprise-customer/:uuid/enroll_learners_in_courses/`, (request, reply) => {
    customerOf(request.params.uuid);
    const { status, body } = enrolInBulk(state.lms, parseBody(bulkEnrolmentBody, request.body));
    reply.code(status).send(body);
  });

  // LMS-18
  app.post(`${API}/pending-enterprise-learner/`, (request, reply) => {
    const items = parseBody(pendingLearners, request.body);
    let created = false;
    for (const item of items) {
      const customer = state.lms.customers.get(item.enterprise_customer);
      if (!customer) throw new Refusal(400, [{ enterprise_customer: ['Invalid pk: object does not exist.'] }]);
      created ||= !customer.pending.has(folded(item.user_email));
      customer.pending.add(folded(item.user_email));
    }
    if (created) reply.code(201).send(items);
    else reply.code(204).send();
  });

  // LMS-22
  app.post(`${API}/licensed-enterprise-course-enrollment/bulk_licensed_enrollments_expiration/`, (request, reply) => {
    endEnrolments(state.lms, parseBody(expiredLicenses, request.body).expired_license_uuids);
    reply.code(200).send({});
  });

  // The licence manager unlinks the learners of plans that expired long ago.
  app.post<ByUuid>(`${API}/enterprise-customer/:uuid/unlink_users/`, (request, reply) => {
    const customer = customerOf(request.params.uuid);
    for (const email of parseBody(unlinkedUsers, request.body).user_emails) {
      const account = state.lms.accountsByEmail.get(folded(email));
      const link = account && customer.links.get(account.lmsUserId);
      if (link) removeLink(state.lms, link, state.now());
      customer.pending.delete(folded(email));
    }
    reply.code(200).send({});
  });

  // LMS-21
  app.post(`${API}/licensed-enterprise-course-enrollment/license_revoke/`, (request, reply) => {
    const { user_id: lmsUserId, enterprise_id: uuid } = parseBody(licenseRevocation, request.body);
    customerOf(uuid);
    revokeEnrolments(state.lms, lmsUserId);
    reply.code(200).send({});
  });

  // LMS-23
  app.post<ByUuid>(`${API}/enterprise-subsidy-fulfillment/:uuid/cancel-fulfillment`, (request, reply) => {
    const cancelled = cancelFulfilment(state.lms, request.params.uuid);
    if (cancelled === undefined) throw notFound();
    reply.code(cancelled ? 204 : 200).send();
  });

  function findAccounts(query: Query): Account[] {
    const { accounts, accountsByEmail, accountsByUsername } = state.lms;
    const id = query.one('lms_user_id');
    if (id !== undefined && !/^\d+$/.test(id)) throw new Refusal(400, undefined);
    const found =
      id === undefined
        ? query.has('email')
          ? [accountsByEmail.get(folded(query.one('email') ?? ''))]
          : listed(query.one('username')).map((name) => accountsByUsername.get(folded(name)))
        : [accounts.get(Number(id))];
    return found.filter((account) => account !== undefined);
  }

  app.get('/api/user/v1/accounts', (request, reply) => {
    const found = findAccounts(queryOf(request));
    if (found.length === 0) throw new Refusal(404, undefined);
    reply.send(found.map(accountRecord));
  });
}
