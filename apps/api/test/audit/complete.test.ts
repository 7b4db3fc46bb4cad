import { randomUUID } from 'node:crypto';
import { defineWorkflow, operations } from '@enterprise-access/domain';
import { contentWith } from '@enterprise-access/domain/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { buyerToken, customerOf, newBuyer, purchase, reserve, YEARLY } from '../billing/support.ts';
import { planCases } from '../licenses/plan-cases.ts';
import { seatCases } from '../licenses/seat-cases.ts';
import { provisioningCases } from '../provisioning/cases.ts';
import { requestCases } from '../requests/cases.ts';
import { type Input, viaRest, viaTrpc, type World } from '../support/examples.ts';
import {
  allocateTo,
  assignedBudget,
  newBudget,
  newCourse,
  newSubsidy,
  operationNamed,
  PRICE,
  redeemAs,
} from '../support/fixtures.ts';
import { demonstration, dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { disagreements, storedRows } from '../support/trail.ts';

/** A call that succeeds and changes something. */
interface Case {
  readonly input: Input;
  /** Null where there is none yet. */
  readonly customer: string | null;
  /** The operator unless given. */
  readonly token?: string;
  /** What it changes; nothing when it only asks for messages to be sent. */
  readonly changes: readonly string[];
  /** How the operations begin of a workflow that the call carries on at once; its steps have entries of their own. */
  readonly follows?: string;
}

const PROVIDER = 'salesforce_opportunity_line_item';
const LEARNER = 1_501;
const adminOf = (customer: string): string => tokenFor('enterprise_admin', customer, 8);
const learnerOf = (customer: string): string =>
  tokenFor('enterprise_learner', customer, LEARNER, { email: `learner-${LEARNER}@test.example` });

/** A configuration with one assignment, of a learner who has an account. */
async function assigned(world: World) {
  const budget = await assignedBudget(world, { learners: [LEARNER] });
  const made = await allocateTo(world, budget, [`learner-${LEARNER}@test.example`]);
  expect(made.status, JSON.stringify(made.body)).toBe(202);
  const [{ uuid }] = await world.db('assignments').where({ assignment_configuration_uuid: budget.configuration });
  const of = { assignmentConfigurationUuid: budget.configuration };
  const { customer } = budget;
  return {
    ...budget,
    of,
    one: { ...of, assignmentUuids: [uuid] },
    assignment: uuid,
    customer,
    token: adminOf(customer),
  };
}

async function spent(world: World) {
  const budget = await newBudget(world);
  const redeemed = await redeemAs(world, budget.policy, budget.customer, 1);
  expect(redeemed.status, JSON.stringify(redeemed.body)).toBe(200);
  return { ...budget, transaction: redeemed.body.uuid };
}

const subsidyInput = (customer: string): Input => ({
  referenceId: randomUUID(),
  defaultTitle: 'Credit',
  defaultEnterpriseCustomerUuid: customer,
  defaultActiveDatetime: new Date('2026-01-01T00:00:00Z'),
  defaultExpirationDatetime: new Date('2027-01-01T00:00:00Z'),
  defaultUnit: 'usd_cents',
  defaultStartingBalance: 100,
  defaultRevenueCategory: 'bulk-enrollment-prepay',
  defaultInternalOnly: false,
});

const spend = async (world: World, name: string): Promise<Case> => {
  const { customer, subsidy, policy } = await newBudget(world);
  const input = { [name]: subsidy, lmsUserId: 1, contentKey: newCourse(world), subsidyAccessPolicyUuid: policy };
  return { input, customer, changes: ['ledger_transaction', 'redemption'] };
};

const errand = defineWorkflow({ kind: 'test.errand', version: 1, title: 'An errand', input: z.object({}) })
  .own('go', { title: 'Go', output: z.object({}), commit: async () => ({}) })
  .own('come', { title: 'Come', output: z.object({}), commit: async () => ({}) });

/** A workflow with two steps, which stands at the first one. */
async function workflow(world: World, status: 'failed' | 'succeeded', more: Input = {}): Promise<Case> {
  const [uuid, customer] = [randomUUID(), randomUUID()];
  const now = new Date();
  await world.db('workflows').insert({
    uuid,
    enterprise_customer_uuid: customer,
    kind: 'test.errand',
    version: 1,
    idempotency_key: uuid,
    status,
    input: JSON.stringify({ json: {} }),
    position: 0,
    correlation_id: uuid,
    created: now,
    modified: now,
  });
  return { input: { uuid, reason: 'It rained.', ...more }, customer, changes: ['workflow'] };
}

/** For each mutation a call of it, on things of its own. */
const cases: Readonly<Record<string, (world: World) => Promise<Case>>> = {
  ...planCases,
  ...provisioningCases,
  ...requestCases,
  ...seatCases,
  async 'assignments.acknowledge'(world) {
    const { of, one, customer, configuration, assignment, token } = await assigned(world);
    const path = `/api/v1/assignment-configurations/${configuration}/`;
    expect((await world.call('GET', `${path}assignments/`, learnerOf(customer))).body.count).toBe(1);
    expect((await viaTrpc(world, operationNamed('assignments.cancel'), one, token)).status).toBe(200);
    const input = { ...of, assignmentUuids: [assignment] };
    return { input, customer, token: learnerOf(customer), changes: ['assignment'] };
  },
  async 'assignments.cancel'(world) {
    const { one, customer, token } = await assigned(world);
    return { input: one, customer, token, changes: ['assignment'] };
  },
  async 'assignments.cancelAll'(world) {
    const { of, customer, token } = await assigned(world);
    return { input: of, customer, token, changes: ['assignment'] };
  },
  async 'assignments.createConfiguration'(world) {
    const { customer } = await newBudget(world);
    return { input: { enterpriseCustomerUuid: customer }, customer, changes: ['assignment_configuration'] };
  },
  async 'assignments.deactivateConfiguration'(world) {
    const { configuration, customer } = await assignedBudget(world);
    return { input: { uuid: configuration }, customer, changes: ['assignment_configuration'] };
  },
  async 'assignments.nudge'(world) {
    const { one, customer, token, configuration, course, run, policy } = await assigned(world);
    const path = `/api/v1/assignment-configurations/${configuration}/`;
    expect((await world.call('GET', `${path}assignments/`, learnerOf(customer))).body.count).toBe(1);
    expect((await redeemAs(world, policy, customer, LEARNER, run)).status).toBe(200);
    const day = new Date(world.world.now.getTime() + 30 * 86_400_000);
    const { details } = contentWith({});
    const courseType = 'executive-education-2u';
    for (const key of [course, run])
      world.world.contents.set(
        key,
        contentWith({ contentKey: course, details: { ...details, courseType, startDate: day } }),
      );
    return { input: { ...one, daysBeforeCourseStartDate: 30 }, customer, token, changes: [] };
  },
  async 'assignments.remind'(world) {
    const { one, customer, token } = await assigned(world);
    return { input: one, customer, token, changes: ['assignment'] };
  },
  async 'assignments.remindAll'(world) {
    const { of, customer, token } = await assigned(world);
    return { input: of, customer, token, changes: ['assignment'] };
  },
  async 'assignments.updateConfiguration'(world) {
    const { configuration, customer } = await assignedBudget(world);
    return { input: { uuid: configuration, active: false }, customer, changes: ['assignment_configuration'] };
  },
  async 'audit.export'(world) {
    const { customer } = await newBudget(world);
    return {
      input: { enterpriseCustomerUuid: customer },
      customer,
      token: adminOf(customer),
      changes: ['audit_export'],
    };
  },
  async 'billing.addPaymentMethod'(world) {
    const { customer } = await customerOf(world);
    const { id } = world.world.stripe.state.stripeLife.newMethod();
    const input = { enterpriseCustomerUuid: customer, paymentMethodId: id };
    return { input, customer, token: adminOf(customer), changes: ['checkout_intent'] };
  },
  async 'billing.cancelSubscription'(world) {
    const { customer } = await customerOf(world);
    const changes = ['stripe_subscription', 'subscription_renewal'];
    return { input: { enterpriseCustomerUuid: customer }, customer, token: adminOf(customer), changes };
  },
  async 'billing.createCheckoutIntent'() {
    const buyer = newBuyer();
    const input = { quantity: 7, enterpriseSlug: `slug-${buyer}`, enterpriseName: `Company ${buyer}` };
    return { input, customer: null, token: buyerToken(buyer), changes: ['checkout_intent'] };
  },
  async 'billing.createCheckoutSession'() {
    const buyer = newBuyer();
    const input = {
      adminEmail: `learner-${buyer}@demo.example`,
      enterpriseSlug: `slug-${buyer}`,
      companyName: `Company ${buyer}`,
      quantity: 7,
      stripePriceId: YEARLY,
    };
    return { input, customer: null, token: buyerToken(buyer), changes: ['checkout_intent'] };
  },
  async 'billing.deletePaymentMethod'(world) {
    const { customer, subscription } = await customerOf(world);
    const { id } = world.world.stripe.state.stripeLife.newMethod({}, subscription.customer);
    const input = { enterpriseCustomerUuid: customer, paymentMethod: id };
    return { input, customer, token: adminOf(customer), changes: ['checkout_intent'] };
  },
  async 'billing.reinstateSubscription'(world) {
    const {
      input,
      customer,
      token = '',
      changes,
    } = await (cases['billing.cancelSubscription']?.(world) ?? expect.unreachable());
    expect((await viaTrpc(world, operationNamed('billing.cancelSubscription'), input, token)).status).toBe(200);
    return { input, customer, token, changes };
  },
  async 'billing.replayStripeEvents'(world) {
    const { subscription } = await purchase(world);
    const eventId = `evt_${randomUUID()}`;
    const row = await world.db('stripe_events').where({ subscription_id: subscription.id }).first();
    await world.db('stripe_events').insert({
      ...row,
      data: typeof row.data === 'string' ? row.data : JSON.stringify(row.data),
      event_id: eventId,
      handled_at: null,
      outcome: null,
    });
    return { input: { eventIds: [eventId] }, customer: null, changes: [] };
  },
  async 'billing.setDefaultPaymentMethod'(world) {
    const { customer, subscription } = await customerOf(world);
    const { id } = world.world.stripe.state.stripeLife.newMethod({}, subscription.customer);
    const input = { enterpriseCustomerUuid: customer, paymentMethod: id };
    return { input, customer, token: adminOf(customer), changes: ['checkout_intent'] };
  },
  async 'billing.updateBillingAddress'(world) {
    const { customer } = await customerOf(world);
    const input = {
      enterpriseCustomerUuid: customer,
      name: 'Acme',
      email: 'invoices@acme.example',
      country: 'US',
      addressLine_1: '1 Main Street',
      city: 'Cambridge',
      state: 'MA',
      postalCode: '02139',
    };
    return { input, customer, token: adminOf(customer), changes: ['checkout_intent'] };
  },
  async 'billing.updateCheckoutIntent'(world) {
    const buyer = newBuyer();
    const made = await reserve(world, buyer, { quantity: 7 });
    const input = { intent: String(made.body.id), country: 'JP' };
    return { input, customer: null, token: buyerToken(buyer), changes: ['checkout_intent'] };
  },
  async 'groups.addAssociation'(world) {
    const { policy, customer } = await newBudget(world);
    const groupUuid = randomUUID();
    world.world.groups.set(groupUuid, { customerUuid: customer, invitations: new Map() });
    return { input: { uuid: policy, groupUuid }, customer, changes: ['policy_group'] };
  },
  async 'groups.removeAssociations'(world) {
    const groupUuid = randomUUID();
    const { customer } = await newBudget(world, { groups: [groupUuid] });
    return { input: { enterpriseUuid: customer, groupUuid }, customer, changes: ['policy_group'] };
  },
  async 'ledger.createDeposit'(world) {
    const { subsidy, customer } = await newBudget(world);
    const reference = { salesContractReferenceId: '00k1', salesContractReferenceProvider: PROVIDER };
    return {
      input: { uuid: subsidy, desiredDepositQuantity: 5_000, ...reference },
      customer,
      changes: ['ledger_transaction'],
    };
  },
  async 'ledger.createSubsidy'() {
    const customer = randomUUID();
    return { input: subsidyInput(customer), customer, changes: ['ledger_transaction', 'subsidy'] };
  },
  'ledger.createTransaction': (world) => spend(world, 'uuid'),
  'ledger.createTransactionV1': (world) => spend(world, 'subsidyUuid'),
  async 'ledger.deleteSubsidy'(world) {
    const customer = randomUUID();
    const uuid = await newSubsidy(world, { customer, balance: 0 });
    return { input: { uuid }, customer, changes: ['subsidy'] };
  },
  async 'ledger.reverse'(world) {
    const { subsidy, customer, transaction } = await spent(world);
    const changes = ['ledger_transaction', 'redemption'];
    return { input: { uuid: subsidy, transactionUuid: transaction }, customer, changes };
  },
  async 'ledger.updateSubsidy'(world) {
    const { subsidy, customer } = await newBudget(world);
    return { input: { uuid: subsidy, title: 'Another title' }, customer, changes: ['subsidy'] };
  },
  async 'policies.allocate'(world) {
    const { policy, customer, course } = await assignedBudget(world);
    const terms = { contentKey: course, contentPriceCents: PRICE };
    const input = { policyUuid: policy, learnerEmails: ['a@test.example', 'b@test.example'], ...terms };
    return { input, customer, token: adminOf(customer), changes: ['assignment'] };
  },
  async 'policies.allocateInBulk'(world) {
    const { policy, customer, course } = await assignedBudget(world);
    const terms = { contentKey: course, contentPriceCents: PRICE };
    const input = { policyUuid: policy, learnerEmails: ['a@test.example'], ...terms };
    return { input, customer, token: adminOf(customer), changes: ['allocation_batch'] };
  },
  async 'policies.create'(world) {
    const { customer, subsidy } = await newBudget(world);
    const catalogUuid = randomUUID();
    world.world.catalogs.set(catalogUuid, customer);
    const input = {
      policyType: 'PerLearnerSpendCreditAccessPolicy',
      subsidyUuid: subsidy,
      accessMethod: 'direct',
      catalogUuid,
    };
    return { input: { ...input, enterpriseCustomerUuid: customer }, customer, changes: ['policy'] };
  },
  async 'policies.deactivate'(world) {
    const { policy, customer } = await newBudget(world);
    return { input: { uuid: policy, reason: 'no longer needed' }, customer, changes: ['policy'] };
  },
  async 'policies.deposit'(world) {
    const { policy, customer } = await newBudget(world, { spendLimit: 1_000 });
    const input = { uuid: policy, quantityCents: 100, salesContractReferenceId: '00kDEMO0000000009A' };
    return { input, customer, changes: ['ledger_transaction', 'policy', 'policy_deposit'] };
  },
  async 'policies.resumeBulk'(world) {
    const { input, customer, token } = await (cases['policies.allocateInBulk']?.(world) ?? expect.unreachable());
    const made = await viaTrpc(world, operationNamed('policies.allocateInBulk'), input, token ?? null);
    const { uuid } = made.data as { uuid: string };
    const outcomes = JSON.stringify(['policy_spend_limit_reached']);
    await world.db('allocation_chunks').where({ batch_uuid: uuid }).update({ outcomes, finished: new Date() });
    const again = { input: { policyUuid: input.policyUuid, uuid }, customer, changes: ['allocation_batch'] };
    return token === undefined ? again : { ...again, token };
  },
  async 'policies.setLateRedemption'(world) {
    const { policy, customer } = await newBudget(world);
    return { input: { uuid: policy, days: 3 }, customer, changes: ['policy'] };
  },
  async 'policies.update'(world) {
    const { policy, customer } = await newBudget(world);
    return { input: { uuid: policy, displayName: 'Another name' }, customer, changes: ['policy'] };
  },
  async 'redemptions.force'(world) {
    const { policy, customer } = await newBudget(world);
    const input = { policyUuid: policy, lmsUserId: 1, contentKey: newCourse(world), contentPriceCents: PRICE };
    return { input, customer, changes: ['forced_redemption', 'ledger_transaction', 'redemption'] };
  },
  async 'redemptions.redeem'(world) {
    const { policy, customer } = await newBudget(world);
    const token = tokenFor('enterprise_learner', customer, 1);
    const input = { policyUuid: policy, lmsUserId: 1, contentKey: newCourse(world) };
    return { input, customer, token, changes: ['ledger_transaction', 'redemption'] };
  },
  'workflows.cancel': (world) => workflow(world, 'failed'),
  'workflows.fork': (world) => workflow(world, 'succeeded', { step: 'go' }),
  'workflows.resume': (world) => workflow(world, 'failed'),
  'workflows.skip': (world) => workflow(world, 'failed', { step: 'go', output: {} }),
};

const mutations = operations.filter(({ contract }) => contract.kind === 'mutation');

test('every mutation has its case', () => {
  expect(Object.keys(cases).toSorted()).toEqual(mutations.map(({ id }) => id).toSorted());
});

describe.each(dialects)('the trail on %s', (dialect) => {
  let world: World;
  /** Rows that were not made by the calls that are looked at. */
  let rows: ReadonlySet<string> = new Set();
  beforeAll(async () => {
    world = await startApp(dialect);
    const { workflowOf } = world.runtime;
    Object.assign(world.runtime, {
      workflowOf: (kind: string, version: number) => (kind === 'test.errand' ? errand : workflowOf(kind, version)),
    });
  });
  afterAll(() => world.stop());

  const entriesSince = async (uuids: ReadonlySet<string>) =>
    (await world.db('audit_entries').select('*')).filter(({ uuid }) => !uuids.has(uuid));
  const known = async (): Promise<ReadonlySet<string>> => new Set(await world.db('audit_entries').pluck('uuid'));

  describe.each(mutations.map((operation) => [operation.id, operation] as const))('%s', (id, operation) => {
    test.each([
      ['rest', viaRest],
      ['trpc', viaTrpc],
    ] as const)('leaves one entry when it comes by %s, and none when it is refused', async (source, via) => {
      // Work that the call of another case asked for: cases of purchases do all that waits.
      await world.db('outbox').delete();
      const of = await (cases[id] ?? expect.unreachable())(world);
      const { input, customer, token = operatorToken(), changes, follows } = of;
      rows = rows.union(await storedRows(world.db));
      const before = await known();
      const correlation = randomUUID();
      // Somebody without the right, and input that nobody takes.
      const { permission } = operation.contract;
      const stranger = tokenFor('enterprise_learner', demonstration.otherCustomer, 1);
      const byStranger = permission.open === undefined ? [via(world, operation, input, stranger)] : [];
      const { field } = operation.contract.context;
      for (const refused of [...byStranger, via(world, operation, { [field]: 'none' }, token)])
        expect((await refused).status).toBeGreaterThanOrEqual(400);
      expect(await entriesSince(before)).toEqual([]);

      const reply = await via(world, operation, input, token, { 'x-correlation-id': correlation });
      expect(reply.status, JSON.stringify('body' in reply ? reply.body : reply.error)).toBeLessThan(300);
      const all = await entriesSince(before);
      const isOfStep = ({ operation: name }: { operation: string }) =>
        follows !== undefined && name.startsWith(follows);
      expect(all.some(isOfStep)).toBe(follows !== undefined);
      for (const entry of all) expect(entry.correlation_id).toBe(correlation);
      const entries = all.filter((entry) => !isOfStep(entry));
      expect(entries).toEqual([
        expect.objectContaining({
          operation: id,
          source,
          enterprise_customer_uuid: customer,
          correlation_id: correlation,
          reason: input.reason ?? input.changeReason ?? null,
          request_id: expect.any(String),
          actor_user_id: expect.anything(),
        }),
      ]);
      const [entry] = entries;
      expect([...permission.roles, permission.open]).toContain(entry.actor_role);
      const user = await world.db('users').where({ id: entry.actor_user_id }).first('lms_user_id');
      const { user_id: caller } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
      expect(user.lms_user_id).toBe(caller);
      const recorded = await world.db('audit_changes').where({ entry_uuid: entry.uuid }).orderBy('position');
      expect([...new Set(recorded.map(({ subject_kind: kind }) => kind))].toSorted()).toEqual(changes);
      for (const change of recorded) {
        expect(change.enterprise_customer_uuid).toBe(customer);
        if (change.action === 'created') expect(change.before_values).toBeNull();
        else if (change.note === null) expect(change.before_values, change.subject_kind).not.toBeNull();
        if (change.action === 'deleted') expect(change.after_values).toBeNull();
      }
      expect(await disagreements(world.db, rows)).toEqual([]);
    });
  });
});
