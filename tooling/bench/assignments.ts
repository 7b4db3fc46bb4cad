import type { Database, Dialect } from '@enterprise-access/db';
import type { TestServers } from '@enterprise-access/db/testing';
import { jobs, newUuid, runJob } from '@enterprise-access/domain';
import { contentWith, testRuntime } from '@enterprise-access/domain/testing';
import { demonstration } from '@enterprise-access/start/demonstration';
import { fillAssignments } from './assignment-rows.ts';
import { insertStatement, openDriver } from './driver.ts';
import { alternate, median, percentile, type Row, type Settings } from './measure.ts';
import { bigWorld, dialectsOf, makeSetting, PRICE_CENTS, type Setting } from './setting.ts';

const COURSE = 'edX+DemoX';
const BULK = 10_000;
const SAMPLES = 40;
const PATH = `/api/v1/assignment-configurations/${demonstration.assignmentConfiguration}/admin/assignments/`;
/** Tables that an allocation writes to, with a row or more for each learner. */
const WRITTEN = ['assignments', 'audit_changes', 'assignment_actions', 'outbox'];

const worldWithCourse = () => {
  const world = bigWorld();
  world.contents.set(COURSE, contentWith({ contentKey: COURSE, priceCents: PRICE_CENTS }));
  return world;
};

async function makeBudget(servers: TestServers, dialect: Dialect): Promise<Setting> {
  const setting = await makeSetting(servers, dialect, worldWithCourse());
  await setting.db('policies').where({ uuid: demonstration.assignedPolicy }).update({
    active: true,
    spend_limit_cents: 1_000_000_000_000,
  });
  return setting;
}

let nextLearner = 0;

/** Allocates as one list, from the request to the end of its job; learners per second. */
async function bulkRate(setting: Setting): Promise<number> {
  const { app, db, token } = setting;
  nextLearner += BULK;
  const learnerEmails = Array.from({ length: BULK }, (_, at) => `learner-${nextLearner + at}@bulk.example`);
  const start = performance.now();
  const reply = await app.inject({
    method: 'POST',
    url: `/api/v1/policy-allocation/${demonstration.assignedPolicy}/allocate-in-bulk/`,
    headers: { authorization: `JWT ${token}` },
    payload: { learner_emails: learnerEmails, content_key: COURSE, content_price_cents: PRICE_CENTS },
  });
  if (reply.statusCode !== 202) throw new Error(`bulk: ${reply.statusCode} ${reply.body.slice(0, 500)}`);
  await runAllocation(db, reply.json().job_uuid, reply.json().uuid);
  return BULK / ((performance.now() - start) / 1_000);
}

async function runAllocation(db: Database, uuid: string, batchUuid: string): Promise<void> {
  const job = jobs.find(({ contract }) => contract.name === 'assignments.allocateBatch');
  if (!job) throw new Error('The job is gone.');
  const { assignedPolicy: policyUuid, customer: enterpriseCustomerUuid } = demonstration;
  const payload = { batchUuid, policyUuid, enterpriseCustomerUuid };
  const { signal } = new AbortController();
  const runtime = testRuntime(db, worldWithCourse());
  const result = await runJob(runtime, job, { uuid, payload, signal, dryRun: false, isLast: true });
  if (result.created !== BULK) throw new Error(`bulk: ${JSON.stringify(result)}`);
}

/** The columns that we write ourselves; the database computes the others. */
const COMPUTED = new Set([
  'learner_email_key',
  'recent_action_at',
  'status_class',
  'active_address',
  'active_account',
  'position',
]);

/** The same rows again, in statements of as many rows as ours, through the bare driver into the same tables and indexes. */
async function bareRate(setting: Setting, dialect: Dialect): Promise<number> {
  const { run, end } = await openDriver(dialect, setting.url);
  const tables = await Promise.all(WRITTEN.map((table) => copiesOf(setting.db, table)));
  const begin = performance.now();
  for (let start = 0; start < BULK; start += 2_000) {
    await run('begin', []);
    for (const { table, columns, rows } of tables) {
      const share = Math.ceil(rows.length / (BULK / 2_000));
      const chunk = rows.slice((start / 2_000) * share, (start / 2_000 + 1) * share);
      await run(insertStatement(dialect, table, columns, chunk.length), chunk.flat());
    }
    await run('commit', []);
  }
  const seconds = (performance.now() - begin) / 1_000;
  await end();
  return BULK / seconds;
}

/** Rows of the last allocation with new identities, so that they can be stored beside the first ones. */
async function copiesOf(db: Database, table: string) {
  const newest =
    { assignments: 'created', audit_changes: 'entry_uuid', assignment_actions: 'created', outbox: 'created' }[table] ??
    'created';
  const perLearner = table === 'outbox' ? 2 : 1;
  const found: Record<string, unknown>[] = await db(table)
    .orderBy(newest, 'desc')
    .limit(BULK * perLearner);
  const names = Object.keys(found[0] ?? {}).filter((name) => !COMPUTED.has(name));
  const used = names.filter((name) => found.some((row) => row[name] !== null));
  nextLearner += BULK;
  const rows = found.map((row, at) =>
    used.map((name) => {
      if (name === 'uuid' || name === 'entry_uuid') return newUuid();
      if (table === 'assignments' && name === 'learner_email') return `learner-${nextLearner + at}@bulk.example`;
      const value = row[name];
      return typeof value === 'object' && value !== null && !(value instanceof Date) ? JSON.stringify(value) : value;
    }),
  );
  return { table, columns: used, rows };
}

async function bulk(servers: TestServers, dialect: Dialect, rounds: number): Promise<Row> {
  const setting = await makeBudget(servers, dialect);
  try {
    await bulkRate(setting);
    const [ours = [], bare = []] = await alternate(rounds, [() => bulkRate(setting), () => bareRate(setting, dialect)]);
    const [rate, reference] = [median(ours), median(bare)];
    return {
      name: `assignments: bulk of ${BULK} learners vs bare inserts of the same rows, ${dialect}`,
      ours: `${rate.toFixed(0)} learners/s`,
      reference: `${reference.toFixed(0)} learners/s`,
      ratio: rate / reference,
      bar: { at: 'least', value: 0.3 },
    };
  } finally {
    await setting.stop();
  }
}

const lists = [
  ['no filter', ''],
  ['by price', 'ordering=-content_quantity'],
  ['by learner state', 'ordering=learner_state_sort_order'],
  ['a state', 'state=accepted'],
  ['states', 'state__in=allocated,expired&ordering=content_quantity'],
  ['a learner state', 'learner_state=waiting'],
  ['a course', 'content_key=edX%2BC3'],
  ['a course and a state', 'content_key=edX%2BC3&state=allocated&ordering=content_quantity'],
  ['an address', 'learner_email=grown-77@demo.example'],
  ['an account', 'lms_user_id=1000077'],
  ['parts of words', 'search=grown-77'],
] as const;

async function timed(setting: Setting, query: string): Promise<number[]> {
  const times: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const start = performance.now();
    await setting.get(`${PATH}?page_size=20&${query}`);
    times.push(performance.now() - start);
  }
  return times;
}

/** The first page with its counts, with very many assignments in one configuration against few. */
async function growth(servers: TestServers, dialect: Dialect, { rounds, rows: many }: Settings): Promise<Row[]> {
  const settings: Setting[] = [];
  try {
    for (const count of [1_000, many]) {
      const setting = await makeBudget(servers, dialect);
      settings.push(setting);
      const start = performance.now();
      await fillAssignments(setting.db, dialect, count);
      const seconds = ((performance.now() - start) / 1_000).toFixed(1);
      process.stderr.write(`  ${dialect}: ${count} assignments in ${seconds} s\n`);
    }
    const [small, large] = settings;
    if (!small || !large) throw new Error('The databases could not be made.');
    const rows: Row[] = [];
    for (const [name, query] of lists) {
      await alternate(1, [() => timed(small, query), () => timed(large, query)]);
      const [old = [], young = []] = await alternate(rounds, [() => timed(large, query), () => timed(small, query)]);
      const [ours, reference] = [percentile(old.flat(), 0.5), percentile(young.flat(), 0.5)];
      rows.push({
        name: `assignments: list, ${name}, p50, ${many} vs 1000, ${dialect}`,
        ours: `${ours.toFixed(2)} ms`,
        reference: `${reference.toFixed(2)} ms`,
        ratio: ours / reference,
        bar: { at: 'most', value: 1.5 },
      });
    }
    return rows;
  } finally {
    for (const setting of settings) await setting.stop();
  }
}

/** Allocation of long lists, and lists of very many assignments. */
export async function assignments(servers: TestServers, settings: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of dialectsOf(servers)) {
    rows.push(await bulk(servers, dialect, settings.rounds), ...(await growth(servers, dialect, settings)));
  }
  return rows;
}
