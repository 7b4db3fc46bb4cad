import { randomUUID } from 'node:crypto';
import { contentWith } from '@enterprise-access/domain/testing';
import type { World } from '../support/examples.ts';
import { newCourse, newCustomer, newPolicy, newSubsidy, PRICE } from '../support/fixtures.ts';
import { tokenFor } from '../support/harness.ts';

export interface RequestWish {
  readonly learners?: readonly number[];
  readonly balance?: number;
  readonly limit?: number;
}

/** A new customer with a budget that takes requests, and a course with one run. */
export async function requestBudget(world: World, wish: RequestWish = {}) {
  const { balance = 100 * PRICE, limit = 100 * PRICE, learners = [] } = wish;
  const customer = newCustomer(world, learners, { admins: [{ email: 'Boss@Test.example', lmsUserId: 7 }] });
  const subsidy = await newSubsidy(world, { customer, balance });
  const run = newCourse(world);
  const course = `edX+${run.split('+')[1]}`;
  world.world.contents.set(course, contentWith({ contentKey: course, courseRunKey: run }));
  const configuration = randomUUID();
  const created = new Date('2026-06-01T12:00:00Z');
  await world
    .db('assignment_configurations')
    .insert({ uuid: configuration, enterprise_customer_uuid: customer, active: true, created, modified: created });
  const policy = await newPolicy(world, { customer, subsidy, spendLimit: limit, learnerSpendLimit: 0 });
  await world
    .db('policies')
    .where({ uuid: policy })
    .update({ assignment_configuration_uuid: configuration, learner_credit_request_config_uuid: randomUUID() });
  return { customer, subsidy, policy, configuration, course, run };
}
export type RequestBudget = Awaited<ReturnType<typeof requestBudget>>;

export const REQUESTS = '/api/v1/learner-credit-requests/';

/** What tests of requests ask and look up, over and over. */
export const learnerRequests = (world: () => World) => {
  const admin = ({ customer }: Pick<RequestBudget, 'customer'>) => tokenFor('enterprise_admin', customer, 7);
  const learner = ({ customer }: Pick<RequestBudget, 'customer'>, id: number) =>
    tokenFor('enterprise_learner', customer, id, { email: `learner-${id}@test.example` });
  const ask = (budget: RequestBudget, id: number, change: object = {}) =>
    world().call('POST', REQUESTS, learner(budget, id), {
      enterprise_customer_uuid: budget.customer,
      policy_uuid: budget.policy,
      course_id: budget.course,
      course_price: PRICE,
      ...change,
    });
  const post = (budget: RequestBudget, action: string, body: object, token = admin(budget)) =>
    world().call('POST', `${REQUESTS}${action}/`, token, { enterprise_customer_uuid: budget.customer, ...body });
  const approve = (budget: RequestBudget, uuids: readonly string[], token = admin(budget)) =>
    post(budget, 'approve', { policy_uuid: budget.policy, learner_credit_request_uuids: uuids }, token);
  const list = (budget: RequestBudget, query = '') =>
    world().call('GET', `${REQUESTS}?enterprise_customer_uuid=${budget.customer}${query}`, admin(budget));
  const row = (uuid: string) => world().db('learner_credit_requests').where({ uuid }).first();
  const actions = async (uuid: string): Promise<string[]> =>
    (
      await world()
        .db('learner_credit_request_actions')
        .where({ learner_credit_request_uuid: uuid })
        .orderBy(['created', 'uuid'])
    ).map(({ recent_action, status, error_reason }) => [recent_action, status, error_reason].filter(Boolean).join('/'));
  const held = async (policy: string): Promise<number> =>
    (await world().db('policies').where({ uuid: policy }).first('allocated_cents')).allocated_cents;
  return { admin, learner, ask, post, approve, list, row, actions, held };
};
