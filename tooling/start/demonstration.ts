import { type Database, systemOrigin, transaction, withOrigin } from '@enterprise-access/db';
import {
  campaigns,
  depositEntry,
  findUser,
  insertTransaction,
  insertUser,
  newUuid,
  seedBilling,
} from '@enterprise-access/domain';
import { demonstration } from '@enterprise-access/domain/demonstration';
import { SANDBOX_BRAZE_KEY, SANDBOX_STRIPE_KEY } from '@enterprise-access/platform';
import { WEBHOOK_SECRET } from '@enterprise-access/sandbox';
import { seedLicenses } from './demonstration-licenses.ts';

export { demonstration };

/** Variables that use the sandbox as mail service, with a campaign id for every mail. */
export const sandboxMail = (sandboxUrl: string): Readonly<Record<string, string>> => ({
  BRAZE_API_URL: `${sandboxUrl}/braze`,
  BRAZE_API_KEY: SANDBOX_BRAZE_KEY,
  ...Object.fromEntries(Object.keys(campaigns).map((name) => [name, name])),
});

/** Variables that use the sandbox as Stripe and as licence service. */
export const sandboxBilling = (sandboxUrl: string): Readonly<Record<string, string>> => ({
  STRIPE_API_KEY: SANDBOX_STRIPE_KEY,
  STRIPE_API_URL: sandboxUrl,
  STRIPE_WEBHOOK_ENDPOINT_SECRET: WEBHOOK_SECRET,
  LICENSE_MANAGER_URL: `${sandboxUrl}/license-manager`,
});

const STARTING_BALANCE_CENTS = 100_000_000;

interface SubsidySeed {
  readonly uuid: string;
  readonly title: string;
  readonly customer: string;
  readonly reference: string;
}

async function seedSubsidy(db: Database, seed: SubsidySeed): Promise<void> {
  const now = new Date();
  const ledgerUuid = newUuid();
  const key = `ledger-for-subsidy-${seed.uuid}`;
  await transaction(db, async (trx) => {
    const ledger = { ledgerUuid, enterpriseCustomerUuid: seed.customer };
    await trx('ledgers').insert({
      uuid: ledgerUuid,
      enterprise_customer_uuid: seed.customer,
      idempotency_key: key,
      unit: 'usd_cents',
      balance_cents: STARTING_BALANCE_CENTS,
      deposits_cents: STARTING_BALANCE_CENTS,
      created: now,
      modified: now,
    });
    await trx('subsidies').insert({
      uuid: seed.uuid,
      title: seed.title,
      starting_balance_cents: STARTING_BALANCE_CENTS,
      ledger_uuid: ledgerUuid,
      unit: 'usd_cents',
      reference_id: seed.reference,
      reference_type: 'salesforce_opportunity_line_item',
      enterprise_customer_uuid: seed.customer,
      revenue_category: 'bulk-enrollment-prepay',
      active_datetime: new Date('2020-01-01T00:00:00Z'),
      expiration_datetime: new Date('2099-12-31T23:59:59Z'),
      created: now,
      modified: now,
    });
    const uuid = newUuid();
    const idempotencyKey = `${key}-${STARTING_BALANCE_CENTS}-initial-deposit`;
    await insertTransaction(
      trx,
      ledger,
      depositEntry(uuid, { subsidyUuid: seed.uuid, quantityCents: STARTING_BALANCE_CENTS, idempotencyKey }, now),
    );
    await trx('ledger_deposits').insert({
      uuid: newUuid(),
      ledger_uuid: ledgerUuid,
      enterprise_customer_uuid: seed.customer,
      transaction_uuid: uuid,
      desired_deposit_quantity_cents: STARTING_BALANCE_CENTS,
      sales_contract_reference_id: seed.reference,
      provider_slug: 'salesforce_opportunity_line_item',
      created: now,
    });
  });
}

const common = {
  active: true,
  retired: false,
  learner_credit_request_config_uuid: null,
};

async function seedPolicies(db: Database): Promise<void> {
  const now = new Date();
  const own = {
    ...common,
    enterprise_customer_uuid: demonstration.customer,
    catalog_uuid: demonstration.catalog,
    subsidy_uuid: demonstration.subsidy,
    modified: now,
  };
  const configuration = demonstration.assignmentConfiguration;
  await db('assignment_configurations').insert({
    uuid: configuration,
    enterprise_customer_uuid: demonstration.customer,
    active: true,
    created: now,
    modified: now,
  });
  await db('policies').insert([
    {
      ...own,
      uuid: demonstration.assignedPolicy,
      policy_type: 'AssignedLearnerCreditAccessPolicy',
      access_method: 'assigned',
      display_name: 'Assigned courses',
      description: 'Administrators assign courses to learners.',
      spend_limit_cents: 10_000_000,
      assignment_configuration_uuid: configuration,
      created: new Date(now.getTime() - 2_000),
    },
    {
      ...own,
      uuid: demonstration.enrollmentPolicy,
      policy_type: 'PerLearnerEnrollmentCreditAccessPolicy',
      access_method: 'direct',
      display_name: 'Two courses each',
      description: 'Every learner may take two courses.',
      spend_limit_cents: 30_000_000,
      per_learner_enrollment_limit: 2,
      created: new Date(now.getTime() - 1_000),
    },
    {
      ...own,
      uuid: demonstration.spendPolicy,
      policy_type: 'PerLearnerSpendCreditAccessPolicy',
      access_method: 'direct',
      display_name: 'A thousand dollars each',
      description: 'Every learner may spend up to 1,000 dollars.',
      spend_limit_cents: 50_000_000,
      per_learner_spend_limit_cents: 100_000,
      created: now,
    },
    {
      ...common,
      uuid: demonstration.otherPolicy,
      enterprise_customer_uuid: demonstration.otherCustomer,
      catalog_uuid: demonstration.otherCatalog,
      subsidy_uuid: demonstration.otherSubsidy,
      policy_type: 'PerLearnerSpendCreditAccessPolicy',
      access_method: 'direct',
      display_name: 'Open budget',
      description: 'Everybody of the other company.',
      spend_limit_cents: 50_000_000,
      created: now,
      modified: now,
    },
  ]);
}

const REQUESTED_PRICE_CENTS = 14_900;

/** A budget that takes requests, and requests of learners above 1900 in several states. */
async function seedRequests(db: Database): Promise<void> {
  const now = new Date();
  const common = { enterprise_customer_uuid: demonstration.customer, created: now, modified: now };
  await db('assignment_configurations').insert({ ...common, uuid: demonstration.requestAssignments, active: true });
  await db('policies').insert({
    ...common,
    uuid: demonstration.requestPolicy,
    active: true,
    retired: false,
    policy_type: 'PerLearnerSpendCreditAccessPolicy',
    access_method: 'direct',
    display_name: 'Courses on request',
    description: 'Learners request courses, administrators decide.',
    catalog_uuid: demonstration.catalog,
    subsidy_uuid: demonstration.subsidy,
    spend_limit_cents: 5_000_000,
    per_learner_spend_limit_cents: 0,
    assignment_configuration_uuid: demonstration.requestAssignments,
    learner_credit_request_config_uuid: demonstration.requestConfiguration,
    created: new Date(now.getTime() - 3_000),
  });
  const seeds = [
    { uuid: demonstration.request, learner: 1901, state: 'requested' },
    { uuid: newUuid(), learner: 1902, state: 'declined' },
    { uuid: newUuid(), learner: 1903, state: 'cancelled' },
    { uuid: newUuid(), learner: 1904, state: 'expired' },
    { uuid: newUuid(), learner: 1905, state: 'reversed' },
  ] as const;
  for (const { uuid, learner, state } of seeds) {
    const username = `requester-${learner}`;
    const email = `learner-${learner}@demo.example`;
    await db('users').insert({
      username,
      email,
      full_name: null,
      lms_user_id: learner,
      is_staff: false,
      is_superuser: false,
      is_active: true,
      created: now,
      modified: now,
    });
    const { id } = await db('users').where({ username }).first('id');
    const action = newUuid();
    const isDecided = state !== 'requested';
    await db('learner_credit_requests').insert({
      ...common,
      uuid,
      policy_uuid: demonstration.requestPolicy,
      learner_credit_request_config_uuid: demonstration.requestConfiguration,
      user_id: id,
      lms_user_id: learner,
      user_email: email,
      course_id: 'edX+DemoX',
      course_title: 'Demonstration Course',
      course_price_cents: REQUESTED_PRICE_CENTS,
      state,
      reviewer_lms_user_id: isDecided ? 1 : null,
      reviewed_at: isDecided ? now : null,
      latest_action_uuid: action,
      latest_action_type: state,
      latest_action_status: state,
      latest_action_at: now,
    });
    await db('learner_credit_request_actions').insert({
      ...common,
      uuid: action,
      learner_credit_request_uuid: uuid,
      recent_action: state,
      status: state,
    });
  }
}

/** Stores the demonstration data unless it is there; the audit trail says where it came from. */
export const seedDemonstration = (db: Database): Promise<void> =>
  withOrigin(systemOrigin({ operation: 'demonstration.seed', source: 'import', correlationId: newUuid() }), () =>
    seed(db),
  );

async function seed(db: Database): Promise<void> {
  const subsidies: SubsidySeed[] = [
    {
      uuid: demonstration.subsidy,
      title: 'Demo credit',
      customer: demonstration.customer,
      reference: '00kDEMO0000000001A',
    },
    {
      uuid: demonstration.otherSubsidy,
      title: 'Other credit',
      customer: demonstration.otherCustomer,
      reference: '00kDEMO0000000002A',
    },
  ];
  for (const subsidy of subsidies) {
    if (!(await db('subsidies').where({ uuid: subsidy.uuid }).first('uuid'))) await seedSubsidy(db, subsidy);
  }
  if (!(await db('policies').where({ uuid: demonstration.spendPolicy }).first('uuid'))) await seedPolicies(db);
  if (!(await db('policies').where({ uuid: demonstration.requestPolicy }).first('uuid'))) await seedRequests(db);
  await seedWorkflow(db);
  await seedLicenses(db);
  await seedBilling(db, await buyerIn(db));
}

/** A workflow that has ended, to have one to look at. */
async function seedWorkflow(db: Database): Promise<void> {
  const { workflow: uuid, customer } = demonstration;
  if (await db('workflows').where({ uuid }).first('uuid')) return;
  const now = new Date();
  await db('workflows').insert({
    uuid,
    enterprise_customer_uuid: customer,
    kind: 'demonstration',
    version: 1,
    idempotency_key: 'demo-company',
    status: 'succeeded',
    input: JSON.stringify({ json: {} }),
    output: JSON.stringify({ json: {} }),
    position: 0,
    correlation_id: uuid,
    created: now,
    modified: now,
    finished: now,
  });
}

const BUYER = { email: 'learner-1000@demo.example', fullName: 'Learner 1000', lmsUserId: 1000 };

/** The local user of the buyer of the demonstration. */
async function buyerIn(db: Database): Promise<number> {
  const name = 'user-1000';
  await insertUser(db, name, BUYER, new Date());
  const [user] = await findUser(db, name);
  if (!user) throw new Error('The buyer could not be stored.');
  return user.id;
}
