import type { Database, Dialect } from '@enterprise-access/db';
import { leaveUnrecorded, type TestServers } from '@enterprise-access/db/testing';
import { contentWith } from '@enterprise-access/domain/testing';
import { demonstration } from '@enterprise-access/start/demonstration';
import { alternate, median, percentile, type Row, type Settings } from './measure.ts';
import { bigWorld, CLIENTS, canRedeemPath, dialectsOf, makeSetting, PRICE_CENTS, type Setting } from './setting.ts';

const COURSE = 'edX+DemoX';
/** Addresses of one allocation. */
const LIST = 10;

/** What one side of the comparison keeps. */
interface Kept {
  readonly trail: boolean;
  readonly decisions: boolean;
}

async function budgetFor(servers: TestServers, dialect: Dialect, { trail, decisions }: Kept): Promise<Setting> {
  const world = bigWorld();
  world.contents.set(COURSE, contentWith({ contentKey: COURSE, priceCents: PRICE_CENTS }));
  const setting = await makeSetting(servers, dialect, world, { decisionDays: decisions ? 90 : 0 });
  if (!trail) leaveUnrecorded(setting.db);
  await setting.db('policies').where({ uuid: demonstration.assignedPolicy }).update({
    active: true,
    spend_limit_cents: 1_000_000_000_000,
  });
  return setting;
}

let next = 1_000;
const nextLearner = (): number => {
  next += 1;
  return next;
};

async function allocate({ app, token }: Setting): Promise<void> {
  const reply = await app.inject({
    method: 'POST',
    url: `/api/v1/policy-allocation/${demonstration.assignedPolicy}/allocate/`,
    headers: { authorization: `JWT ${token}` },
    payload: {
      learner_emails: Array.from({ length: LIST }, () => `learner-${nextLearner()}@records.example`),
      content_key: COURSE,
      content_price_cents: PRICE_CENTS,
    },
  });
  if (reply.statusCode !== 202) throw new Error(`allocate: ${reply.statusCode} ${reply.body.slice(0, 500)}`);
}

const work = {
  redeem: { bar: 0.95, do: (setting: Setting) => setting.redeem(nextLearner()) },
  allocate: { bar: 0.95, do: allocate },
  'can-redeem, refused': {
    bar: 0.97,
    do: async (setting: Setting) => void (await setting.get(canRedeemPath(1_000, ['course-v1:no+such+run']))),
  },
} as const;

interface Burst {
  readonly ms: number;
  /** Of this process alone, which other load on the machine hardly changes. */
  readonly cpuMs: number;
}

/** One request from each client at once. */
async function burst(setting: Setting, request: (setting: Setting) => Promise<void>): Promise<Burst> {
  const [start, before] = [performance.now(), process.cpuUsage()];
  await Promise.all(Array.from({ length: CLIENTS }, () => request(setting)));
  const { user, system } = process.cpuUsage(before);
  return { ms: performance.now() - start, cpuMs: (user + system) / 1_000 };
}

/** Statements of one request, without those that begin and end transactions. */
async function statementsOf(setting: Setting, request: (setting: Setting) => Promise<void>): Promise<number> {
  let statements = 0;
  const count = ({ sql }: { readonly sql: string }) => {
    if (!/^\s*(?:begin|commit|rollback)\s*;?$/i.test(sql)) statements += 1;
  };
  setting.db.on('query', count);
  await request(setting);
  setting.db.removeListener('query', count);
  return statements;
}

const sides: readonly (Kept & { readonly name: string })[] = [
  { name: 'nothing', trail: false, decisions: false },
  { name: 'trail and decisions', trail: true, decisions: true },
  { name: 'the trail only', trail: true, decisions: false },
  { name: 'decisions only', trail: false, decisions: true },
];

/** Rounds with a burst of every side, in an order of chance, so that other load on the machine meets all alike. */
async function roundsOf(
  settings: readonly Setting[],
  request: (setting: Setting) => Promise<void>,
  forMs: number,
): Promise<Burst[][]> {
  await alternate(
    5,
    settings.map((setting) => () => burst(setting, request)),
  );
  const all: Burst[][] = [];
  for (const end = performance.now() + forMs; performance.now() < end; ) {
    const round: Burst[] = [];
    const order = settings.map((setting, at) => ({ setting, at, chance: Math.random() }));
    for (const { setting, at } of order.toSorted((a, b) => a.chance - b.chance))
      round[at] = await burst(setting, request);
    all.push(round);
  }
  return all;
}

/** What records cost those who change or ask something. */
export async function records(servers: TestServers, { seconds, rounds }: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of dialectsOf(servers)) {
    const settings: Setting[] = [];
    try {
      for (const side of sides) settings.push(await budgetFor(servers, dialect, side));
      for (const [name, { bar, do: request }] of Object.entries(work)) {
        const all = await roundsOf(settings, request, 2_000 * seconds * rounds);
        const medianOf = (of: (round: readonly Burst[]) => number | undefined) =>
          median(all.flatMap((round) => of(round) ?? []));
        const told: string[] = [];
        for (const [at, setting] of settings.entries()) {
          const [ms, cpuMs] = [medianOf((round) => round[at]?.ms), medianOf((round) => round[at]?.cpuMs)];
          const statements = await statementsOf(setting, request);
          told.push(
            `${((CLIENTS * 1_000) / ms).toFixed(0)}/s, CPU ${(cpuMs / CLIENTS).toFixed(2)} ms, ${statements} statements`,
          );
        }
        for (const [at, side] of sides.entries()) {
          if (at === 0) continue;
          rows.push({
            name: `records: ${name}, ${side.name} vs nothing, ${CLIENTS} clients, ${dialect}`,
            ours: told[at] ?? '',
            reference: told[0] ?? '',
            // Of each round by itself, so that slow times of the machine cancel out.
            ratio: medianOf(([nothing, ...others]) => nothing && nothing.ms / (others[at - 1]?.ms ?? Number.NaN)),
            bar: side.trail && side.decisions ? { at: 'least', value: bar } : null,
          });
        }
      }
    } finally {
      for (const setting of settings) await setting.stop();
    }
  }
  return rows;
}

const SMALL = 1_000;
const CHUNK = 100_000;
const SAMPLES = 60;
const DIGITS = Array.from({ length: 10 }, (_, digit) => `select ${digit} as d`).join(' union all ');
const numbers = (start: number, count: number): string =>
  `select ${start} + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d as n
   from (${DIGITS}) a, (${DIGITS}) b, (${DIGITS}) c, (${DIGITS}) e, (${DIGITS}) f
   where a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d < ${count}`;

/** Milliseconds of the first row’s key; each next one is a second later. */
const FIRST_MS = Date.UTC(2026, 0, 1);
const FACTS = JSON.stringify({
  v: 1,
  of: 'redemption',
  now: '2026-01-01T00:00:00.000Z',
  policy: { uuid: demonstration.spendPolicy, policyType: 'PerLearnerSpendCreditAccessPolicy', active: true },
});

/**
 * Decisions of one customer: few refusals, each learner with a few. One kind and one reason are found in the oldest only,
 * as many of many as of few, so that who walks through all of them is slow.
 */
function fillStatement(dialect: Dialect, start: number, count: number): string {
  const isPostgres = dialect === 'postgres';
  const text = (value: string) => (isPostgres ? `cast(${value} as text)` : `cast(${value} as char)`);
  const ms = `${FIRST_MS} + n * 1000`;
  const hex = isPostgres ? `lpad(to_hex(cast(${ms} as bigint)), 12, '0')` : `lpad(lower(hex(${ms})), 12, '0')`;
  const tail = isPostgres ? `lpad(to_hex(n), 12, '0')` : `lpad(lower(hex(n)), 12, '0')`;
  const key = `concat(substr(${hex}, 1, 8), '-', substr(${hex}, 9, 4), '-7000-8000-', ${tail})`;
  const uuid = (value: string) => (isPostgres ? `cast(${value} as uuid)` : value);
  const at = isPostgres ? `timestamptz '2026-01-01Z' + n * interval '1 second'` : `'2026-01-01' + interval n second`;
  const json = isPostgres ? (value: string) => `cast('${value}' as jsonb)` : (value: string) => `'${value}'`;
  const half = isPostgres ? 'n / 5' : 'n div 5';
  return `insert into redemption_decisions (uuid, created, enterprise_customer_uuid, policy_uuid, lms_user_id, content_key,
      kind, verdict, reason, learner_count, checks, facts, request_id)
    select ${uuid(key)}, ${at}, ${uuid(`'${demonstration.customer}'`)},
      ${uuid(`case when n % 5 = 0 then '${demonstration.assignedPolicy}' else '${demonstration.spendPolicy}' end`)}, 1000000 + ${half},
      concat('course-v1:edX+C', ${text('n % 20')}, '+2T2026'),
      case when n < ${SMALL} and n % 40 = 1 then 'force' when n % 10 = 2 then 'allocate' when n % 10 = 3 then 'can_redeem' else 'redeem' end,
      case when n % 50 = 0 or (n < ${SMALL} and n % 40 = 3) then 'refused' else 'allowed' end,
      case when n < ${SMALL} and n % 40 = 3 then 'policy_expired' when n % 50 = 0 then 'subsidy_expired' end,
      1, ${json('{}')}, ${json(FACTS)}, concat('grown-', ${text('n')})
    from (${numbers(start, count)}) as numbered`;
}

async function fill(db: Database, dialect: Dialect, rows: number): Promise<void> {
  for (let start = 0; start < rows; start += CHUNK) {
    await db.raw(fillStatement(dialect, start, Math.min(CHUNK, rows - start)));
  }
  await db.raw(dialect === 'postgres' ? 'vacuum analyze redemption_decisions' : 'analyze table redemption_decisions');
}

const lists = [
  ['no filter', ''],
  ['a learner', 'lms_user_id=1000077'],
  ['a policy', `policy_uuid=${demonstration.assignedPolicy}`],
  ['a course', 'content_key=course-v1%3AedX%2BC3%2B2T2026'],
  ['a kind', 'kind=allocate'],
  ['a rare kind', 'kind=force'],
  ['refused', 'verdict=refused'],
  ['a reason', 'reason=policy_expired'],
  ['a request', 'request_id=grown-77'],
  ['a time', 'from=2026-01-01T00:05:00Z&to=2026-01-01T00:10:00Z'],
  ['a reason nobody had', 'reason=learner_not_in_enterprise'],
] as const;

async function timed(setting: Setting, query: string): Promise<number[]> {
  const times: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const start = performance.now();
    await setting.get(
      `/api/v1/redemption-decisions/?enterprise_customer_uuid=${demonstration.customer}&page_size=20&${query}`,
    );
    times.push(performance.now() - start);
  }
  return times;
}

/** The first page of decisions by each filter, with very many of one customer against few. */
export async function decisionLists(servers: TestServers, { rounds, rows: many }: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of dialectsOf(servers)) {
    const settings: Setting[] = [];
    try {
      for (const count of [SMALL, many]) {
        const setting = await makeSetting(servers, dialect);
        settings.push(setting);
        const start = performance.now();
        await fill(setting.db, dialect, count);
        const seconds = ((performance.now() - start) / 1_000).toFixed(1);
        process.stderr.write(`  ${dialect}: ${count} decisions in ${seconds} s\n`);
      }
      const [small, large] = settings;
      if (!small || !large) throw new Error('The databases could not be made.');
      for (const [name, query] of lists) {
        await alternate(1, [() => timed(small, query), () => timed(large, query)]);
        const [old = [], young = []] = await alternate(rounds, [() => timed(large, query), () => timed(small, query)]);
        const [ours, reference] = [percentile(old.flat(), 0.5), percentile(young.flat(), 0.5)];
        rows.push({
          name: `records: list of decisions, ${name}, p50, ${many} vs ${SMALL}, ${dialect}`,
          ours: `${ours.toFixed(2)} ms`,
          reference: `${reference.toFixed(2)} ms`,
          ratio: ours / reference,
          bar: { at: 'most', value: 1.5 },
        });
      }
    } finally {
      for (const setting of settings) await setting.stop();
    }
  }
  return rows;
}
