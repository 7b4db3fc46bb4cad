import { newUuid } from '@enterprise-access/domain';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Input, World } from '../support/examples.ts';
import { allocateTo, assignedBudget, newBudget, POLICIES, trpcData, trpcError } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { attempt, work } from '../support/work.ts';

interface Part {
  readonly content: string;
  readonly lineCount: number;
  readonly nextCursor: string | null;
}

const adminOf = (customer: string): string => tokenFor('enterprise_admin', customer, 8);

describe.each(dialects)('an export on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  const ask = (input: Input, token: string) =>
    trpcData<{ uuid: string; jobUuid: string }>(world, 'audit.export', input, token);
  async function download(uuid: string, token: string) {
    let text = '';
    let parts = 0;
    for (let cursor: string | null | undefined; cursor !== null; parts += 1) {
      const input: Input = { uuid, ...(cursor === undefined ? {} : { cursor }) };
      const part: Part = await trpcData<Part>(world, 'audit.exportPart', input, token);
      text += part.content;
      cursor = part.nextCursor;
    }
    return { text, parts };
  }
  const linesOf = (text: string) =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));

  test('holds a line for each change of the filter, oldest first, and nothing of another customer', async () => {
    const [budget, other] = [await assignedBudget(world), await assignedBudget(world)];
    for (const each of [budget, other]) await allocateTo(world, each, ['ann@test.example', 'bob@test.example']);
    await world.call('PATCH', `${POLICIES}${budget.policy}/`, operatorToken(), { description: 'new' });
    const token = adminOf(budget.customer);
    const { uuid, jobUuid } = await ask({ enterpriseCustomerUuid: budget.customer, format: 'jsonl' }, token);
    const empty = await trpcData<Part>(world, 'audit.exportPart', { uuid }, token);
    expect(empty).toMatchObject({ content: '', lineCount: 0, nextCursor: expect.any(String) });
    await work(world);
    const { text } = await download(uuid, token);
    const lines = linesOf(text);
    expect(lines.filter(({ subject_kind: kind }) => kind === 'assignment')).toHaveLength(2);
    expect(lines.at(-1)).toMatchObject({
      operation: 'policies.update',
      after: { description: 'new' },
      request_id: null,
    });
    expect(lines.map((line) => line.entry_uuid)).toEqual(lines.map((line) => line.entry_uuid).toSorted());
    expect(new Set(lines.map((line) => line.enterprise_customer_uuid))).toEqual(new Set([budget.customer]));
    expect(text).not.toContain('@');
    const job = await world.call('GET', `/api/v1/jobs/${jobUuid}/`, token);
    expect(job.body).toMatchObject({ state: 'completed', result: { lineCount: lines.length, partCount: 1 } });
    expect(await trpcError(world, 'audit.exportPart', { uuid }, adminOf(other.customer))).toMatchObject({
      status: 403,
    });
  });

  test('of the staff is not shown to the customer', async () => {
    const { customer } = await newBudget(world);
    const { uuid } = await ask({ enterpriseCustomerUuid: customer }, operatorToken());
    await work(world);
    expect(await trpcError(world, 'audit.exportPart', { uuid }, adminOf(customer))).toMatchObject({ status: 404 });
    const { text } = await download(uuid, operatorToken());
    expect(parse(text, { columns: true })[0]).toMatchObject({
      operation: 'ledger.createSubsidy',
      request_id: expect.stringMatching(/./),
    });
  });

  test('as CSV gives a spreadsheet no formula', async () => {
    const { customer, policy } = await newBudget(world);
    const reason = '=HYPERLINK("http://evil.example","x")';
    for (const text of [reason, '+1', '-1', '@SUM(A1)', '\tx'])
      await trpcData(world, 'policies.deactivate', { uuid: policy, reason: text }).then(() =>
        world.db('policies').where({ uuid: policy }).update({ active: true, retired: false }),
      );
    const token = operatorToken();
    const { uuid } = await ask({ enterpriseCustomerUuid: customer, operation: 'policies.deactivate' }, token);
    await work(world);
    const { text } = await download(uuid, token);
    const reasons = parse(text, { columns: true }).map((row: unknown) => (row as { reason: string }).reason);
    expect(reasons.length).toBeGreaterThan(0);
    expect(reasons[0]).toBe(`'${reason}`);
    for (const each of reasons) expect(each).toMatch(/^'/);
  });

  test('of many changes comes in parts, and an attempt that is cut off is taken up where it was', async () => {
    const { customer } = await newBudget(world);
    const now = new Date();
    const entries = Array.from({ length: 30 }, (_, at) => ({ uuid: newUuid(), at }));
    await world.db.batchInsert(
      'audit_entries',
      entries.map(({ uuid }) => ({
        uuid,
        created: now,
        enterprise_customer_uuid: customer,
        operation: 'test.many',
        source: 'system',
        correlation_id: uuid,
      })),
    );
    // One entry alone is longer than a part; one has no changes.
    const sizeOf = (at: number) => (at === 7 ? 2_500 : at === 9 ? 0 : 40);
    const changes = entries.flatMap(({ uuid, at }) =>
      Array.from({ length: sizeOf(at) }, (_, position) => ({
        entry_uuid: uuid,
        position: position + 1,
        subject_kind: 'policy',
        subject_uuid: uuid,
        action: 'updated',
        enterprise_customer_uuid: customer,
      })),
    );
    await world.db.batchInsert('audit_changes', changes, 500);
    const token = adminOf(customer);
    const { uuid } = await ask({ enterpriseCustomerUuid: customer, operation: 'test.many', format: 'jsonl' }, token);
    // As if the process had died after the first part.
    await world.db('outbox').whereNull('sent').update({ sent: now });
    const payload = { exportUuid: uuid, enterpriseCustomerUuid: customer };
    const stored = world.db.client;
    let parts = 0;
    const cut = (query: { sql: string }) => {
      if (/^insert .*audit_export_parts/.test(query.sql)) parts += 1;
      if (parts === 2) throw new Error('The process died.');
    };
    stored.on('query', cut);
    const failed = await attempt(world, 'audit.writeExport', payload);
    stored.off('query', cut);
    expect(failed.error).not.toBeNull();
    const partial = await world.db('audit_export_parts').where({ export_uuid: uuid });
    expect(partial.length).toBe(1);
    const done = await attempt(world, 'audit.writeExport', payload);
    expect(done).toMatchObject({ error: null, result: { lineCount: changes.length + 1 } });
    const { text, parts: read } = await download(uuid, token);
    expect(read).toBe(done.result?.partCount);
    const places = linesOf(text).map((line) => [line.entry_uuid, line.position]);
    const expected = entries.flatMap(({ uuid: entry, at }): (string | number | null)[][] =>
      at === 9 ? [[entry, null]] : Array.from({ length: sizeOf(at) }, (_, position) => [entry, position + 1]),
    );
    expect(places).toEqual(expected);
    expect(await attempt(world, 'audit.writeExport', payload)).toMatchObject({ result: done.result });
  });

  test('forgets what was looked for when it is written, and is deleted after some days', async () => {
    const budget = await assignedBudget(world);
    await allocateTo(world, budget, ['sought@test.example']);
    const input = { enterpriseCustomerUuid: budget.customer, learnerEmail: 'Sought@test.example', format: 'jsonl' };
    const { uuid } = await ask(input, adminOf(budget.customer));
    await work(world);
    expect(linesOf((await download(uuid, adminOf(budget.customer))).text)).toHaveLength(1);
    expect(await world.db('audit_exports').where({ uuid }).first('filter')).toEqual({ filter: null });
    const days = { auditExportDays: 7 };
    await attempt(world, 'housekeeping.expire', days);
    expect(await world.db('audit_export_parts').where({ export_uuid: uuid })).toHaveLength(1);
    world.world.now = new Date(world.world.now.getTime() + 8 * 86_400_000);
    const done = await attempt(world, 'housekeeping.expire', days);
    expect(done.error).toBeNull();
    expect(await world.db('audit_export_parts').where({ export_uuid: uuid })).toEqual([]);
    expect(await world.db('audit_exports').where({ uuid })).toEqual([]);
  });
});
