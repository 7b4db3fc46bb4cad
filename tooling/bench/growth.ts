import { setTimeout as pause } from 'node:timers/promises';
import type { Database, Dialect } from '@enterprise-access/db';
import type { TestServers } from '@enterprise-access/db/testing';
import { demonstration } from '@enterprise-access/start/demonstration';
import { alternate, percentile, type Row, type Settings } from './measure.ts';
import { canRedeemPath, dialectsOf, makeSetting, PRICE_CENTS, RUN, type Setting } from './setting.ts';

const SMALL = 1_000;
const CHUNK = 100_000;
const PER_LEARNER = 5;
const FIRST = 1_000_000;
/** Few at a time, so that whatever else the machine does meets both databases alike. */
const SAMPLES = 10;
const TURNS = 12;
const SETTLED_PAGES = 200;
const SETTLE_MS = 120_000;
const DIGITS = Array.from({ length: 10 }, (_, digit) => `select ${digit} as d`).join(' union all ');

/** Numbers from `start` on; cross joined digits need no setting of either server. */
const numbers = (start: number, count: number): string =>
  `select ${start} + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d as n
   from (${DIGITS}) a, (${DIGITS}) b, (${DIGITS}) c, (${DIGITS}) e, (${DIGITS}) f
   where a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d < ${count}`;

function fillStatement(dialect: Dialect, ledger: string, start: number, count: number): string {
  const isPostgres = dialect === 'postgres';
  const uuid = isPostgres ? 'gen_random_uuid()' : 'uuid()';
  const text = (value: string) => (isPostgres ? `cast(${value} as text)` : `cast(${value} as char)`);
  const learner = isPostgres ? `${FIRST} + n / ${PER_LEARNER}` : `${FIRST} + n div ${PER_LEARNER}`;
  const literal = (value: string) => (isPostgres ? `cast('${value}' as uuid)` : `'${value}'`);
  const at = isPostgres ? `timestamp '2026-01-01' + n * interval '1 second'` : `'2026-01-01' + interval n second`;
  return `insert into ledger_transactions (uuid, ledger_uuid, enterprise_customer_uuid, idempotency_key, quantity_cents, state, is_reversed,
      lms_user_id, lms_user_email, content_key, parent_content_key, content_title, fulfillment_identifier,
      subsidy_access_policy_uuid, created, modified)
    select ${uuid}, ${literal(ledger)}, ${literal(demonstration.customer)}, concat('grown-', ${text('n')}), -${PRICE_CENTS}, 'committed', false,
      ${learner}, 'grown@demo.example', concat('course-v1:edX+C', ${text(`n % ${PER_LEARNER}`)}, '+2T2026'), 'edX+C', 'Grown',
      concat('fulfillment-', ${text('n')}), ${literal(demonstration.spendPolicy)}, ${at}, ${at}
    from (${numbers(start, count)}) as numbered`;
}

/** Committed transactions of many learners through one policy of one ledger, and what the redemptions left. */
async function fill(db: Database, dialect: Dialect, rows: number): Promise<void> {
  const { ledger_uuid: ledger } = await db('subsidies').where({ uuid: demonstration.subsidy }).first('ledger_uuid');
  for (let start = 0; start < rows; start += CHUNK) {
    await db.raw(fillStatement(dialect, ledger, start, Math.min(CHUNK, rows - start)));
  }
  await db.raw(
    `insert into redemptions (uuid, policy_uuid, subsidy_uuid, enterprise_customer_uuid, lms_user_id, content_key,
       price_cents, idempotency_key, state, content, transaction_uuid, created, modified)
     select t.uuid, t.subsidy_access_policy_uuid, s.uuid, s.enterprise_customer_uuid, t.lms_user_id, t.content_key,
       -t.quantity_cents, t.idempotency_key, 'committed', '{}', t.uuid, t.created, t.modified
     from ledger_transactions t join subsidies s on s.ledger_uuid = t.ledger_uuid where t.lms_user_id is not null`,
  );
  await db.raw(
    `insert into policy_learner_budgets (policy_uuid, lms_user_id, enterprise_customer_uuid, spent_cents, redemption_count)
     select policy_uuid, lms_user_id, enterprise_customer_uuid, sum(price_cents), count(*) from redemptions
       group by policy_uuid, lms_user_id, enterprise_customer_uuid`,
  );
  const tables = ['ledger_transactions', 'redemptions', 'policy_learner_budgets'];
  for (const table of tables) await db.raw(dialect === 'postgres' ? `analyze ${table}` : `analyze table ${table}`);
}

/** Waits for what the server still writes of the fill: it would be counted as the cost of a large table. */
async function settle(db: Database, dialect: Dialect): Promise<void> {
  if (dialect === 'postgres') {
    await db.raw('checkpoint');
    return;
  }
  await db.raw('set global innodb_max_dirty_pages_pct = 0');
  const deadline = performance.now() + SETTLE_MS;
  const dirty = async () => {
    const [[row]] = await db.raw("show global status like 'Innodb_buffer_pool_pages_dirty'");
    return Number(row.Value);
  };
  while ((await dirty()) > SETTLED_PAGES && performance.now() < deadline) await pause(200);
  await db.raw('set global innodb_max_dirty_pages_pct = default');
}

async function timed(count: number, work: (at: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const start = performance.now();
    await work(at);
    times.push(performance.now() - start);
  }
  return times;
}

const KEYS = [RUN, 'course-v1:edX+C0+2T2026', 'course-v1:edX+C1+2T2026'];

/** Learners who have redeemed before, spread over all of them, each once. */
function learnersOf(rows: number): () => number {
  const learners = Math.floor(rows / PER_LEARNER);
  let taken = 0;
  return () => {
    taken += 1;
    return FIRST + ((taken * 7_919) % learners);
  };
}

function sides(setting: Setting, rows: number) {
  const ask = learnersOf(rows);
  let redeemer = 5_000_000;
  return {
    canRedeem: () => timed(SAMPLES, () => setting.get(canRedeemPath(ask(), KEYS))),
    redeem: () =>
      timed(SAMPLES, () => {
        redeemer += 1;
        return setting.redeem(redeemer);
      }),
  };
}

/** A ledger with very many transactions must answer about as fast as a young one. */
export async function growth(servers: TestServers, { rounds, rows: many }: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of dialectsOf(servers)) {
    const settings: Setting[] = [];
    try {
      for (const count of [SMALL, many]) {
        const setting = await makeSetting(servers, dialect);
        settings.push(setting);
        const start = performance.now();
        await fill(setting.db, dialect, count);
        await settle(setting.db, dialect);
        const seconds = ((performance.now() - start) / 1000).toFixed(1);
        process.stderr.write(`  ${dialect}: ${count} ledger transactions in ${seconds} s\n`);
      }
      const [small, large] = settings;
      if (!small || !large) throw new Error('The databases could not be made.');
      const [young, old] = [sides(small, SMALL), sides(large, many)];
      for (const operation of ['canRedeem', 'redeem'] as const) {
        await alternate(1, [young[operation], old[operation]]);
        const [a = [], b = []] = await alternate((rounds + 1) * TURNS, [old[operation], young[operation]]);
        const [ours, reference] = [percentile(a.flat(), 0.5), percentile(b.flat(), 0.5)];
        rows.push({
          name: `growth: ${operation === 'redeem' ? 'redeem' : 'can-redeem'} p50, ${many} vs ${SMALL} entries, ${dialect}`,
          ours: `${ours.toFixed(2)} ms`,
          reference: `${reference.toFixed(2)} ms`,
          ratio: ours / reference,
          bar: { at: 'most', value: 1.3 },
        });
      }
    } finally {
      for (const setting of settings) await setting.stop();
    }
  }
  return rows;
}
