import type { FastifyInstance, FastifyRequest } from 'fastify';
import { customerRecord, ENTERPRISE_FEATURES } from './customers.ts';
import { pageOf } from './envelope.ts';
import { bulkEnrol } from './lms-enrolment.ts';
import { groupMembers, memberRecord } from './lms-groups.ts';
import { queryOf } from './query.ts';
import { Refusal } from './refusal.ts';
import type { Sandbox } from './sandbox.ts';
import { SEED_TIME, type SeedCustomer } from './seed.ts';
import type { Link, User, World } from './state.ts';

const API = '/enterprise/api/v1';
const notFound = (): Refusal => new Refusal(404, { detail: 'Not found.' });

interface WithUuid {
  Params: { uuid: string };
}

/** The LMS and its edx-enterprise API. */
export async function lms(app: FastifyInstance, { sandbox }: { sandbox: Sandbox }): Promise<void> {
  app.get<WithUuid>(`${API}/enterprise-customer/:uuid`, async (request) => {
    const customer = sandbox.world.customers.get(request.params.uuid);
    if (!customer) throw notFound();
    return customerRecord(customer);
  });

  app.get(`${API}/enterprise-customer`, async (request) => ({
    ...pageOf(request, customersOf(sandbox.world, request), customerRecord),
    enterprise_features: ENTERPRISE_FEATURES,
  }));

  app.get(`${API}/enterprise-learner`, async (request) => ({
    ...(queryOf(request).one('role') === undefined
      ? pageOf(request, linksOf(sandbox.world, request), learnerRecord)
      : pageOf(request, adminsOf(sandbox.world, request), adminRecord)),
    enterprise_features: ENTERPRISE_FEATURES,
  }));

  app.get<WithUuid>(`${API}/enterprise-group/:uuid/learners`, async (request) => {
    const group = sandbox.world.groups.get(request.params.uuid);
    if (!group) throw notFound();
    const members = groupMembers(group, queryOf(request));
    return pageOf(request, members, (member) => memberRecord(sandbox.world, group, member));
  });

  app.post<WithUuid>(`${API}/enterprise-customer/:uuid/enroll_learners_in_courses`, async (request, reply) => {
    if (!sandbox.world.customers.has(request.params.uuid)) throw notFound();
    const { status, body } = bulkEnrol(sandbox.world, request.body, Date.now());
    return reply.code(status).send(body);
  });

  app.post<WithUuid>(`${API}/enterprise-subsidy-fulfillment/:uuid/cancel-fulfillment`, async (request, reply) => {
    const fulfilment = sandbox.world.fulfilments.get(request.params.uuid);
    if (!fulfilment) throw notFound();
    if (fulfilment.cancelled) return reply.code(200).send({ detail: 'The enrollment is already cancelled.' });
    fulfilment.cancelled = true;
    return reply.code(204).send();
  });

  app.get('/api/user/v1/accounts', async (request, reply) => {
    const query = queryOf(request);
    const id = query.one('lms_user_id');
    if (id !== undefined && !/^\d+$/.test(id)) return reply.code(400).send();
    const found = accountsOf(sandbox.world, { id, email: query.one('email'), usernames: query.one('username') });
    return found.length === 0 ? reply.code(404).send() : found.map(accountRecord);
  });
}

function customersOf(world: World, request: FastifyRequest): readonly SeedCustomer[] {
  const query = queryOf(request);
  return [...world.customers.values()].filter((customer) =>
    (['uuid', 'slug', 'name'] as const).every((name) => (query.one(name) ?? customer[name]) === customer[name]),
  );
}

/** Learners linked now, by the most selective filter first: a lookup of one learner walks nothing. */
function linksOf(world: World, request: FastifyRequest): readonly Link[] {
  const query = queryOf(request);
  const customerUuid = query.one('enterprise_customer_uuid');
  const ids = query.all('user_ids').flatMap((text) => text.split(',').map(Number));
  const email = query.one('email')?.toLowerCase();
  const username = query.one('username');
  return candidates(world, customerUuid, ids, email, username).filter(
    ({ linked, customer, user }) =>
      linked &&
      (customerUuid === undefined || customer.uuid === customerUuid) &&
      (ids.length === 0 || ids.includes(user.id)) &&
      (email === undefined || user.email.toLowerCase() === email) &&
      (username === undefined || user.username === username),
  );
}

function candidates(
  world: World,
  customerUuid: string | undefined,
  ids: readonly number[],
  email: string | undefined,
  username: string | undefined,
): readonly Link[] {
  const ofUser = (user: User | undefined) => [...((user && world.linksByUser.get(user.id)?.values()) ?? [])];
  if (ids.length > 0) return [...new Set(ids)].flatMap((id) => ofUser(world.users.get(id)));
  if (email !== undefined) return ofUser(world.usersByEmail.get(email));
  if (username !== undefined) return ofUser(world.usersByName.get(username));
  if (customerUuid !== undefined) return [...(world.linksByCustomer.get(customerUuid)?.values() ?? [])];
  return [...world.linksByCustomer.values()].flatMap((links) => [...links.values()]);
}

const userRecord = ({ id, username, email }: User) => ({
  id,
  username,
  first_name: 'Learner',
  last_name: String(id),
  email,
  is_staff: false,
  is_active: true,
  date_joined: SEED_TIME,
});

const linkRecord = (id: number, customer: SeedCustomer, user: User, role: string, groups: readonly string[]) => ({
  id,
  enterprise_customer: customerRecord(customer),
  active: true,
  user_id: user.id,
  user: userRecord(user),
  data_sharing_consent_records: [],
  groups: [],
  created: SEED_TIME,
  invite_key: null,
  role_assignments: [role],
  enterprise_group: groups,
});

const learnerRecord = ({ id, customer, user, groups }: Link) =>
  linkRecord(id, customer, user, 'enterprise_learner', [...groups]);

interface Admin {
  readonly customer: SeedCustomer;
  readonly user: User;
}

/** Administrators are no learners: they show up only when asked for by their role (LMS-04). */
function adminsOf(world: World, request: FastifyRequest): readonly Admin[] {
  const query = queryOf(request);
  const uuid = query.one('enterprise_customer_uuid');
  if (uuid === undefined) throw new Refusal(400, { detail: 'enterprise_customer_uuid is required with role.' });
  const customer = world.customers.get(uuid);
  const user = customer && world.users.get(customer.admin.lms_user_id);
  return customer && user && query.one('role') === 'enterprise_admin' ? [{ customer, user }] : [];
}

const adminRecord = ({ customer, user }: Admin) => linkRecord(user.id * 10, customer, user, 'enterprise_admin', []);

interface AccountQuery {
  readonly id: string | undefined;
  readonly email: string | undefined;
  readonly usernames: string | undefined;
}

function accountsOf(world: World, { id, email, usernames }: AccountQuery): readonly User[] {
  if (usernames !== undefined) return usernames.split(',').flatMap((name) => world.usersByName.get(name) ?? []);
  const user = email === undefined ? world.users.get(Number(id)) : world.usersByEmail.get(email.toLowerCase());
  return user ? [user] : [];
}

const accountRecord = ({ id, username, email }: User) => ({
  id,
  username,
  email,
  name: `Learner ${id}`,
  is_active: true,
  date_joined: SEED_TIME,
  last_login: SEED_TIME,
  country: 'US',
  bio: null,
  gender: null,
  language: '',
});
