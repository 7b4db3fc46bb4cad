import type { Database, Dialect } from '@enterprise-access/db';
import { demonstration } from '@enterprise-access/start/demonstration';

const CHUNK = 100_000;
const COURSES = 20;
const FIRST = 1_000_000;
const DIGITS = Array.from({ length: 10 }, (_, digit) => `select ${digit} as d`).join(' union all ');

const numbers = (start: number, count: number): string =>
  `select ${start} + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d as n
   from (${DIGITS}) a, (${DIGITS}) b, (${DIGITS}) c, (${DIGITS}) e, (${DIGITS}) f
   where a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d < ${count}`;

function fillStatement(dialect: Dialect, start: number, count: number): string {
  const isPostgres = dialect === 'postgres';
  const uuid = isPostgres ? 'gen_random_uuid()' : 'uuid()';
  const text = (value: string) => (isPostgres ? `cast(${value} as text)` : `cast(${value} as char)`);
  const literal = (value: string) => (isPostgres ? `cast('${value}' as uuid)` : `'${value}'`);
  const at = isPostgres ? `timestamp '2026-01-01' + n * interval '1 second'` : `'2026-01-01' + interval n second`;
  return `insert into assignments (uuid, assignment_configuration_uuid, enterprise_customer_uuid, learner_email, lms_user_id, content_key,
      is_assigned_course_run, content_title, price_cents, state, allocated_at, notified_at, created, modified)
    select ${uuid}, ${literal(demonstration.assignmentConfiguration)}, ${literal(demonstration.customer)},
      concat('grown-', ${text('n')}, '@demo.example'),
      ${FIRST} + n, concat('edX+C', ${text(`n % ${COURSES}`)}), false, 'Grown', 100 + n % 900,
      case n % 10 when 0 then 'cancelled' when 1 then 'expired' when 2 then 'errored' when 3 then 'accepted'
        when 4 then 'accepted' else 'allocated' end,
      ${at}, case when n % 3 = 0 then ${at} end, ${at}, ${at}
    from (${numbers(start, count)}) as numbered`;
}

/** Assignments of many learners in one configuration, in all states, with the counters that belong to them. */
export async function fillAssignments(db: Database, dialect: Dialect, rows: number): Promise<void> {
  for (let start = 0; start < rows; start += CHUNK) {
    await db.raw(fillStatement(dialect, start, Math.min(CHUNK, rows - start)));
  }
  for (const key of ['content_key', "''"]) {
    await db.raw(
      `insert into assignment_counts (assignment_configuration_uuid, enterprise_customer_uuid, content_key, status_class, n)
       select assignment_configuration_uuid, enterprise_customer_uuid, ${key}, status_class, count(*) from assignments
       group by assignment_configuration_uuid, enterprise_customer_uuid, ${key === "''" ? '' : `${key}, `}status_class`,
    );
  }
  await db.raw(dialect === 'postgres' ? 'vacuum analyze assignments' : 'analyze table assignments');
}
