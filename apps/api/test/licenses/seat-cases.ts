import type { Input, World } from '../support/examples.ts';
import { licenseRow, NOW } from './lifecycle-plans.ts';
import { customerWithPlan, emailOf, free, held } from './seats-world.ts';

interface Case {
  readonly input: Input;
  readonly customer: string;
  readonly token: string;
  readonly changes: readonly string[];
}

const LEARNER = 1_502;

async function setting(world: World, licenses: Parameters<typeof customerWithPlan>[1], plan = {}) {
  world.world.now = NOW;
  const made = await customerWithPlan(world, licenses, { plan });
  return { ...made, customer: made.agreement.customer, ofPlan: { planUuid: made.plan } };
}

/** For each mutation of licences that people make a call of it, on a plan of its own. */
export const seatCases: Readonly<Record<string, (world: World) => Promise<Case>>> = {
  async 'agreements.autoApply'(world) {
    const { agreement, customer, learner } = await setting(world, free(1), { should_auto_apply_licenses: true });
    return { input: { uuid: agreement.uuid }, customer, token: learner(LEARNER), changes: ['license'] };
  },
  async 'licenses.activate'(world) {
    const license = held('assigned', LEARNER);
    const { customer, learner } = await setting(world, [license]);
    return {
      input: { activationKey: license.activation_key },
      customer,
      token: learner(LEARNER),
      changes: ['license'],
    };
  },
  async 'licenses.assign'(world) {
    const { customer, ofPlan, admin } = await setting(world, free(2));
    return { input: { ...ofPlan, userEmails: [emailOf(1)] }, customer, token: admin, changes: ['license'] };
  },
  async 'licenses.bulkRevoke'(world) {
    const { customer, ofPlan, admin } = await setting(world, [held('activated', 1)]);
    const input = { ...ofPlan, userEmails: [emailOf(1)] };
    return { input, customer, token: admin, changes: ['license', 'subscription_plan'] };
  },
  async 'licenses.followAddress'(world) {
    const license = licenseRow('activated', { user_email: 'old@demo.example', lms_user_id: LEARNER });
    const { customer, learner } = await setting(world, [license]);
    return { input: { enterpriseCustomerUuid: customer }, customer, token: learner(LEARNER), changes: ['license'] };
  },
  async 'licenses.remind'(world) {
    const { customer, ofPlan, admin } = await setting(world, [held('assigned', 1)]);
    return { input: { ...ofPlan, userEmails: [emailOf(1)] }, customer, token: admin, changes: [] };
  },
  async 'licenses.remindAll'(world) {
    const { customer, ofPlan, admin } = await setting(world, [held('assigned', 1)]);
    return { input: ofPlan, customer, token: admin, changes: [] };
  },
  async 'licenses.revokeAll'(world) {
    const { customer, ofPlan, admin } = await setting(world, [held('assigned', 1)]);
    return { input: ofPlan, customer, token: admin, changes: [] };
  },
  async 'plans.setPriority'(world) {
    const { customer, plan, admin } = await setting(world, []);
    return { input: { uuid: plan, priority: 3 }, customer, token: admin, changes: ['subscription_plan'] };
  },
};
