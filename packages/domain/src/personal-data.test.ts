import { createTestDatabase } from '@enterprise-access/db/testing';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { jobs, service } from './service.ts';

/** Names behind which a person may hide; bodies of any kind count. */
const SUSPICIOUS =
  /email|address|full_name|username|phone|recipient|payload|reply|result|outcomes|^message$|^content$|^metadata$|snapshot|traceback|^detail$/;

/** Columns with such a name and nobody in them, with the reason. */
const IMPERSONAL: Readonly<Record<string, string>> = {
  'allocation_batches.suppress_email': 'a choice',
  'assignments.active_address': 'a flag',
  'assignments.retire_address_from': 'an instant',
  'assignment_actions.metadata': 'ids and counts',
  'assignment_actions.traceback': 'the kind of failure in our words',
  'learner_credit_request_actions.traceback': 'the kind of failure in our words',
  'dead_letters.detail': 'the kind of failure in our words',
  'forced_redemptions.traceback': 'what went wrong in our words',
  'ledger_reversals.metadata': 'ids',
  'ledgers.metadata': 'ids',
  'mail_deliveries.recipient': 'a hash',
};

const server = inject('servers').postgres;

describe.skipIf('skipped' in server)('personal data', () => {
  let columns: ReadonlySet<string>;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const created = await createTestDatabase(inject('servers'), 'postgres', 2);
    drop = created.drop;
    const { rows } = await created.db.raw(
      "select table_name, column_name from information_schema.columns where table_schema = 'public'",
    );
    columns = new Set(
      (rows as { table_name: string; column_name: string }[]).map((row) => `${row.table_name}.${row.column_name}`),
    );
  });
  afterAll(() => drop());

  const listed = service.personalData.map(({ table, column, ends }) => ({ name: `${table}.${column}`, ends }));

  test('every column that may hold some is listed, or is known to hold none', () => {
    const known = new Set([...listed.map(({ name }) => name), ...Object.keys(IMPERSONAL)]);
    const suspicious = [...columns].filter((name) => SUSPICIOUS.test(name.split('.')[1] ?? ''));
    expect(suspicious.filter((name) => !known.has(name))).toEqual([]);
  });

  test('the lists name columns that exist', () => {
    expect(
      [...listed.map(({ name }) => name), ...Object.keys(IMPERSONAL)].filter((name) => !columns.has(name)),
    ).toEqual([]);
  });

  test('what ends by a job names one that there is', () => {
    const names = new Set(jobs.map(({ contract }) => contract.name));
    expect(listed.flatMap(({ ends }) => ('job' in ends && !names.has(ends.job) ? [ends.job] : []))).toEqual([]);
  });
});
