import { createHmac, randomUUID } from 'node:crypto';
import { type Operation, operations } from '@enterprise-access/domain';
import { contentWith } from '@enterprise-access/domain/testing';
import { expect } from 'vitest';
import { type Input, viaTrpc, type World } from './examples.ts';
import { operatorToken, run, SECRET, tokenFor } from './harness.ts';

export const SUBSIDIES = '/api/v1/subsidies/';
export const POLICIES = '/api/v1/subsidy-access-policies/';
export const PRICE = 14_900;
export const isUuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

/** A new customer with learners, so that policies of other tests are not candidates. */
export function newCustomer(
  world: World,
  learners: readonly number[] = [],
  more: { contactEmail?: string | null; admins?: { email: string; lmsUserId: number }[] } = {},
): string {
  const uuid = randomUUID();
  const { contactEmail = null, admins = [] } = more;
  world.world.customers.set(uuid, {
    uuid,
    name: 'Test Company',
    slug: `test-${uuid}`,
    contactEmail,
    senderAlias: null,
    defaultLanguage: null,
    isWithoutLearnerPortal: false,
    admins,
  });
  for (const id of learners) addLearner(world, uuid, id);
  return uuid;
}

export function addLearner(
  world: World,
  customer: string,
  lmsUserId: number,
  groupUuids: readonly string[] = [],
): void {
  const email = `learner-${lmsUserId}@test.example`;
  world.world.learners.set(`${customer}:${lmsUserId}`, { lmsUserId, email, groupUuids });
}

/** A new course run with this price. */
export function newCourse(world: World, change: Parameters<typeof contentWith>[0] = {}): string {
  const name = `T${randomUUID().slice(0, 8)}`;
  const key = `course-v1:edX+${name}+2T2026`;
  world.world.contents.set(key, contentWith({ contentKey: `edX+${name}`, courseRunKey: key, ...change }));
  return key;
}

export interface SubsidyWish {
  readonly customer: string;
  readonly balance?: number;
  readonly active?: string;
  readonly expiration?: string;
}

export const subsidyBody = (wish: SubsidyWish) => ({
  reference_id: randomUUID(),
  default_title: 'Credit',
  default_enterprise_customer_uuid: wish.customer,
  default_active_datetime: wish.active ?? '2026-01-01T00:00:00Z',
  default_expiration_datetime: wish.expiration ?? '2027-01-01T00:00:00Z',
  default_unit: 'usd_cents',
  default_starting_balance: wish.balance ?? 1_000_000,
  default_revenue_category: 'bulk-enrollment-prepay',
  default_internal_only: false,
});

export async function newSubsidy(world: World, wish: SubsidyWish): Promise<string> {
  const made = await world.call('POST', SUBSIDIES, operatorToken(), subsidyBody(wish));
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return made.body.uuid;
}

export interface PolicyWish {
  readonly customer: string;
  readonly subsidy: string;
  readonly catalog?: string;
  readonly type?: 'PerLearnerEnrollmentCreditAccessPolicy' | 'PerLearnerSpendCreditAccessPolicy';
  readonly spendLimit?: number | null;
  readonly enrollmentLimit?: number | null;
  readonly learnerSpendLimit?: number | null;
  readonly lateUntil?: Date | null;
  readonly groups?: readonly (string | null)[];
  readonly created?: Date;
}

/** Inserts an active policy directly, without the checks of its creation. */
export async function newPolicy(world: Pick<World, 'db'>, wish: PolicyWish): Promise<string> {
  const uuid = randomUUID();
  const created = wish.created ?? new Date('2026-06-01T12:00:00Z');
  await world.db('policies').insert({
    uuid,
    policy_type: wish.type ?? 'PerLearnerSpendCreditAccessPolicy',
    enterprise_customer_uuid: wish.customer,
    description: '',
    active: true,
    retired: false,
    catalog_uuid: wish.catalog ?? randomUUID(),
    subsidy_uuid: wish.subsidy,
    access_method: 'direct',
    spend_limit_cents: wish.spendLimit ?? null,
    per_learner_enrollment_limit: wish.enrollmentLimit ?? null,
    per_learner_spend_limit_cents: wish.learnerSpendLimit ?? null,
    late_redemption_allowed_until: wish.lateUntil ?? null,
    created,
    modified: created,
  });
  for (const group of wish.groups ?? []) {
    await world.db('policy_groups').insert({
      uuid: randomUUID(),
      policy_uuid: uuid,
      enterprise_customer_uuid: wish.customer,
      enterprise_group_uuid: group,
      created,
      modified: created,
    });
  }
  return uuid;
}

/** A customer with one learner, one subsidy and one policy without limits. */
export async function newBudget(
  world: World,
  wish: Omit<Partial<PolicyWish>, 'customer' | 'subsidy'> & { balance?: number; learners?: readonly number[] } = {},
) {
  const customer = newCustomer(world, wish.learners ?? [1]);
  const subsidy = await newSubsidy(world, {
    customer,
    ...(wish.balance === undefined ? {} : { balance: wish.balance }),
  });
  return { customer, subsidy, policy: await newPolicy(world, { ...wish, customer, subsidy }) };
}

export const redeemAs = (world: World, policy: string, customer: string, learner: number, contentKey = run) =>
  world.call('POST', `/api/v1/policy-redemption/${policy}/redeem/`, tokenFor('enterprise_learner', customer, learner), {
    lms_user_id: learner,
    content_key: contentKey,
  });

export const canRedeemAs = (
  world: World,
  customer: string,
  learner: number,
  keys: readonly string[] = [run],
  token = tokenFor('enterprise_learner', customer, learner),
  query = '',
) =>
  world.call(
    'GET',
    `/api/v1/policy-redemption/enterprise-customer/${customer}/can-redeem/?${new URLSearchParams(
      keys.map((key): [string, string] => ['content_key', key]),
    )}${query}`,
    token,
  );

export const reverseIn = (world: World, subsidy: string, transaction: string, body: object = {}) =>
  world.call('POST', `/api/v2/subsidies/${subsidy}/admin/transactions/${transaction}/reverse/`, operatorToken(), body);

export const balanceOf = async (world: World, subsidy: string): Promise<number> =>
  (await world.call('GET', `${SUBSIDIES}${subsidy}/`, operatorToken())).body.current_balance;

export const spentOf = async (world: World, policy: string): Promise<number> =>
  (await world.db('policies').where({ uuid: policy }).first('spent_cents')).spent_cents;

export function operationNamed(id: string): Operation {
  const found = operations.find((operation) => operation.id === id);
  if (!found) throw new Error(`There is no operation ${id}.`);
  return found;
}

/** Makes a tRPC call that must succeed; returns its data. */
export async function trpcData<T>(world: World, id: string, input: Input, token = operatorToken()): Promise<T> {
  const reply = await viaTrpc(world, operationNamed(id), input, token);
  expect(reply.status, JSON.stringify(reply.error)).toBe(200);
  return reply.data as T;
}

/** Makes a tRPC call that must fail; returns status and declared error. */
export async function trpcError(world: World, id: string, input: Input, token = operatorToken()) {
  const { status, error } = await viaTrpc(world, operationNamed(id), input, token);
  return { status, message: error?.message, ...(error?.data.domain as { code: string; details: unknown }) };
}

export interface ChangeRow {
  readonly operation: string;
  readonly source: string;
  readonly actor_user_id: number | null;
  readonly reason: string | null;
  readonly action: string;
  readonly note: string | null;
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
}

/** What the audit trail says about a thing, oldest first. */
export async function historyOf(world: World, uuid: string): Promise<ChangeRow[]> {
  const rows = await world
    .db('audit_changes as c')
    .join('audit_entries as e', 'e.uuid', 'c.entry_uuid')
    .where({ subject_uuid: uuid })
    .orderBy(['entry_uuid', 'position'])
    .select('operation', 'source', 'actor_user_id', 'reason', 'action', 'note', {
      before: 'before_values',
      after: 'after_values',
    });
  // MariaDB keeps JSON as text.
  const values = (json: unknown) => (typeof json === 'string' ? JSON.parse(json) : json);
  return rows.map((row) => ({ ...row, before: values(row.before), after: values(row.after) }));
}

/** Names of the stored events of a key, in order. */
export const eventsOf = async (world: World, key: string): Promise<string[]> =>
  (await world.db('outbox').where({ message_key: key }).orderBy('position').select('name')).map(
    ({ name }: { name: string }) => name.replace(/^org\.openedx\.enterprise\./, ''),
  );

/** Local user id of the operator's token. */
export const operatorUserId = async (world: World): Promise<number> =>
  (await world.db('users').where({ lms_user_id: 7 }).first('id')).id;

/** A learner's token without the LMS user id. */
export function tokenWithoutLearner(customer: string): string {
  const [head, body = ''] = tokenFor('enterprise_learner', customer, 1).split('.');
  const { user_id: _id, ...claims } = JSON.parse(Buffer.from(body, 'base64url').toString());
  const nobody = JSON.stringify({ ...claims, preferred_username: 'nobody' });
  const unsigned = `${head}.${Buffer.from(nobody).toString('base64url')}`;
  return `${unsigned}.${createHmac('sha256', SECRET).update(unsigned).digest('base64url')}`;
}

export interface AssignedWish {
  readonly learners?: readonly number[];
  readonly balance?: number;
  readonly limit?: number;
  /** Another policy on the same subsidy, with the same course. */
  readonly like?: {
    readonly customer: string;
    readonly subsidy: string;
    readonly course: string;
    readonly run: string;
  };
}

/** A new customer with an assigned policy, its configuration, and a course with one run. */
export async function assignedBudget(world: World, wish: AssignedWish = {}) {
  const { balance = 10 * PRICE, limit = 10 * PRICE, learners = [], like } = wish;
  const customer = like?.customer ?? newCustomer(world, learners);
  const subsidy = like?.subsidy ?? (await newSubsidy(world, { customer, balance }));
  const run = like?.run ?? newCourse(world);
  const course = like?.course ?? `edX+${run.split('+')[1]}`;
  world.world.contents.set(course, contentWith({ contentKey: course, courseRunKey: run }));
  const configuration = randomUUID();
  const created = new Date('2026-06-01T12:00:00Z');
  await world.db('assignment_configurations').insert({
    uuid: configuration,
    enterprise_customer_uuid: customer,
    active: true,
    created,
    modified: created,
  });
  const policy = await newPolicy(world, { customer, subsidy, spendLimit: limit });
  await world.db('policies').where({ uuid: policy }).update({
    policy_type: 'AssignedLearnerCreditAccessPolicy',
    access_method: 'assigned',
    assignment_configuration_uuid: configuration,
  });
  return { customer, subsidy, policy, configuration, course, run };
}

/** Allocates the budget's course as an administrator of its customer. */
export const allocateTo = (
  world: World,
  budget: { readonly customer: string; readonly policy: string; readonly course: string },
  emails: readonly string[],
  change: object = {},
  token = tokenFor('enterprise_admin', budget.customer, 7),
) =>
  world.call('POST', `/api/v1/policy-allocation/${budget.policy}/allocate/`, token, {
    learner_emails: emails,
    content_key: budget.course,
    content_price_cents: PRICE,
    ...change,
  });
