import { execFile } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Database, type Dialect, dialectOf } from '@enterprise-access/db';
import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { campaigns, jobs } from '@enterprise-access/domain';
import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { quickStart } from '../../../../tooling/test/children.ts';
import { openQueues } from '../../src/queues.ts';
import { schedules } from '../../src/schedules.ts';
import { settingsFor } from '../support/processes.ts';

const COMMAND = fileURLToPath(new URL('../../src/command.ts', import.meta.url));
const LONG_AGO = new Date('2020-01-01T00:00:00Z');
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

const RUN = 'course-v1:edX+DemoX+2T2026';
const DAY_MS = 86_400_000;

interface Place {
  readonly db: Database;
  readonly queuesUrl: string;
  /** Of the stand-in services. */
  readonly sandboxUrl: string;
}

/** An unenrolment that a crash left open; the LMS has nothing to do with it. */
async function leaveUnenrolment({ db }: Place): Promise<void> {
  const { ledger_uuid: ledger } = await db('subsidies').where({ uuid: demonstration.subsidy }).first('ledger_uuid');
  const times = { created: LONG_AGO, modified: LONG_AGO };
  const transaction = randomUUID();
  await db('ledger_transactions').insert({
    uuid: transaction,
    ledger_uuid: ledger,
    enterprise_customer_uuid: demonstration.customer,
    idempotency_key: transaction,
    quantity_cents: -100,
    state: 'committed',
    is_reversed: true,
    lms_user_id: 1_000,
    lms_user_email: 'learner-1000@demo.example',
    content_key: RUN,
    parent_content_key: 'edX+DemoX',
    content_title: 'Demo',
    ...times,
  });
  await db('ledger_reversals').insert({
    uuid: randomUUID(),
    transaction_uuid: transaction,
    enterprise_customer_uuid: demonstration.customer,
    idempotency_key: transaction,
    quantity_cents: 100,
    state: 'committed',
    ...times,
  });
}

/** A job that failed for good and holds up its key. */
async function leaveBlockedKey({ queuesUrl }: Place): Promise<void> {
  const [job] = jobs.filter(({ contract }) => contract.keyOf);
  const name = job?.contract.name ?? '';
  const boss = await openQueues(queuesUrl, jobs, silent);
  await boss.insert(name, [{ data: { payload: {}, trace: null }, singletonKey: 'blocked', retryLimit: 0 }]);
  const [taken] = await boss.fetch(name);
  await boss.fail(name, taken?.id ?? '');
  await boss.stop();
}

const leaveConsumed = ({ db }: Place) =>
  db('inbox').insert({ consumer: 'test', message_id: randomUUID(), received: LONG_AGO });

const leaveDecision = ({ db }: Place) =>
  db('redemption_decisions').insert({
    uuid: '01800000-0000-7000-8000-000000000000',
    created: LONG_AGO,
    enterprise_customer_uuid: demonstration.customer,
    kind: 'redeem',
    verdict: 'refused',
    reason: 'policy_expired',
    learner_count: 1,
    checks: '{}',
    facts: '{}',
  });

/** A group that reminders were never planned for: that they are is remembered, also when none is due. */
const leaveUnplannedGroup = ({ db }: Place) =>
  db('policy_groups').insert({
    uuid: randomUUID(),
    policy_uuid: demonstration.spendPolicy,
    enterprise_customer_uuid: demonstration.customer,
    enterprise_group_uuid: demonstration.group,
    created: LONG_AGO,
    modified: LONG_AGO,
  });

async function leaveAssignment({ db }: Place, change: Readonly<Record<string, unknown>>): Promise<void> {
  const { assignment_configuration_uuid: configuration } = await db('policies')
    .where({ uuid: demonstration.assignedPolicy })
    .first('assignment_configuration_uuid');
  await db('assignments').insert({
    uuid: randomUUID(),
    assignment_configuration_uuid: configuration,
    enterprise_customer_uuid: demonstration.customer,
    learner_email: `${randomUUID()}@demo.example`,
    content_key: RUN,
    parent_content_key: 'edX+DemoX',
    preferred_course_run_key: RUN,
    is_assigned_course_run: true,
    price_cents: 100,
    state: 'allocated',
    allocated_at: new Date(),
    created: LONG_AGO,
    modified: LONG_AGO,
    ...change,
  });
}

/** An assignment that nobody took up in time. The budget holds its price. */
async function leaveOverdueAssignment(place: Place): Promise<void> {
  await leaveAssignment(place, { allocated_at: LONG_AGO });
  await place.db('policies').where({ uuid: demonstration.assignedPolicy }).increment('allocated_cents', 100);
  await place.db('ledgers').increment('reserved_cents', 100);
}

const leaveForgettableAddress = (place: Place) =>
  leaveAssignment(place, { state: 'expired', expired_at: LONG_AGO, retire_address_from: LONG_AGO });

/** An executive education course that begins in thirty days, and who has accepted it. */
async function leaveNudge(place: Place): Promise<void> {
  const startDate = new Date(Date.now() + 30 * DAY_MS).toISOString();
  const reply = await fetch(`${place.sandboxUrl}/control/courses`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ courseKey: 'edX+DemoX', productSource: '2u', startDate }),
  });
  expect(reply.status).toBe(204);
  await leaveAssignment(place, { state: 'accepted', accepted_at: new Date(), lms_user_id: 1_000 });
}

type Change = Readonly<Record<string, unknown>>;
const daysFromNow = (days: number): Date => new Date(Date.now() + days * DAY_MS);

/**
 * A plan of the demonstration's agreement with one activated licence. Jobs before may have dealt with others, so each
 * gets its own.
 */
async function leavePlan({ db }: Place, change: Change, ofLicense: Change = {}): Promise<void> {
  const times = { created: LONG_AGO, modified: LONG_AGO };
  const uuid = randomUUID();
  const own = { enterprise_customer_uuid: demonstration.customer };
  await db('subscription_plans').insert({
    uuid,
    ...own,
    customer_agreement_uuid: demonstration.agreement,
    title: uuid,
    start_date: LONG_AGO,
    expiration_date: daysFromNow(400),
    enterprise_catalog_uuid: demonstration.catalog,
    is_active: true,
    revoke_max_percentage: 5,
    activated_count: 1,
    ...times,
    ...change,
  });
  await db('licenses').insert({
    uuid: randomUUID(),
    ...own,
    subscription_plan_uuid: uuid,
    status: 'activated',
    user_email: `${uuid}@demo.example`,
    activation_key: randomUUID(),
    activation_date: new Date(),
    ...times,
    ...ofLicense,
  });
}

const leaveRetirable = (place: Place) => leavePlan(place, { expiration_date: daysFromNow(-100) });
const leaveExpiredPlan = (place: Place) => leavePlan(place, { expiration_date: daysFromNow(-2) });
const leaveUnlinkable = (place: Place) => leavePlan(place, { expiration_date: daysFromNow(-91) });
const leaveHalfYear = (place: Place) => leavePlan(place, {}, { activation_date: LONG_AGO });
const leaveExpiring = (place: Place) => leavePlan(place, { expiration_date: daysFromNow(20) });
const leaveApplying = (place: Place) =>
  leavePlan(place, { should_auto_apply_licenses: true, auto_apply_since: LONG_AGO });

async function leaveFullPlan(place: Place): Promise<void> {
  await place.db('customer_agreements').where({ uuid: demonstration.agreement }).update({
    enable_auto_scaling_of_current_plan: true,
    auto_scaling_max_licenses: 100,
    auto_scaling_threshold_percentage: 50,
    auto_scaling_increment_percentage: 200,
  });
  await leavePlan(place, { start_date: new Date() });
}

/** A renewal whose date passed while nothing ran. */
const leaveDueRenewal = ({ db }: Place) =>
  db('subscription_plan_renewals')
    .where({ prior_subscription_plan_uuid: demonstration.plan })
    .update({ effective_date: LONG_AGO });

const pastTimes = { created: LONG_AGO, modified: LONG_AGO };
const ofCustomer = { enterprise_customer_uuid: demonstration.customer };

/** A purchase of a buyer that no other row is about. */
async function leaveIntent({ db }: Place, state: 'created' | 'paid'): Promise<void> {
  const id = randomInt(1, 2 ** 31);
  await db('checkout_intents').insert({
    uuid: randomUUID(),
    id,
    user_id: id,
    ssp_product: 'teams-yearly',
    product_line: 'teams',
    stripe_product_id: '',
    state,
    expires_at: LONG_AGO,
    quantity: 1,
    ...pastTimes,
  });
}

const leaveStripeEvent = ({ db }: Place) =>
  db('stripe_events').insert({
    event_id: 'evt_old',
    event_type: 'invoice.paid',
    stripe_created: LONG_AGO,
    object_id: 'in_old',
    data: '{"email":"learner-1000@demo.example"}',
    handled_at: LONG_AGO,
    created: LONG_AGO,
  });

/** A renewal that was paid for and never processed. */
async function leavePaidRenewal({ db }: Place): Promise<void> {
  const intent = { checkout_intent_uuid: demonstration.checkoutIntent };
  const renewal = await db('subscription_renewals').where(intent).first('uuid');
  await db('stripe_invoices').insert({
    uuid: randomUUID(),
    ...intent,
    ...ofCustomer,
    stripe_invoice_id: 'in_paid',
    stripe_subscription_id: 'sub_paid',
    kind: 'first_period',
    amount_paid_cents: 100,
    currency: 'usd',
    paid_at: LONG_AGO,
    renewal_uuid: renewal.uuid,
    ...pastTimes,
  });
}

const leaveWorkflow = ({ db }: Place, change: Readonly<Record<string, unknown>>) =>
  db('workflows').insert({
    uuid: randomUUID(),
    ...ofCustomer,
    kind: 'demonstration',
    version: 1,
    idempotency_key: randomUUID(),
    input: '{"json":{}}',
    position: 0,
    correlation_id: randomUUID(),
    ...pastTimes,
    ...change,
  });

const leaveSleeping = (place: Place) => leaveWorkflow(place, { status: 'waiting', wake_at: LONG_AGO });
const leaveEnded = (place: Place) => leaveWorkflow(place, { status: 'succeeded', finished: LONG_AGO });

const leaveBulkEnrollment = ({ db }: Place) =>
  db('bulk_enrollments').insert({
    uuid: randomUUID(),
    ...ofCustomer,
    customer_agreement_uuid: demonstration.agreement,
    job_uuid: randomUUID(),
    course_run_keys: '[]',
    notify: false,
    is_planned: true,
    finished: LONG_AGO,
    ...pastTimes,
  });

/** The platform has taken the address of a learner with a request. */
async function leaveRetiredUser({ db }: Place): Promise<void> {
  const { user_id: id } = await db('learner_credit_requests').first('user_id');
  await db('users').where({ id }).update({ email: 'retired@demo.example' });
}

/** What each scheduled command needs to find so that it would write. Null: it never writes. */
const findings: Readonly<Record<string, ((place: Place) => Promise<unknown>) | null>> = {
  'redemptions.reconcile': leaveUnenrolment,
  'dead-letters.clear-keys': leaveBlockedKey,
  'books.audit': null,
  'groups.planReminders': leaveUnplannedGroup,
  'housekeeping.expire': leaveConsumed,
  'assignments.expire': leaveOverdueAssignment,
  'assignments.retireAddresses': leaveForgettableAddress,
  'assignments.nudge': leaveNudge,
  'redemptions.expireDecisions': leaveDecision,
  'licenses.retire': leaveRetirable,
  'licenses.expirePlans': leaveExpiredPlan,
  'licenses.unlinkExpired': leaveUnlinkable,
  'licenses.announceHalfYear': leaveHalfYear,
  'licenses.remindOfExpiration': leaveExpiring,
  'licenses.tellOfExpiration': leaveExpiredPlan,
  'licenses.tellUtilization': leaveApplying,
  'licenses.scale': leaveFullPlan,
  'licenses.processRenewals': leaveDueRenewal,
  // There are no products yet.
  'licenses.seedProducts': async () => undefined,
  'licenses.expireBulkEnrollments': leaveBulkEnrollment,
  'billing.expireIntents': (place) => leaveIntent(place, 'created'),
  'billing.markStalled': (place) => leaveIntent(place, 'paid'),
  'billing.scrub': leaveStripeEvent,
  'billing.reconcile': leavePaidRenewal,
  'workflow.wake': leaveSleeping,
  'workflow.forget': leaveEnded,
  'requests.followUsers': leaveRetiredUser,
};

/** Every row of every table, as text. */
async function dump(db: Database, schema: string): Promise<Record<string, string[]>> {
  const listed: { name: string }[] = await db('information_schema.tables')
    .where({ table_schema: schema, table_type: 'BASE TABLE' })
    .orderBy('table_name')
    // MySQL 8 gives the columns of this schema in upper case, unless they are named.
    .select('table_name as name');
  const tables = listed.map(({ name }) => name);
  const rowsOf = async (table: string): Promise<string[]> =>
    (await db.withSchema(schema).from(table)).map((row: object) => JSON.stringify(row)).sort();
  return Object.fromEntries(
    await Promise.all(tables.map(async (table): Promise<[string, string[]]> => [table, await rowsOf(table)])),
  );
}

describe.each(dialects)('commands of the schedule on %s', { timeout: 120_000 }, (dialect: Dialect) => {
  let business: TestDatabase;
  let queues: TestDatabase;
  let sandbox: Sandbox;
  let place: Place;
  beforeAll(async () => {
    sandbox = await startSandbox();
    business = await createTestDatabase(inject('servers'), dialect, 3);
    queues = await createTestDatabase(inject('servers'), 'postgres', 3);
    place = { db: business.db, queuesUrl: queues.url, sandboxUrl: sandbox.url };
    await seedDemonstration(business.db);
    const boss = await openQueues(queues.url, jobs, silent);
    await boss.stop();
  });
  afterAll(async () => {
    await sandbox.close();
    await business.drop();
    await queues.drop();
  });

  async function dumpAll() {
    const own = dialectOf(business.db) === 'postgres' ? 'public' : new URL(business.url).pathname.slice(1);
    return { business: await dump(business.db, own), queues: await dump(queues.db, 'pgboss') };
  }

  async function run(name: string, ...args: string[]): Promise<unknown> {
    const env = {
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      LOG_LEVEL: 'fatal',
      ...settingsFor(business.url, queues.url, sandbox.url),
      STRIPE_API_URL: sandbox.url,
      STRIPE_API_KEY: 'key',
      BRAZE_API_URL: `${sandbox.url}/braze`,
      BRAZE_API_KEY: 'key',
      ...Object.fromEntries(Object.keys(campaigns).map((name) => [name, name])),
      CUSTOMERS_WITH_EXPIRED_LICENSES_UNLINKING_ENABLED: demonstration.customer,
      CUSTOMERS_WITH_CUSTOM_LICENSE_EVENTS: demonstration.customer,
    };
    const { stdout } = await promisify(execFile)(process.execPath, [...quickStart, COMMAND, name, ...args], { env });
    return JSON.parse(stdout);
  }

  test.each(schedules.map(({ job }) => job))('%s writes nothing in a dry run', async (name) => {
    const find = findings[name];
    // A new schedule says here what it would write about.
    expect(find, `no findings for ${name}`).toBeDefined();
    await find?.(place);
    const before = await dumpAll();
    expect(await run(name, '--dry-run')).toMatchObject({ job: name, dryRun: true });
    const dry = await dumpAll();
    expect(dry).toEqual(before);
    expect(await run(name)).toMatchObject({ job: name, dryRun: false });
    const changes = JSON.stringify(await dumpAll()) !== JSON.stringify(before);
    expect(changes).toBe(find !== null);
  });
});
