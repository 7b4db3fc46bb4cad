import { randomUUID } from 'node:crypto';
import type { Database, Dialect } from '@enterprise-access/db';
import { demonstration } from '@enterprise-access/start/demonstration';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { shardOf } from '../../packages/db/src/outbox.ts';
import { CLIENTS, PRICE_CENTS, RUN } from './setting.ts';

type Run = (sql: string, values?: readonly unknown[]) => Promise<unknown>;

interface Bare {
  /** One redemption from one of the connections. */
  redeem(client: number, lmsUserId: number): Promise<void>;
  stop(): Promise<void>;
}

async function openPostgres(url: string): Promise<{ run: Run; end: () => Promise<void> }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return { run: (sql, values) => client.query(sql, values ? [...values] : undefined), end: () => client.end() };
}

/** Placeholders and quotes of MySQL; the session is as ours. */
async function openMysql(url: string): Promise<{ run: Run; end: () => Promise<void> }> {
  const connection = await mysql.createConnection({ uri: url, timezone: 'Z', flags: ['+FOUND_ROWS'] });
  await connection.query("SET SESSION sql_mode = 'STRICT_ALL_TABLES,ANSI_QUOTES', time_zone = '+00:00'");
  await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
  return {
    run: (sql, values) => connection.query(sql.replace(/\$\d+/g, '?'), values ? [...values] : []),
    end: () => connection.end(),
  };
}

const insert = (table: string, names: readonly string[], rows = 1): string => {
  const row = (at: number) => `(${names.map((_, index) => `$${at * names.length + index + 1}`).join(', ')})`;
  return `insert into ${table} (${names.join(', ')}) values ${Array.from({ length: rows }, (_, at) => row(at)).join(', ')}`;
};

const CUSTOMER = 'enterprise_customer_uuid';
const BUDGET = insert('policy_learner_budgets', ['policy_uuid', 'lms_user_id', CUSTOMER]);
const OUTBOX_COLUMNS = ['uuid', 'kind', 'name', 'message_key', 'payload', 'created', 'shard', CUSTOMER];
const OUTBOX = insert('outbox', OUTBOX_COLUMNS);
const AUDIT_ENTRY = insert('audit_entries', [
  'uuid',
  'created',
  'operation',
  'source',
  'request_id',
  'correlation_id',
  CUSTOMER,
]);
const CHANGE_COLUMNS = [
  'entry_uuid',
  'position',
  'subject_kind',
  'subject_uuid',
  'action',
  'lms_user_id',
  'after_values',
  CUSTOMER,
];
const AUDIT_CHANGES = insert('audit_changes', CHANGE_COLUMNS, 2);
const ENTRY = insert('ledger_transactions', [
  'uuid',
  'ledger_uuid',
  'idempotency_key',
  'quantity_cents',
  'state',
  'is_reversed',
  'lms_user_id',
  'lms_user_email',
  'content_key',
  'parent_content_key',
  'content_title',
  'subsidy_access_policy_uuid',
  'created',
  'modified',
  CUSTOMER,
]);
const REDEMPTION = insert('redemptions', [
  'uuid',
  'policy_uuid',
  'subsidy_uuid',
  'enterprise_customer_uuid',
  'lms_user_id',
  'content_key',
  'price_cents',
  'idempotency_key',
  'state',
  'content',
  'created',
  'modified',
]);

/** A snapshot of typical size. */
const SNAPSHOT = JSON.stringify({ filler: 'x'.repeat(600) });
const PAYLOAD = JSON.stringify({ filler: 'x'.repeat(450) });

async function reserve(run: Run, ledger: string, uuid: string, learner: number): Promise<void> {
  const { spendPolicy: policy, subsidy, customer } = demonstration;
  const now = new Date();
  const key = `bare-${uuid}`;
  await run('begin');
  await run(
    'update policies set spent_cents = spent_cents + $1 where uuid = $2 and active and not retired and (spend_limit_cents is null or spent_cents + $3 <= spend_limit_cents)',
    [PRICE_CENTS, policy, PRICE_CENTS],
  );
  await run(BUDGET, [policy, learner, customer]);
  await run(
    'update policy_learner_budgets set spent_cents = spent_cents + $1, redemption_count = redemption_count + 1 where policy_uuid = $2 and lms_user_id = $3',
    [PRICE_CENTS, policy, learner],
  );
  await run('update ledgers set balance_cents = balance_cents - $1 where uuid = $2 and balance_cents >= $3', [
    PRICE_CENTS,
    ledger,
    PRICE_CENTS,
  ]);
  const email = `learner-${learner}@demo.example`;
  const entry = [uuid, ledger, key, -PRICE_CENTS, 'pending', false, learner, email];
  await run(ENTRY, [...entry, RUN, 'edX+DemoX', 'Demo', policy, now, now, customer]);
  await run(AUDIT_ENTRY, [uuid, now, 'redemptions.redeem', 'rest', uuid, uuid, customer]);
  await run(AUDIT_CHANGES, [
    ...[uuid, 1, 'redemption', uuid, 'created', learner, SNAPSHOT, customer],
    ...[uuid, 2, 'ledger_transaction', uuid, 'created', learner, SNAPSHOT, customer],
  ]);
  await run(OUTBOX, [randomUUID(), 'event', 'created', uuid, PAYLOAD, now, shardOf(uuid), customer]);
  const content = JSON.stringify({ lmsUserEmail: email, title: 'Demo' });
  const intent = [uuid, policy, subsidy, customer, learner, RUN, PRICE_CENTS, key, 'pending'];
  await run(REDEMPTION, [...intent, content, now, now]);
  await run('commit');
}

async function record(run: Run, uuid: string): Promise<void> {
  const now = new Date();
  await run('begin');
  await run(
    "update redemptions set state = $1, transaction_uuid = $2, modified = $3 where uuid = $4 and state = 'pending'",
    ['committed', uuid, now, uuid],
  );
  await run(
    "update ledger_transactions set state = $1, fulfillment_identifier = $2, modified = $3 where uuid = $4 and state in ('created', 'pending')",
    ['committed', `fulfillment-${uuid}`, now, uuid],
  );
  await run(AUDIT_CHANGES, [
    ...[uuid, 3, 'redemption', uuid, 'updated', null, SNAPSHOT, demonstration.customer],
    ...[uuid, 4, 'ledger_transaction', uuid, 'updated', null, SNAPSHOT, demonstration.customer],
  ]);
  await run(OUTBOX, [randomUUID(), 'event', 'committed', uuid, PAYLOAD, now, shardOf(uuid), demonstration.customer]);
  await run(OUTBOX, [
    randomUUID(),
    'event',
    'redeemed',
    demonstration.customer,
    PAYLOAD,
    now,
    shardOf(demonstration.customer),
    demonstration.customer,
  ]);
  await run('commit');
}

/** Only the writes of a redemption, directly with the database driver. */
export async function openBare(db: Database, dialect: Dialect, url: string): Promise<Bare> {
  const open = dialect === 'postgres' ? openPostgres : openMysql;
  const connections = await Promise.all(Array.from({ length: CLIENTS }, () => open(url)));
  const { ledger_uuid: ledger } = await db('subsidies').where({ uuid: demonstration.subsidy }).first('ledger_uuid');
  return {
    async redeem(client, lmsUserId) {
      const run = connections[client]?.run;
      if (!run) throw new Error(`There is no connection ${client}.`);
      const uuid = randomUUID();
      await reserve(run, ledger, uuid, lmsUserId);
      await record(run, uuid);
    },
    async stop() {
      await Promise.all(connections.map(({ end }) => end()));
    },
  };
}
