import { type Dialect, dialectOf } from '@enterprise-access/db';
import type { TestServers } from '@enterprise-access/db/testing';
import { newUuid } from '@enterprise-access/domain';
import { demonstration } from '@enterprise-access/start/demonstration';
import { alternate, median, type Row, type Settings } from './measure.ts';
import { dialectsOf, makeSetting, type Setting } from './setting.ts';

const FEW = 1_000;
const SAMPLES = 30;
const AT_ONCE = 1_000;
const CSV_ROWS = 200_000;
/** The old service’s rate for the CSV of 200,000: 18 s; at least ten times that rate is asked for. */
const CSV_BAR_MS = 1_800;
const MEMORY_BAR_MB = 100;

interface Size {
  readonly plan: string;
  readonly setting: Setting;
}

/** Half are activated, the others assigned, revoked and free; every sort and filter has something to do. */
const statusOf = (at: number) =>
  (['activated', 'assigned', 'activated', 'revoked', 'activated', 'unassigned'] as const)[at % 6];

/** A plan with so many licences in the setting's database. */
async function makePlan({ db }: Setting, count: number): Promise<string> {
  const plan = newUuid();
  const start = Date.parse('2025-01-01T00:00:00Z');
  const counts = { activated: 0, assigned: 0, revoked: 0, unassigned: 0 };
  for (let from = 0; from < count; from += AT_ONCE) {
    const rows = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, index) => {
      const at = from + index;
      const status = statusOf(at) ?? 'unassigned';
      counts[status] += 1;
      const isFree = status === 'unassigned';
      const when = new Date(start + ((at * 7_919) % 31_536_000) * 1_000);
      return {
        uuid: newUuid(),
        enterprise_customer_uuid: demonstration.customer,
        subscription_plan_uuid: plan,
        status,
        user_email: isFree ? null : `u${(at * 7_919) % count}-${at}@bench.example`,
        lms_user_id: isFree ? null : at + 1,
        activation_key: isFree ? null : newUuid(),
        assigned_date: isFree ? null : when,
        last_remind_date: isFree ? null : when,
        activation_date: status === 'activated' ? when : null,
        revoked_date: status === 'revoked' ? when : null,
        auto_applied: false,
        created: when,
        modified: when,
      };
    });
    await db('licenses').insert(rows);
  }
  const now = Date.now();
  await db('subscription_plans').insert({
    uuid: plan,
    enterprise_customer_uuid: demonstration.customer,
    customer_agreement_uuid: demonstration.agreement,
    title: `Plan of ${count}, ${plan}`,
    start_date: new Date(now - 1e9),
    expiration_date: new Date(now + 1e10),
    enterprise_catalog_uuid: demonstration.catalog,
    is_active: true,
    revoke_max_percentage: 5,
    desired_num_licenses: count,
    activated_count: counts.activated,
    assigned_count: counts.assigned,
    revoked_count: counts.revoked,
    unassigned_count: counts.unassigned,
    created: new Date(),
    modified: new Date(),
  });
  await db.raw(dialectOf(db) === 'postgres' ? 'analyze licenses' : 'analyze table licenses');
  return plan;
}

const orders = ['user_email', 'status', 'activation_date', 'last_remind_date'].flatMap((name) => [name, `-${name}`]);

/** What the list of the old service can be asked. */
const LISTS: Readonly<Record<string, string>> = {
  'no filter': '',
  'one status': '?status=assigned',
  'usable states': '?status=unassigned,assigned,activated',
  ignore_null_emails: '?ignore_null_emails=1',
  active_only: '?active_only=1',
  'page_size 500': '?page_size=500',
  'the second page': '?page=2',
  ...Object.fromEntries(orders.map((order) => [`ordering ${order}`, `?ordering=${order}`])),
  ...Object.fromEntries(
    orders.map((order) => [`one status, ordering ${order}`, `?status=activated&ordering=${order}`]),
  ),
  overview: 'overview/',
  'overview of one status': 'overview/?status=assigned',
};

async function p50({ plan, setting }: Size, query: string): Promise<number> {
  const samples: number[] = [];
  for (let at = 0; at < SAMPLES; at += 1) {
    const begin = performance.now();
    await setting.get(`/api/v1/subscriptions/${plan}/licenses/${query}`);
    samples.push(performance.now() - begin);
  }
  return median(samples);
}

async function lists(dialect: Dialect, large: Size, small: Size, { rows, rounds }: Settings): Promise<Row[]> {
  const found: Row[] = [];
  const line = async (name: string, query: string, bar: Row['bar'], smallQuery = query) => {
    const sides = await alternate(rounds, [() => p50(large, query), () => p50(small, smallQuery)]);
    const [many = 0, few = 0] = sides.map(median);
    const ours = `${many.toFixed(2)} ms of ${rows}`;
    found.push({
      name: `licenses.list, ${name}, ${dialect}`,
      ours,
      reference: `${few.toFixed(2)} ms of ${FEW}`,
      ratio: many / few,
      bar,
    });
  };
  for (const [name, query] of Object.entries(LISTS)) await line(name, query, { at: 'most', value: 1.5 });
  // A part of an address is looked for in all of them, and a deep page passes over those before it.
  await line('search for a part', '?search=u99', null);
  await line('search for nothing', '?search=zzz', null);
  await line('the page in the middle', `?page=${Math.max(1, Math.floor(rows / 200))}`, null, '?page=5');
  await line('the last page', '?page=last', null);
  return found;
}

/** Peak of the memory beside what was in use before, time of the first byte, time of all. */
async function csv(dialect: Dialect, { plan, setting }: Size): Promise<Row[]> {
  if (!setting.app.server.listening) await setting.app.listen({ port: 0, host: '127.0.0.1' });
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss - before);
  }, 20);
  const begin = performance.now();
  const reply = await fetch(`${setting.app.listeningOrigin}/api/v1/subscriptions/${plan}/licenses/csv/`, {
    headers: { authorization: `JWT ${setting.token}` },
  });
  let [first, bytes] = [0, 0];
  for await (const chunk of reply.body ?? []) {
    if (first === 0) first = performance.now() - begin;
    bytes += (chunk as Uint8Array).length;
  }
  const whole = performance.now() - begin;
  clearInterval(watch);
  const mb = peak / 1_048_576;
  return [
    {
      name: `licenses.csv of ${CSV_ROWS}, ${(bytes / 1e6).toFixed(0)} MB, ${dialect}`,
      ours: `${whole.toFixed(0)} ms`,
      reference: `${CSV_BAR_MS} ms`,
      ratio: whole / CSV_BAR_MS,
      bar: { at: 'most', value: 1 },
    },
    {
      name: `licenses.csv, first byte, ${dialect}`,
      ours: `${first.toFixed(0)} ms`,
      reference: `${whole.toFixed(0)} ms for all`,
      ratio: first / whole,
      bar: { at: 'most', value: 0.1 },
    },
    {
      name: `licenses.csv, memory, ${dialect}`,
      ours: `${mb.toFixed(0)} MB more`,
      reference: `${MEMORY_BAR_MB} MB`,
      ratio: mb / MEMORY_BAR_MB,
      bar: { at: 'most', value: 1 },
    },
  ];
}

/** Lists of a plan with very many licences against few, and the CSV of a large plan. */
export async function licenseLists(servers: TestServers, settings: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of dialectsOf(servers)) {
    const [large, small] = [await makeSetting(servers, dialect), await makeSetting(servers, dialect)];
    const csvPlan = { setting: large, plan: await makePlan(large, CSV_ROWS) };
    // Twice: the first reads what no cache has yet.
    await csv(dialect, csvPlan);
    rows.push(...(await csv(dialect, csvPlan)));
    const sides = [
      { setting: large, plan: await makePlan(large, settings.rows) },
      { setting: small, plan: await makePlan(small, FEW) },
    ] as const;
    rows.push(...(await lists(dialect, sides[0], sides[1], settings)));
    await large.stop();
    await small.stop();
  }
  return rows;
}
