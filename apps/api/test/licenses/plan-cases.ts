import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Input, World } from '../support/examples.ts';
import { newCourse } from '../support/fixtures.ts';
import { demonstration, tokenFor } from '../support/harness.ts';
import { licenseRow, NOW, newAgreement, newPlan } from './lifecycle-plans.ts';
import { provisioner, provisioningOf, RENEWALS } from './provisioning.ts';
import { customerWithPlan, emailOf, free, held } from './seats-world.ts';

interface Case {
  readonly input: Input;
  /** Null for things that belong to no customer, and for work that is only asked for. */
  readonly customer: string | null;
  readonly token: string;
  readonly changes: readonly string[];
}

const DAY_MS = 86_400_000;

async function ofAgreement(world: World, change: Input): Promise<Case> {
  const { uuid, customer } = await provisioningOf(() => world).agreement();
  return { input: { uuid, ...change }, customer, token: provisioner(), changes: ['customer_agreement'] };
}

/** A plan that was made by the API, with five licences. */
async function provisioned(world: World, change: object = {}) {
  const { products, agreement, plan } = provisioningOf(() => world);
  const { free: product } = await products();
  const { uuid: agreementUuid, customer } = await agreement();
  const uuid = await plan(agreementUuid, product, change);
  return { uuid, customer, agreementUuid, product, token: provisioner() };
}

const draftOf = (prior: string): Input => ({
  priorSubscriptionPlan: prior,
  salesforceOpportunityId: null,
  numberOfLicenses: 10,
  effectiveDate: new Date(NOW.getTime() + DAY_MS / 3),
  renewedExpirationDate: new Date(NOW.getTime() + 365 * DAY_MS),
});

/** A renewal that can be processed. */
async function renewal(world: World) {
  world.world.now = NOW;
  const { uuid, customer, token } = await provisioned(world);
  const draft = draftOf(uuid);
  const made = await provisioningOf(() => world).call('POST', RENEWALS, {
    prior_subscription_plan: uuid,
    salesforce_opportunity_id: null,
    number_of_licenses: draft.numberOfLicenses,
    effective_date: draft.effectiveDate,
    renewed_expiration_date: draft.renewedExpirationDate,
  });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return { id: made.body.id as number, customer, token, changes: ['subscription_plan_renewal'] };
}

/** For each mutation of agreements, plans, products and renewals a call of it, on things of its own. */
export const planCases: Readonly<Record<string, (world: World) => Promise<Case>>> = {
  'agreements.configure': (world) => ofAgreement(world, { daysBeforePurge: 30 }),
  async 'agreements.create'(world) {
    const [customer, catalog] = [randomUUID(), randomUUID()];
    world.world.catalogs.set(catalog, customer);
    const input = { enterpriseCustomerUuid: customer, defaultEnterpriseCatalogUuid: catalog };
    return { input, customer, token: provisioner(), changes: ['customer_agreement'] };
  },
  async 'agreements.setAutoAppliedPlan'(world) {
    const { uuid, customer, agreementUuid, token } = await provisioned(world);
    return { input: { uuid: agreementUuid, subscriptionPlan: uuid }, customer, token, changes: ['subscription_plan'] };
  },
  'agreements.update': (world) => ofAgreement(world, { disableOnboardingNotifications: true }),
  async 'bulkEnrollment.enroll'(world) {
    const { agreement, admin } = await customerWithPlan(world, [held('activated', 1)]);
    const { customer } = agreement;
    const wish = { emails: [emailOf(1)], courseRunKeys: [newCourse(world)], notify: false };
    return {
      input: { enterpriseCustomerUuid: customer, ...wish },
      customer,
      token: admin,
      changes: ['bulk_enrollment'],
    };
  },
  async 'plans.create'(world) {
    const { products, agreement } = provisioningOf(() => world);
    const { free: product } = await products();
    const { uuid: customerAgreement, customer } = await agreement();
    const input = {
      title: `Plan ${randomUUID()}`,
      startDate: new Date(NOW.getTime() - DAY_MS),
      expirationDate: new Date(NOW.getTime() + 100 * DAY_MS),
      customerAgreement,
      desiredNumLicenses: 2,
      changeReason: 'new',
      salesforceOpportunityLineItem: null,
      product,
    };
    // The free licences have no record each: the plan says how many there are.
    return { input, customer, token: provisioner(), changes: ['subscription_plan'] };
  },
  async 'plans.deleteRevoked'(world) {
    const { uuid, token } = await provisioned(world);
    return { input: { uuid, reason: 'tidy' }, customer: null, token, changes: [] };
  },
  async 'plans.freeze'(world) {
    const { uuid, customer, token } = await provisioned(world, { can_freeze_unused_licenses: true });
    return { input: { uuid, reason: 'contract' }, customer, token, changes: ['subscription_plan'] };
  },
  async 'plans.provision'(world) {
    const agreement = await newAgreement(world);
    const uuid = await newPlan(world, agreement, [], { desired_num_licenses: 3 });
    const { customer } = agreement;
    return { input: { uuid, reason: 'missing' }, customer, token: provisioner(), changes: ['subscription_plan'] };
  },
  async 'plans.revertLicenses'(world) {
    const { agreement, plan, post, rows } = await customerWithPlan(world, free(1));
    const [{ uuid: license }] = await rows();
    await sleep(5);
    const at = new Date();
    await sleep(5);
    const given = await post('assign', { user_emails: [emailOf(1)], notify_users: false });
    expect(given.status, JSON.stringify(given.body)).toBe(200);
    const input = { uuid: plan, licenses: [license], at, reason: 'by mistake' };
    return { input, customer: agreement.customer, token: provisioner(), changes: ['license'] };
  },
  async 'plans.update'(world) {
    const { uuid, customer, token } = await provisioned(world);
    const input = { uuid, title: 'Another title', changeReason: 'other' };
    return { input, customer, token, changes: ['subscription_plan'] };
  },
  async 'privacy.retireUser'(world) {
    const [lmsUserId, username] = [Math.floor(Math.random() * 1e6) + 1e6, randomUUID()];
    const email = `${username}@demo.example`;
    const agreement = await newAgreement(world);
    await newPlan(world, agreement, [licenseRow('activated', { lms_user_id: lmsUserId, user_email: email })]);
    await world.db('users').insert({ username, email, lms_user_id: lmsUserId, created: NOW, modified: NOW });
    Object.assign(world.runtime.settings, { retirementWorkerUsername: 'user-4242' });
    const token = tokenFor('enterprise_learner', demonstration.customer, 4_242);
    const input = { lmsUserId, originalUsername: username };
    return { input, customer: agreement.customer, token, changes: ['license'] };
  },
  async 'products.create'() {
    const input = { name: randomUUID(), planType: 4 };
    return { input, customer: null, token: provisioner(), changes: ['product'] };
  },
  async 'products.createPlanType'() {
    return { input: { label: randomUUID() }, customer: null, token: provisioner(), changes: [] };
  },
  async 'products.update'(world) {
    const { free: id } = await provisioningOf(() => world).products();
    const input = { id, description: 'Another description' };
    return { input, customer: null, token: provisioner(), changes: ['product'] };
  },
  async 'products.updatePlanType'(world) {
    const { call } = provisioningOf(() => world);
    const made = await call('POST', '/api/v1/provisioning-admins/plan-types/', { label: randomUUID() });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const input = { id: made.body.id, description: 'Another description' };
    return { input, customer: null, token: provisioner(), changes: [] };
  },
  async 'renewals.create'(world) {
    world.world.now = NOW;
    const { uuid, customer, token } = await provisioned(world);
    return { input: draftOf(uuid), customer, token, changes: ['subscription_plan_renewal'] };
  },
  async 'renewals.process'(world) {
    const { id, customer, token } = await renewal(world);
    return { input: { id }, customer, token, changes: ['subscription_plan', 'subscription_plan_renewal'] };
  },
  async 'renewals.remove'(world) {
    const { id, ...made } = await renewal(world);
    return { ...made, input: { id } };
  },
  async 'renewals.update'(world) {
    const { id, ...made } = await renewal(world);
    return { ...made, input: { id, numberOfLicenses: 12 } };
  },
};
