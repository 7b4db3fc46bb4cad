import { randomUUID } from 'node:crypto';
import { dialectOf } from '@enterprise-access/db';
import { contentWith } from '@enterprise-access/domain/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { assignedBudget, PRICE, redeemAs, trpcData } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { attempt, work } from '../support/work.ts';

const DAY_MS = 86_400_000;
const adminOf = (customer: string): string => tokenFor('enterprise_admin', customer, 8);

/** Columns in which a text is found, in any case of its letters, whatever their type. */
async function columnsWith(world: World, text: string): Promise<string[]> {
  const isMysql = dialectOf(world.db) === 'mysql';
  const columns: { t: string; c: string }[] = await world
    .db('information_schema.columns')
    .whereRaw(`table_schema = ${isMysql ? 'database()' : "'public'"}`)
    .select({ t: 'table_name', c: 'column_name' });
  const found: string[] = [];
  for (const { t, c } of columns) {
    const held = `lower(cast(?? as ${isMysql ? 'char' : 'text'})) like ?`;
    if (
      await world
        .db(t)
        .whereRaw(held, [c, `%${text.toLowerCase()}%`])
        .first()
    )
      found.push(`${t}.${c}`);
  }
  return found.toSorted();
}

describe.each(dialects)('the trail on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  /** A budget whose course has everything that mails name. */
  const budgetWith = async (wish: Parameters<typeof assignedBudget>[1] = {}) => {
    const budget = await assignedBudget(world, wish);
    const details = { ...contentWith({}).details, partners: [{ name: 'edX', logoImageUrl: null }] };
    for (const key of [budget.course, budget.run])
      world.world.contents.set(key, contentWith({ contentKey: budget.course, courseRunKey: budget.run, details }));
    return budget;
  };
  const allocate = async (
    budget: Awaited<ReturnType<typeof assignedBudget>>,
    emails: readonly string[],
    headers = {},
  ) => {
    const path = `/api/v1/policy-allocation/${budget.policy}/allocate/`;
    const body = { learner_emails: emails, content_key: budget.course, content_price_cents: PRICE };
    const reply = await world.call('POST', path, adminOf(budget.customer), body, headers);
    expect(reply.status, JSON.stringify(reply.body)).toBe(202);
  };

  test('everything that followed from one allocation of 1,000 learners is found by one id', {
    timeout: 120_000,
  }, async () => {
    const cents = 2_000 * PRICE;
    const budget = await budgetWith({ learners: [1_601], balance: cents, limit: cents });
    const correlationId = randomUUID();
    const emails = Array.from({ length: 1_000 }, (_, at) => `learner-${1_601 + at}@test.example`);
    await allocate(budget, emails, { 'x-correlation-id': correlationId });
    const messages: { uuid: string; kind: string; name: string; sent: Date | null }[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page: { items: typeof messages; nextCursor: string | null } = await trpcData(
        world,
        'audit.followups',
        { correlationId, enterpriseCustomerUuid: budget.customer, pageSize: 300, ...(cursor ? { cursor } : {}) },
        adminOf(budget.customer),
      );
      messages.push(...page.items);
      cursor = page.nextCursor;
    }
    const stored = await world.db('outbox').where({ enterprise_customer_uuid: budget.customer }).orderBy('position');
    expect(messages.map(({ uuid }) => uuid)).toEqual(
      stored
        .filter(({ name }) => name !== 'audit.writeExport' && !name.endsWith('ledger-transaction.created.v1'))
        .map(({ uuid }) => uuid),
    );
    expect(messages.filter(({ name }) => name === 'assignments.notify')).toHaveLength(1_000);

    const token = tokenFor('enterprise_learner', budget.customer, 1_601, { email: emails[0] ?? '' });
    const path = `/api/v1/assignment-configurations/${budget.configuration}/assignments/`;
    expect((await world.call('GET', path, token)).body.count).toBe(1);
    expect((await redeemAs(world, budget.policy, budget.customer, 1_601, budget.run)).status).toBe(200);
    // One of the mails is sent, and noted as a change that follows.
    const mail = stored.findLast(({ name }) => name === 'assignments.notify');
    const payload = typeof mail.payload === 'string' ? JSON.parse(mail.payload) : mail.payload;
    expect(
      (await attempt(world, 'assignments.notify', payload, { correlationId: mail.correlation_id })).error,
    ).toBeNull();
    const { items } = await trpcData<{ items: { operation: string; changeCount: number }[] }>(
      world,
      'audit.list',
      { correlationId, enterpriseCustomerUuid: budget.customer },
      adminOf(budget.customer),
    );
    expect(items.map(({ operation }) => operation)).toEqual([
      'assignments.notify',
      'redemptions.redeem',
      'login',
      'policies.allocate',
    ]);
    expect(items.at(-1)?.changeCount).toBe(1_000);
    await world.db('outbox').whereNull('sent').update({ sent: new Date() });
    await world.db('assignment_configurations').update({ active: false });
  });

  test('after its retirement an address is in no column of any table, and what is hidden never held it', async () => {
    const address = 'Forget.Me@Private.example';
    const budget = await budgetWith();
    await allocate(budget, [address]);
    const before = await columnsWith(world, address);
    expect(before).toEqual(expect.arrayContaining(['assignments.learner_email', 'audit_changes.learner_email']));
    expect(before.filter((name) => /_values$/.test(name))).toEqual([]);
    await work(world);
    const path = `/api/v1/assignment-configurations/${budget.configuration}/admin/assignments/remind-all/`;
    expect((await world.call('POST', path, adminOf(budget.customer), {})).status).toBe(202);
    // A file that was written before does not keep it either.
    const input = { enterpriseCustomerUuid: budget.customer, learnerEmail: address };
    await trpcData(world, 'audit.export', input, adminOf(budget.customer));
    await work(world);
    world.world.now = new Date(world.world.now.getTime() + 91 * DAY_MS);
    await attempt(world, 'assignments.expire', {});
    await work(world);
    // Nobody has written this one yet.
    const { uuid } = await trpcData<{ uuid: string }>(world, 'audit.export', input, adminOf(budget.customer));
    expect((await attempt(world, 'assignments.retireAddresses', {})).result).toEqual({ cleared: 1 });
    expect(await columnsWith(world, address)).toEqual([]);
    const { items } = await trpcData<{ items: unknown[] }>(world, 'audit.list', input, operatorToken());
    expect(items).toEqual([]);
    await work(world);
    const part = await trpcData(world, 'audit.exportPart', { uuid }, adminOf(budget.customer));
    expect(part).toMatchObject({ content: '', nextCursor: null });
    // That it was retired is told, without the address.
    const [assignment] = await world.db('assignments').where({ enterprise_customer_uuid: budget.customer });
    const life = await trpcData<{ items: { sentence: string; change: object }[] }>(
      world,
      'audit.timeline',
      { subjectUuid: assignment.uuid, order: 'newest' },
      adminOf(budget.customer),
    );
    expect(life.items[0]).toMatchObject({
      sentence: expect.stringMatching(/^The job assignments.retireAddresses forgot the address of the assignment/),
      change: { learnerEmail: null, note: 'address_retired' },
    });
  });
});
