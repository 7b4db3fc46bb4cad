import { expect } from 'vitest';
import type { Input, World } from '../support/examples.ts';
import { PRICE } from '../support/fixtures.ts';
import { learnerRequests, requestBudget } from './requests.ts';

interface Case {
  readonly input: Input;
  readonly customer: string;
  readonly token: string;
  readonly changes: readonly string[];
}

const LEARNER = 1_503;
const APPROVED = ['assignment', 'learner_credit_request'];
const REQUEST = ['learner_credit_request'];

/** One request to a budget of its own. */
async function requested(world: World) {
  const { admin, ask, approve } = learnerRequests(() => world);
  const budget = await requestBudget(world, { learners: [LEARNER] });
  const made = await ask(budget, LEARNER);
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  const { customer, policy } = budget;
  const uuid: string = made.body.uuid;
  const of = { enterpriseCustomerUuid: customer };
  const toBudget = { ...of, policyUuid: policy };
  return {
    uuid,
    of,
    toBudget,
    caller: { customer, token: admin(budget) },
    accept: () => approve(budget, [uuid]),
  };
}

async function approved(world: World) {
  const made = await requested(world);
  const reply = await made.accept();
  expect(reply.status, JSON.stringify(reply.body)).toBe(200);
  return made;
}

/** For each mutation of requests a call of it, on a budget of its own. */
export const requestCases: Readonly<Record<string, (world: World) => Promise<Case>>> = {
  async 'learnerCreditRequests.approve'(world) {
    const { uuid, toBudget, caller } = await requested(world);
    return { ...caller, input: { ...toBudget, learnerCreditRequestUuids: [uuid] }, changes: APPROVED };
  },
  async 'learnerCreditRequests.approveAll'(world) {
    const { toBudget, caller } = await requested(world);
    return { ...caller, input: toBudget, changes: APPROVED };
  },
  async 'learnerCreditRequests.bulkCancel'(world) {
    const { uuid, of, caller } = await approved(world);
    return { ...caller, input: { ...of, learnerCreditRequestUuids: [uuid] }, changes: APPROVED };
  },
  async 'learnerCreditRequests.cancel'(world) {
    const { uuid, of, caller } = await approved(world);
    return { ...caller, input: { ...of, requestUuid: uuid }, changes: APPROVED };
  },
  async 'learnerCreditRequests.cancelAll'(world) {
    const { toBudget, caller } = await approved(world);
    return { ...caller, input: toBudget, changes: APPROVED };
  },
  async 'learnerCreditRequests.create'(world) {
    const budget = await requestBudget(world, { learners: [LEARNER] });
    const { customer, policy, course } = budget;
    const token = learnerRequests(() => world).learner(budget, LEARNER);
    const input = { enterpriseCustomerUuid: customer, policyUuid: policy, courseId: course, coursePrice: PRICE };
    return { input, customer, token, changes: ['learner_credit_request'] };
  },
  async 'learnerCreditRequests.decline'(world) {
    const { uuid, of, caller } = await requested(world);
    return { ...caller, input: { ...of, subsidyRequestUuids: [uuid] }, changes: REQUEST };
  },
  async 'learnerCreditRequests.declineAll'(world) {
    const { toBudget, caller } = await requested(world);
    return { ...caller, input: toBudget, changes: REQUEST };
  },
  async 'learnerCreditRequests.remind'(world) {
    const { uuid, of, caller } = await approved(world);
    return { ...caller, input: { ...of, learnerCreditRequestUuids: [uuid] }, changes: REQUEST };
  },
  async 'learnerCreditRequests.remindAll'(world) {
    const { toBudget, caller } = await approved(world);
    return { ...caller, input: toBudget, changes: REQUEST };
  },
  async 'requestConfigurations.create'(world) {
    const budget = await requestBudget(world);
    const { customer } = budget;
    const token = learnerRequests(() => world).admin(budget);
    return {
      input: { enterpriseCustomerUuid: customer },
      customer,
      token,
      changes: ['request_customer_configuration'],
    };
  },
  async 'requestConfigurations.update'(world) {
    const budget = await requestBudget(world);
    const { customer } = budget;
    const token = learnerRequests(() => world).admin(budget);
    const made = await world.call('POST', '/api/v1/customer-configurations/', token, {
      enterprise_customer_uuid: customer,
    });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const input = { enterpriseCustomerUuid: customer, subsidyType: 'license' };
    return { input, customer, token, changes: ['request_customer_configuration'] };
  },
};
