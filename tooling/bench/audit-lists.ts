import { randomUUID } from 'node:crypto';
import { type Dialect, dialectOf } from '@enterprise-access/db';
import type { TestServers } from '@enterprise-access/db/testing';
import { newUuid } from '@enterprise-access/domain';
import { demonstration } from '@enterprise-access/start/demonstration';
import { alternate, median, type Row, type Settings } from './measure.ts';
import { bigWorld, dialectsOf, makeSetting, type Setting } from './setting.ts';

const FEW = 1_000;
const SAMPLES = 40;
const AT_ONCE = 2_000;
const SUBJECT = randomUUID();

/** Asks of the same thousand entries, whatever else is stored. */
const own = (query: string): string => `?enterprise_customer_uuid=${demonstration.customer}${query}`;
const FILTERS: Readonly<Record<string, string>> = {
  'all of a customer': own(''),
  subject: own(`&subject_uuid=${SUBJECT}`),
  learner: own('&lms_user_id=1001'),
  address: own('&learner_email=own-1@test.example'),
  actor: own('&actor_user_id=11'),
  operation: own('&operation=own.operation1'),
  correlation: own('&correlation_id=own-1'),
  time: own('&created_from=2020-01-01T00:00:00Z&created_to=2100-01-01T00:00:00Z'),
  'all, for staff': '',
  'operation, for staff': '?operation=own.operation1',
  'actor, for staff': '?actor_user_id=11',
  'address, for staff': '?learner_email=own-1@test.example',
};

/** A thousand entries of the demonstration's customer, spread among those of many others. */
async function fill({ db }: Setting, rows: number): Promise<void> {
  const customers = Array.from({ length: 500 }, () => randomUUID());
  const created = new Date();
  const every = rows / FEW;
  for (let start = 0; start < rows; start += AT_ONCE) {
    const all = Array.from({ length: Math.min(AT_ONCE, rows - start) }, (_, at) => {
      const n = start + at;
      const isOwn = n % every === 0;
      const of = isOwn ? n / every : n;
      return { uuid: newUuid(), of, name: isOwn ? 'own' : 'other', isOwn };
    });
    const customerOf = ({ isOwn, of }: (typeof all)[number]) =>
      isOwn ? demonstration.customer : customers[of % customers.length];
    await db('audit_entries').insert(
      all.map((each) => ({
        uuid: each.uuid,
        created,
        enterprise_customer_uuid: customerOf(each),
        operation: `${each.name}.operation${each.of % 10}`,
        source: 'rest',
        actor_user_id: each.isOwn ? 10 + (each.of % 10) : 1_000 + (each.of % 5_000),
        actor_role: 'assignments_admin',
        correlation_id: `${each.name}-${each.isOwn ? each.of % 50 : each.of}`,
      })),
    );
    await db('audit_changes').insert(
      all.map((each) => ({
        entry_uuid: each.uuid,
        position: 1,
        subject_kind: 'assignment',
        subject_uuid: each.isOwn && each.of % 50 === 1 ? SUBJECT : randomUUID(),
        action: 'updated',
        enterprise_customer_uuid: customerOf(each),
        lms_user_id: each.isOwn ? 1_000 + (each.of % 50) : 10_000 + (each.of % 100_000),
        learner_email: `${each.name}-${each.isOwn ? each.of % 50 : each.of}@test.example`,
        before_values: '{"state":"allocated"}',
        after_values: '{"state":"accepted"}',
      })),
    );
  }
  for (const table of ['audit_entries', 'audit_changes'])
    await db.raw(dialectOf(db) === 'postgres' ? `analyze ${table}` : `analyze table ${table}`);
}

/** Milliseconds of the middle one of some requests. */
async function p50({ app, token }: Setting, query: string): Promise<number> {
  const samples: number[] = [];
  for (let at = 0; at < SAMPLES; at += 1) {
    const begin = performance.now();
    const reply = await app.inject({
      url: `/api/v1/audit/entries/${query}`,
      headers: { authorization: `JWT ${token}` },
    });
    samples.push(performance.now() - begin);
    if (reply.statusCode !== 200 || reply.json().items.length === 0)
      throw new Error(`audit: ${query} ${reply.statusCode} ${reply.body.slice(0, 300)}`);
  }
  return median(samples);
}

async function listsOn(servers: TestServers, dialect: Dialect, { rows, rounds }: Settings): Promise<Row[]> {
  const large = await makeSetting(servers, dialect, bigWorld());
  const small = await makeSetting(servers, dialect, bigWorld());
  await fill(large, rows);
  await fill(small, FEW);
  const found: Row[] = [];
  for (const [name, query] of Object.entries(FILTERS)) {
    const sides = await alternate(rounds, [() => p50(large, query), () => p50(small, query)]);
    const [many = 0, few = 0] = sides.map(median);
    found.push({
      name: `audit.list by ${name}, ${dialect}`,
      ours: `${many.toFixed(2)} ms of ${rows}`,
      reference: `${few.toFixed(2)} ms of ${FEW}`,
      ratio: many / few,
      bar: { at: 'most', value: 1.5 },
    });
  }
  await large.stop();
  await small.stop();
  return found;
}

/** Lists of the audit trail with very many entries against few. */
export async function auditLists(servers: TestServers, settings: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of dialectsOf(servers)) rows.push(...(await listsOn(servers, dialect, settings)));
  return rows;
}
