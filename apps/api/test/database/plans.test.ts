import { randomUUID } from 'node:crypto';
import type { Database, Dialect } from '@enterprise-access/db';
import { newUuid, operations } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { orderOf, pageOf } from '../../../../packages/domain/src/assignments/lists.ts';
import { sampleInput, viaRest, type World } from '../support/examples.ts';
import { allocateTo, assignedBudget, newCourse, redeemAs } from '../support/fixtures.ts';
import { demonstration, dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';

/** Rows of others in each table: enough that reading all of them is never the quickest way to a few. */
const OTHERS = 5_000;

interface Statement {
  readonly sql: string;
  readonly bindings: readonly unknown[];
}

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every object inside a plan. */
function nodesOf(plan: unknown): Node[] {
  if (Array.isArray(plan)) return plan.flatMap(nodesOf);
  return isNode(plan) ? [plan, ...Object.values(plan).flatMap(nodesOf)] : [];
}

/** How to ask for the plan of a statement, and what it reads from end to end although it is large. */
interface Planner {
  plan(db: Database, statement: Statement): Promise<unknown>;
  scans(plan: unknown, large: ReadonlySet<string>): string[];
}

const planners: Readonly<Record<Dialect, Planner>> = {
  postgres: {
    async plan(db, { sql, bindings }) {
      const { rows } = await db.raw(`explain (format json) ${sql.replace(/\$\d+/g, '?')}`, bindings as never);
      return rows;
    },
    scans: (plan, large) =>
      nodesOf(plan)
        .filter((node) => node['Node Type'] === 'Seq Scan' && large.has(String(node['Relation Name'])))
        .map((node) => String(node['Relation Name'])),
  },
  // Its plans in JSON are not always JSON, so the table is read.
  mysql: {
    async plan(db, { sql, bindings }) {
      const [rows] = await db.raw(`explain ${sql}`, bindings as never);
      return rows;
    },
    scans: (plan) =>
      nodesOf(plan)
        .filter(({ type, rows }) => (type === 'ALL' || type === 'index') && Number(rows) >= OTHERS / 2)
        .map(({ table, rows }) => `${table} (${rows} rows)`),
  },
};

async function insertMany(db: Database, table: string, row: (at: number) => object): Promise<void> {
  await db.batchInsert(
    table,
    Array.from({ length: OTHERS }, (_, at) => row(at)),
    250,
  );
}

/** A world of other customers around the demonstration, so that every table is large. */
async function fill(db: Database, dialect: Dialect): Promise<Set<string>> {
  const now = new Date('2026-06-01T00:00:00Z');
  const times = { created: now, modified: now };
  const ids = Array.from({ length: OTHERS }, () => ({
    ledger: randomUUID(),
    subsidy: randomUUID(),
    customer: randomUUID(),
    policy: randomUUID(),
    spend: randomUUID(),
  }));
  const of = (at: number) => ids[at] ?? ids[0] ?? expect.unreachable();
  await insertMany(db, 'ledgers', (at) => ({
    uuid: of(at).ledger,
    enterprise_customer_uuid: of(at).customer,
    idempotency_key: `l-${at}`,
    unit: 'usd_cents',
    ...times,
  }));
  await insertMany(db, 'subsidies', (at) => ({
    uuid: of(at).subsidy,
    ledger_uuid: of(at).ledger,
    starting_balance_cents: 0,
    unit: 'usd_cents',
    reference_id: `r-${at}`,
    reference_type: 'salesforce_opportunity_line_item',
    enterprise_customer_uuid: of(at).customer,
    internal_only: false,
    revenue_category: 'bulk-enrollment-prepay',
    is_soft_deleted: false,
    ...times,
  }));
  await insertMany(db, 'policies', (at) => ({
    uuid: of(at).policy,
    policy_type: 'PerLearnerSpendCreditAccessPolicy',
    enterprise_customer_uuid: of(at).customer,
    description: '',
    active: true,
    retired: false,
    catalog_uuid: randomUUID(),
    subsidy_uuid: of(at).subsidy,
    access_method: 'direct',
    ...times,
  }));
  await insertMany(db, 'policy_groups', (at) => ({
    uuid: randomUUID(),
    policy_uuid: of(at).policy,
    enterprise_customer_uuid: of(at).customer,
    enterprise_group_uuid: randomUUID(),
    ...times,
  }));
  await insertMany(db, 'policy_learner_budgets', (at) => ({
    policy_uuid: of(at).policy,
    enterprise_customer_uuid: of(at).customer,
    lms_user_id: 1_000 + (at % 50),
  }));
  await insertMany(db, 'ledger_transactions', (at) => ({
    uuid: of(at).spend,
    ledger_uuid: of(at).ledger,
    enterprise_customer_uuid: of(at).customer,
    idempotency_key: `t-${at}`,
    quantity_cents: -1,
    state: 'committed',
    is_reversed: false,
    lms_user_id: 1_000 + (at % 50),
    content_key: `course-v1:edX+C${at % 7}+2T2026`,
    subsidy_access_policy_uuid: of(at).policy,
    ...times,
  }));
  await insertMany(db, 'redemptions', (at) => ({
    uuid: of(at).spend,
    policy_uuid: of(at).policy,
    subsidy_uuid: of(at).subsidy,
    enterprise_customer_uuid: of(at).customer,
    lms_user_id: 1_000 + (at % 50),
    content_key: `course-v1:edX+C${at % 7}+2T2026`,
    price_cents: 1,
    idempotency_key: `t-${at}`,
    state: 'committed',
    content: '{}',
    transaction_uuid: of(at).spend,
    ...times,
  }));
  await insertMany(db, 'assignments', (at) => ({
    uuid: of(at).spend,
    assignment_configuration_uuid: of(at).policy,
    enterprise_customer_uuid: of(at).customer,
    learner_email: `learner-${at}@test.example`,
    lms_user_id: 1_000 + (at % 50),
    content_key: `edX+C${at % 7}`,
    price_cents: 1,
    state: 'accepted',
    allocated_at: now,
    transaction_uuid: of(at).spend,
    ...times,
  }));
  await insertMany(db, 'assignment_actions', (at) => ({
    uuid: randomUUID(),
    assignment_uuid: of(at).spend,
    enterprise_customer_uuid: of(at).customer,
    action_type: 'allocated',
    ...times,
  }));
  await insertMany(db, 'assignment_counts', (at) => ({
    assignment_configuration_uuid: of(at).policy,
    enterprise_customer_uuid: of(at).customer,
    content_key: '',
    status_class: 5,
    n: 1,
  }));
  await insertMany(db, 'assignment_configurations', (at) => ({
    uuid: of(at).spend,
    enterprise_customer_uuid: of(at).customer,
    active: true,
    ...times,
  }));
  await insertMany(db, 'redemption_decisions', (at) => ({
    uuid: randomUUID(),
    created: now,
    enterprise_customer_uuid: of(at).customer,
    policy_uuid: of(at).policy,
    lms_user_id: 1_000 + (at % 50),
    content_key: `course-v1:edX+C${at % 7}+2T2026`,
    kind: 'redeem',
    verdict: at % 2 === 0 ? 'allowed' : 'refused',
    reason: at % 2 === 0 ? null : 'policy_expired',
    learner_count: 1,
    checks: '{}',
    facts: '{}',
    request_id: `request-${at}`,
  }));
  await insertMany(db, 'users', (at) => ({ username: `other-${at}`, email: `other-${at}@test.example`, ...times }));
  // Some customers, users and operations, each with many entries.
  const entries = Array.from({ length: OTHERS }, () => newUuid());
  await insertMany(db, 'audit_entries', (at) => ({
    uuid: entries[at],
    created: now,
    enterprise_customer_uuid: of(at % 50).customer,
    operation: `test.operation${at % 20}`,
    source: 'rest',
    actor_user_id: 1_000 + (at % 100),
    actor_role: 'assignments_admin',
    correlation_id: `correlation-${at % 1_000}`,
  }));
  await insertMany(db, 'audit_changes', (at) => ({
    entry_uuid: entries[at],
    position: 1,
    subject_kind: 'assignment',
    subject_uuid: of(at % 1_000).spend,
    action: 'updated',
    enterprise_customer_uuid: of(at % 50).customer,
    lms_user_id: 1_000 + (at % 500),
    learner_email: `learner-${at % 500}@test.example`,
    correlation_id: `correlation-${at % 1_000}`,
  }));
  await insertMany(db, 'outbox', (at) => ({
    uuid: newUuid(),
    enterprise_customer_uuid: of(at % 50).customer,
    kind: 'event',
    name: 'test',
    message_key: `${at}`,
    payload: '{}',
    correlation_id: `correlation-${at % 1_000}`,
    created: now,
    sent: now,
    shard: 0,
  }));
  const tables = [
    'audit_changes',
    'audit_entries',
    'outbox',
    'ledgers',
    'subsidies',
    'policies',
    'policy_groups',
    'policy_learner_budgets',
    'ledger_transactions',
    'redemptions',
    'redemption_decisions',
    'assignments',
    'assignment_actions',
    'assignment_counts',
    'assignment_configurations',
    'users',
  ];
  for (const table of tables) await db.raw(dialect === 'postgres' ? `analyze ${table}` : `analyze table ${table}`);
  return new Set(tables);
}

describe.each(dialects)('statements of requests on %s', (dialect) => {
  let world: World;
  let large: ReadonlySet<string>;
  beforeAll(async () => {
    world = await startApp(dialect);
    large = await world.records.ignoring(() => fill(world.db, dialect));
  });
  afterAll(() => world.stop());

  /** The statements of some work, and which of them read a large table from end to end. */
  async function scansIn(work: () => Promise<unknown>): Promise<{ statements: number; found: string[] }> {
    const statements: Statement[] = [];
    const note = (query: Statement) => {
      if (/^[\s(]*(select|update|delete)/i.test(query.sql)) statements.push(query);
    };
    world.db.on('query', note);
    try {
      await work();
    } finally {
      world.db.off('query', note);
    }
    const found: string[] = [];
    for (const statement of statements) {
      const plan = await planners[dialect].plan(world.db, statement);
      for (const scan of planners[dialect].scans(plan, large)) found.push(`${scan} by ${statement.sql.slice(0, 300)}`);
    }
    return { statements: statements.length, found };
  }

  test('a scan is seen as one', async () => {
    const { found } = await scansIn(() => world.db('redemptions').where({ price_cents: 5 }).select('uuid'));
    expect(found).toHaveLength(1);
  });

  test.each(
    operations
      .filter(({ contract }) => contract.kind === 'query')
      .map((operation) => [operation.id, operation] as const),
  )('%s reads through an index', async (_id, operation) => {
    const { found } = await scansIn(() => viaRest(world, operation, sampleInput(operation), operatorToken()));
    expect(found).toEqual([]);
  });

  test.each([
    'state=allocated',
    'learner_state__in=waiting,failed&ordering=learner_state_sort_order',
    'content_key=edX%2BC1&ordering=-content_quantity',
    'content_key__in=edX%2BC1,edX%2BC2&state=accepted',
    'learner_email=a@test.example',
    'lms_user_id__in=1000,1001&ordering=content_quantity',
  ])('a list of assignments by %s reads through indexes', async (query) => {
    const path = `/api/v1/assignment-configurations/${demonstration.assignmentConfiguration}/admin/assignments/`;
    const { statements, found } = await scansIn(async () => {
      expect((await world.call('GET', `${path}?${query}`, operatorToken())).status).toBe(200);
    });
    expect(statements).toBeGreaterThan(2);
    expect(found).toEqual([]);
  });

  test.each([
    '',
    'lms_user_id=1000',
    `policy_uuid=${demonstration.spendPolicy}`,
    'content_key=course-v1:edX%2BC1%2B2T2026',
    'kind=redeem',
    'verdict=refused',
    'reason=policy_expired',
    'request_id=request-1',
    'from=2026-01-01T00:00:00Z&to=2026-07-01T00:00:00Z',
  ])('a list of decisions by %s reads through indexes', async (query) => {
    const path = `/api/v1/redemption-decisions/?enterprise_customer_uuid=${demonstration.customer}&${query}`;
    const { statements, found } = await scansIn(async () => {
      expect((await world.call('GET', path, operatorToken())).status).toBe(200);
    });
    expect(statements).toBeGreaterThan(0);
    expect(found).toEqual([]);
  });

  test.each([
    {},
    { operation: 'test.operation1' },
    { actor_user_id: '1001' },
    { operation: 'test.operation1', actor_user_id: '1001' },
    { lms_user_id: '1001' },
    { learner_email: 'learner-1@test.example' },
    { correlation_id: 'correlation-1' },
    { correlation_id: 'correlation-1', lms_user_id: '1001' },
    { created_from: '2026-01-01T00:00:00Z', created_to: '2100-01-01T00:00:00Z' },
    { subject_uuid: true },
  ])('the audit trail by %j reads through indexes, for staff and for administrators', async (filter) => {
    const row = await world.db('audit_changes').where({ learner_email: 'learner-1@test.example' }).first();
    const of = 'subject_uuid' in filter ? { subject_uuid: row.subject_uuid } : filter;
    const customer: string = row.enterprise_customer_uuid;
    const asks = [
      [new URLSearchParams(of as Record<string, string>), operatorToken()],
      [
        new URLSearchParams({ ...(of as Record<string, string>), enterprise_customer_uuid: customer }),
        tokenFor('enterprise_admin', customer, 8),
      ],
    ] as const;
    for (const [query, token] of asks) {
      const { found } = await scansIn(async () => {
        const reply = await world.call('GET', `/api/v1/audit/entries/?${query}`, token);
        expect(reply.status).toBe(200);
        expect(reply.body.items.length).toBeGreaterThan(0);
      });
      expect(found).toEqual([]);
    }
  });

  test('a timeline, an entry and what followed read through indexes', async () => {
    const row = await world.db('audit_changes').where({ learner_email: 'learner-1@test.example' }).first();
    const { found } = await scansIn(async () => {
      for (const path of [
        `subjects/${row.subject_uuid}/timeline/`,
        `entries/${row.entry_uuid}/`,
        'followups/?correlation_id=correlation-1',
      ])
        expect((await world.call('GET', `/api/v1/audit/${path}`, operatorToken())).status).toBe(200);
    });
    expect(found).toEqual([]);
  });

  test('allocation, cancellation and acceptance of assignments find and change their rows through indexes', async () => {
    const budget = await assignedBudget(world, { learners: [1_002] });
    const { found } = await scansIn(async () => {
      const made = await allocateTo(world, budget, ['learner-1002@test.example', 'b@test.example']);
      expect(made.status).toBe(202);
      const token = tokenFor('enterprise_learner', budget.customer, 1_002, { email: 'learner-1002@test.example' });
      const path = `/api/v1/assignment-configurations/${budget.configuration}/`;
      expect((await world.call('GET', `${path}assignments/`, token)).body.count).toBe(1);
      expect((await redeemAs(world, budget.policy, budget.customer, 1_002, budget.run)).status).toBe(200);
      const cancelled = await world.call('POST', `${path}admin/assignments/cancel-all/`, operatorToken());
      expect(cancelled.status).toBe(202);
    });
    expect(found).toEqual([]);
  });

  test('a redeem finds and changes its rows through an index', async () => {
    const key = newCourse(world, { priceCents: 100 });
    const { statements, found } = await scansIn(async () => {
      const reply = await redeemAs(world, demonstration.spendPolicy, demonstration.customer, 1_001, key);
      expect(reply.status).toBe(200);
    });
    expect(statements).toBeGreaterThan(8);
    expect(found).toEqual([]);
  });

  // Only this server counts the rows that a session reads.
  if (dialect !== 'mysql') return;

  test.each([
    ['no filter', {}],
    ['states, by price', { state: ['allocated', 'expired'], ordering: 'content_quantity' }],
    ['a course', { contentKey: ['edX+C1'] }],
    ['a learner state', { learnerState: ['waiting'] }],
  ] as const)(
    'the first page of assignments by %s reads as many rows of a long list as of a short one',
    async (_what, filter) => {
      const readsOf = (rows: number) =>
        world.records.ignoring(() =>
          world.db.transaction(async (trx) => {
            const configuration = randomUUID();
            await trx.batchInsert(
              'assignments',
              Array.from({ length: rows }, (_, at) => ({
                uuid: randomUUID(),
                assignment_configuration_uuid: configuration,
                enterprise_customer_uuid: demonstration.customer,
                learner_email: `long-${at}@test.example`,
                content_key: `edX+C${at % 3}`,
                price_cents: at % 100,
                state: ['allocated', 'expired', 'accepted'][at % 3] ?? '',
                allocated_at: new Date(1_750_000_000_000 + at * 1_000),
                notified_at: at % 2 === 0 ? new Date() : null,
                created: new Date(),
                modified: new Date(),
              })),
              500,
            );
            const reads = async () => {
              const [found] = await trx.raw("show status like 'Handler_read%'");
              return (found as { Value: string }[]).reduce((sum, { Value }) => sum + Number(Value), 0);
            };
            const before = await reads();
            await pageOf(trx, configuration, filter, orderOf('ordering' in filter ? filter.ordering : undefined), {
              offset: 0,
              limit: 20,
            });
            return (await reads()) - before;
          }),
        );
      const few = await readsOf(300);
      expect(few).toBeGreaterThan(20);
      expect(await readsOf(6_000)).toBe(few);
    },
  );
});
