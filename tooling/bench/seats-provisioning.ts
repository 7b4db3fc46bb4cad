import type { Database, Dialect } from '@enterprise-access/db';
import { createTestDatabase, type TestServers } from '@enterprise-access/db/testing';
import { jobs, newUuid, runJob } from '@enterprise-access/domain';
import { emptyWorld, testRuntime } from '@enterprise-access/domain/testing';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { insertStatement, openDriver, type Run } from './driver.ts';
import type { Row, Settings } from './measure.ts';
import { dialectsOf } from './setting.ts';

/** Both sides take turns, so that tables grow alike and other load on the machine affects both. */
const TURNS = 20;
const STATEMENT = 5_000;
const COLUMNS = ['uuid', 'enterprise_customer_uuid', 'subscription_plan_uuid', 'status', 'created', 'modified'];
const { otherPlan: plan, otherCustomer: customer } = demonstration;

const countOf = async (db: Database): Promise<number> =>
  Number((await db('licenses').where({ subscription_plan_uuid: plan }).count({ n: '*' }).first())?.n);

/** Seconds that the job takes to bring the plan to its desired number of licences. */
async function provisioned(db: Database, licenses: number): Promise<number> {
  const job = jobs.find(({ contract }) => contract.name === 'licenses.provision');
  if (!job) throw new Error('The job is gone.');
  await db('subscription_plans').where({ uuid: plan }).update({ desired_num_licenses: licenses });
  const payload = { planUuid: plan, enterpriseCustomerUuid: customer };
  const { signal } = new AbortController();
  const start = performance.now();
  const result = await runJob(testRuntime(db, emptyWorld()), job, {
    uuid: newUuid(),
    payload,
    signal,
    dryRun: false,
    isLast: true,
  });
  const seconds = (performance.now() - start) / 1_000;
  if (result.total !== licenses) throw new Error(`seats: ${JSON.stringify(result)}`);
  return seconds;
}

/** Seconds that the same rows take in statements of the same size, made beforehand. */
async function inserted(run: Run, dialect: Dialect, licenses: number): Promise<number> {
  const now = new Date();
  const batches = Array.from({ length: Math.ceil(licenses / STATEMENT) }, (_, at) =>
    Array.from({ length: Math.min(STATEMENT, licenses - at * STATEMENT) }, () => [
      newUuid(),
      customer,
      plan,
      'unassigned',
      now,
      now,
    ]),
  );
  const statements = batches.map((rows) => insertStatement(dialect, 'licenses', COLUMNS, rows.length));
  const start = performance.now();
  for (const [at, sql] of statements.entries()) await run(sql, batches[at]?.flat() ?? []);
  return (performance.now() - start) / 1_000;
}

async function compare(servers: TestServers, dialect: Dialect, licenses: number): Promise<Row> {
  const [ours, bare] = await Promise.all([1, 2].map(() => createTestDatabase(servers, dialect, 3)));
  if (!ours || !bare) throw new Error('The databases could not be made.');
  const { run, end } = await openDriver(dialect, bare.url);
  try {
    await seedDemonstration(ours.db);
    await seedDemonstration(bare.db);
    const before = await countOf(ours.db);
    const turn = Math.ceil(licenses / TURNS);
    let [seconds, reference] = [0, 0];
    for (let at = 1; at <= TURNS; at += 1) {
      seconds += await provisioned(ours.db, before + at * turn);
      reference += await inserted(run, dialect, turn);
    }
    const [made, expected] = [await countOf(ours.db), await countOf(bare.db)];
    if (made !== expected || made !== before + TURNS * turn) throw new Error(`seats: ${made} and ${expected}`);
    const total = TURNS * turn;
    return {
      name: `seats-provisioning: ${total} licences in one plan vs bare inserts of the same rows, ${dialect}`,
      ours: `${(total / seconds).toFixed(0)} licences/s`,
      reference: `${(total / reference).toFixed(0)} licences/s`,
      ratio: reference / seconds,
      bar: { at: 'least', value: 0.5 },
    };
  } finally {
    await end();
    await ours.drop();
    await bare.drop();
  }
}

/** Provisioning of one very large plan; `rows` halves it for machines that have less time. */
export async function seatsProvisioning(servers: TestServers, { rows }: Settings): Promise<Row[]> {
  const results: Row[] = [];
  for (const dialect of dialectsOf(servers)) results.push(await compare(servers, dialect, 2 * rows));
  return results;
}
