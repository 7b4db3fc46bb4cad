import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertTotals } from '../../../../tooling/test/totals.ts';
import type { World } from '../support/examples.ts';
import { allocateTo, assignedBudget, newPolicy, PRICE, redeemAs } from '../support/fixtures.ts';
import { dialects, startApp, tokenFor } from '../support/harness.ts';
import { attempt, work } from '../support/work.ts';

type Budget = Awaited<ReturnType<typeof assignedBudget>>;

describe.each(dialects)('bulk allocation on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    await assertTotals(world.db);
    await world.stop();
  });

  const admin = ({ customer }: Budget) => tokenFor('enterprise_admin', customer, 7);
  const path = ({ policy }: Budget) => `/api/v1/policy-allocation/${policy}/`;
  const bulk = (budget: Budget, body: object) =>
    world.call('POST', `${path(budget)}allocate-in-bulk/`, admin(budget), {
      content_key: budget.course,
      content_price_cents: PRICE,
      ...body,
    });
  const report = (budget: Budget, uuid: string, query = '') =>
    world.call('GET', `${path(budget)}bulk-allocations/${uuid}/${query}`, admin(budget));
  const emails = (count: number) => Array.from({ length: count }, (_, at) => `learner-${at}@bulk.example`);
  const rich = (count: number) => assignedBudget(world, { balance: count * PRICE, limit: count * PRICE });
  const allocated = async (budget: Budget) =>
    Number(
      (
        await world
          .db('assignments')
          .where({ assignment_configuration_uuid: budget.configuration, state: 'allocated' })
          .countDistinct({ n: 'learner_email_key' })
          .first()
      )?.n,
    );
  const runBulk = () => work(world, { only: 'assignments.allocateBatch' });

  test('one call answers with a job that callers can follow, and with an outcome for each learner', async () => {
    const budget = await rich(10);
    await allocateTo(world, budget, ['held@bulk.example']);
    const made = await bulk(budget, {
      learner_emails: ['New@bulk.example', 'new@BULK.example', ' held@bulk.example', 'no address', 'two@bulk.example'],
    });
    expect(made).toMatchObject({ status: 202, body: { learner_count: 4 } });
    const job = () => world.call('GET', `/api/v1/jobs/${made.body.job_uuid}/`, admin(budget));
    expect((await job()).body).toMatchObject({ state: 'waiting' });
    expect(
      (await report(budget, made.body.uuid)).body.items.map(({ outcome }: { outcome: string }) => outcome),
    ).toEqual(['waiting', 'waiting', 'invalid_address', 'waiting']);
    await runBulk();
    expect((await job()).body).toMatchObject({
      state: 'completed',
      done: 4,
      total: 4,
      result: { created: 2, updated: 0, unchanged: 1, failed: 1 },
    });
    expect((await report(budget, made.body.uuid)).body).toMatchObject({
      count: 4,
      items: [
        { learner_email: 'New@bulk.example', outcome: 'created' },
        { learner_email: 'held@bulk.example', outcome: 'no_change' },
        { learner_email: 'no address', outcome: 'invalid_address' },
        { learner_email: 'two@bulk.example', outcome: 'created' },
      ],
    });
    expect((await report(budget, made.body.uuid, '?only_failed=true')).body.items).toEqual([
      { learner_email: 'no address', outcome: 'invalid_address' },
    ]);
    const stranger = await rich(1);
    const foreign = await world.call('GET', `${path(stranger)}bulk-allocations/${made.body.uuid}/`, admin(stranger));
    expect(foreign.status).toBe(404);
  });

  test.each([
    ['a column that is named', 'name,Email\nA,a@bulk.example\n"B, C",b@bulk.example\n'],
    ['no header', 'a@bulk.example\r\nb@bulk.example'],
    ['a byte order mark and empty lines', '\uFEFFlearner_email\na@bulk.example\n\nb@bulk.example\n'],
    ['semicolons', '\uFEFFname;E-mail;email\r\nA;;a@bulk.example\r\nB;;b@bulk.example\r\n'],
    ['tabs, and a name of two lines', 'email address\tname\na@bulk.example\tA\nb@bulk.example\t"B\nof C"\n'],
    ['blanks of all kinds and lines of nothing', '\u00a0a@bulk.example ,A\n,,\n \n"b@bulk.example\u3000"\n'],
  ])('CSV with %s', async (_what, csv) => {
    const budget = await rich(10);
    const made = await bulk(budget, { csv });
    expect(made).toMatchObject({ status: 202, body: { learner_count: 2 } });
    await runBulk();
    expect(await allocated(budget)).toBe(2);
    const [action] = await world.db('assignment_actions').where({ enterprise_customer_uuid: budget.customer });
    expect(action.source).toBe('admin_ui_bulk_csv');
  });

  test('bad lists are refused before anything is stored', async () => {
    const budget = await rich(10);
    for (const body of [{}, { learner_emails: [] }, { csv: '' }, { csv: '"open', learner_emails: ['a@bulk.example'] }])
      expect((await bulk(budget, body)).status, JSON.stringify(body)).toBe(400);
    expect((await bulk(budget, { csv: 'name,email\nA,\n' })).body).toEqual({ csv: ['This list may not be empty.'] });
    expect((await bulk(budget, { csv: emails(50_001).join('\n') })).body).toEqual({
      csv: ['Ensure this field has no more than 50000 elements.'],
    });
    expect((await bulk(budget, { csv: 'email\n"open' })).body).toEqual({ csv: ['The text is not valid CSV.'] });
    expect((await bulk(budget, { learner_emails: ['a@bulk.example'], content_price_cents: 1 })).body).toMatchObject([
      { reason: 'PriceValidationError' },
    ]);
  });

  test('as many learners are taken in as the contract says, in either form', async () => {
    const budget = await rich(1);
    const domain = `${'a'.repeat(60)}.example`;
    const all = Array.from({ length: 50_000 }, (_, at) => `learner-${at}@${domain}`);
    const whole = { status: 202, body: { learner_count: 50_000 } };
    expect(await bulk(budget, { learner_emails: all })).toMatchObject(whole);
    expect(await bulk(budget, { csv: `email\n${all.join('\n')}` })).toMatchObject(whole);
    await world.db('outbox').whereNull('sent').update({ sent: new Date() });
  });

  test('money for some of them: the first ones of the list are allocated, the rest is tried again on request', async () => {
    const budget = await rich(7);
    const made = await bulk(budget, { learner_emails: emails(10) });
    await runBulk();
    const failed = await report(budget, made.body.uuid, '?only_failed=true');
    expect(failed.body).toMatchObject({ count: 3, items: [{ learner_email: 'learner-7@bulk.example' }, {}, {}] });
    expect(failed.body.items[0].outcome).toBe('not_enough_value_in_subsidy');
    const resume = () =>
      world.call('POST', `${path(budget)}bulk-allocations/${made.body.uuid}/resume/`, admin(budget), {});
    await world
      .db('policies')
      .where({ uuid: budget.policy })
      .increment('spend_limit_cents', 10 * PRICE);
    await world
      .db('ledgers')
      .whereIn('uuid', world.db('subsidies').where({ uuid: budget.subsidy }).select('ledger_uuid'))
      .increment('balance_cents', 2 * PRICE);
    expect(await resume()).toMatchObject({ status: 202, body: { learner_count: 3 } });
    await runBulk();
    expect((await report(budget, made.body.uuid, '?only_failed=true')).body.count).toBe(1);
    expect(await allocated(budget)).toBe(9);
    await world.db('policies').where({ uuid: budget.policy }).update({ retired: true });
    await resume();
    await runBulk();
    expect((await report(budget, made.body.uuid, '?only_failed=true')).body.items).toMatchObject([
      { outcome: 'policy_expired' },
    ]);
    await world
      .db('ledgers')
      .whereIn('uuid', world.db('subsidies').where({ uuid: budget.subsidy }).select('ledger_uuid'))
      .decrement('balance_cents', 2 * PRICE);
  });

  test('R-ASG-03: a retry after the end of the subsidy does not allocate', async () => {
    const budget = await rich(2);
    const made = await bulk(budget, { learner_emails: emails(3) });
    await runBulk();
    const subsidy = () => world.db('subsidies').where({ uuid: budget.subsidy });
    const ledger = () => world.db('ledgers').whereIn('uuid', subsidy().select('ledger_uuid'));
    await world.db('policies').where({ uuid: budget.policy }).increment('spend_limit_cents', PRICE);
    await ledger().increment('balance_cents', PRICE);
    await subsidy().update({ expiration_datetime: new Date(world.world.now.getTime() - 1) });
    await world.call('POST', `${path(budget)}bulk-allocations/${made.body.uuid}/resume/`, admin(budget), {});
    await runBulk();
    expect((await report(budget, made.body.uuid, '?only_failed=true')).body.items).toEqual([
      { learner_email: 'learner-2@bulk.example', outcome: 'subsidy_expired' },
    ]);
    expect(await allocated(budget)).toBe(2);
    await ledger().decrement('balance_cents', PRICE);
  });

  test('interrupted half-way and started again, every learner has it once', async () => {
    const budget = await rich(5_000);
    await bulk(budget, { learner_emails: emails(5_000), suppress_email: true });
    // The third statement that inserts assignments does not come back, as if the process had died there.
    let inserts = 0;
    const interrupt = ({ sql }: { sql: string }) => {
      if (!/insert into .assignments. /.test(sql)) return;
      inserts += 1;
      if (inserts === 2) throw new Error('killed');
    };
    world.db.on('query', interrupt);
    const [first] = await runBulk();
    world.db.off('query', interrupt);
    expect(first?.error).toBeInstanceOf(Error);
    expect(await allocated(budget)).toBe(2_000);
    const { payload = {} } = first ?? {};
    expect((await attempt(world, 'assignments.allocateBatch', payload)).result).toEqual({
      created: 5_000,
      updated: 0,
      unchanged: 0,
      failed: 0,
    });
    expect(await allocated(budget)).toBe(5_000);
    expect((await attempt(world, 'assignments.allocateBatch', payload)).result).toMatchObject({ created: 5_000 });
    const [{ allocated_cents: held }] = await world.db('policies').where({ uuid: budget.policy });
    expect(held).toBe(5_000 * PRICE);
  });

  test('the number of SQL statements per 1,000 learners is constant and at most twelve', async () => {
    const statementsFor = async (count: number): Promise<number> => {
      const budget = await rich(count);
      await bulk(budget, { learner_emails: emails(count) });
      let statements = 0;
      const add = () => {
        statements += 1;
      };
      world.db.on('query', add);
      await runBulk();
      world.db.off('query', add);
      expect(await allocated(budget)).toBe(count);
      return statements;
    };
    const [two, four, six] = [await statementsFor(2_000), await statementsFor(4_000), await statementsFor(6_000)];
    expect(six - four).toBe(four - two);
    expect((six - four) / 2).toBeLessThanOrEqual(12);
  });

  test('twenty administrators and money for four hundred, while learners redeem: every total is exact', async () => {
    const learners = Array.from({ length: 40 }, (_, at) => 9_000 + at);
    const budget = await assignedBudget(world, { balance: 430 * PRICE, limit: 400 * PRICE, learners });
    const direct = await newPolicy(world, {
      customer: budget.customer,
      subsidy: budget.subsidy,
      spendLimit: 20 * PRICE,
    });
    for (const id of learners.slice(0, 20)) {
      await world.call(
        'GET',
        `/api/v1/assignment-configurations/${budget.configuration}/assignments/`,
        tokenFor('enterprise_learner', budget.customer, id, { email: `learner-${id}@test.example` }),
      );
    }
    // The first twenty learners hold it, so that they can redeem while the others are allocated.
    const first = await allocateTo(
      world,
      budget,
      learners.slice(0, 20).map((id) => `learner-${id}@test.example`),
    );
    expect(first.status).toBe(202);
    // Lists overlap: every administrator has 30 learners of his own and 20 that the next one has too.
    const listOf = (admin: number) =>
      Array.from({ length: 50 }, (_, at) =>
        at < 30 ? `own-${admin}-${at}@storm.example` : `shared-${(admin + (at % 2)) % 20}-${at >> 1}@storm.example`,
      );
    const [allocations, redemptions, directs] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, (_, at) => allocateTo(world, budget, listOf(at)))),
      Promise.all(learners.slice(0, 20).map((id) => redeemAs(world, budget.policy, budget.customer, id, budget.run))),
      Promise.all(learners.slice(20).map((id) => redeemAs(world, direct, budget.customer, id, budget.run))),
    ]);
    const all = [...allocations, ...redemptions, ...directs];
    expect(all.filter(({ status }) => status >= 500)).toEqual([]);
    expect(redemptions.map(({ status }) => status)).toEqual(Array(20).fill(200));
    const refused = allocations.filter(({ status }) => status === 422);
    expect(allocations.every(({ status }) => status === 202 || status === 422)).toBe(true);
    expect(refused.length).toBeGreaterThan(0);
    const [policy] = await world.db('policies').where({ uuid: budget.policy });
    expect(policy.spent_cents).toBe(20 * PRICE);
    expect(policy.spent_cents + policy.allocated_cents).toBeLessThanOrEqual(400 * PRICE);
    // Whatever did not fit as a whole list fits as far as there is money: in the end exactly 400.
    const made = await bulk(budget, {
      learner_emails: Array.from({ length: 500 }, (_, at) => `fill-${at}@storm.example`),
    });
    expect(made.status).toBe(202);
    await runBulk();
    const [full] = await world.db('policies').where({ uuid: budget.policy });
    expect(full.spent_cents + full.allocated_cents).toBe(400 * PRICE);
    const [counted] = await world
      .db('assignments')
      .where({ assignment_configuration_uuid: budget.configuration })
      .whereIn('state', ['allocated', 'accepted'])
      .count({ n: '*' })
      .countDistinct({ learners: 'learner_email_key' });
    expect(counted).toEqual({ n: 400, learners: 400 });
    // The subsidy pays what is promised and no more: 430 less 400 leaves 30, of which the direct policy may take 20.
    expect(directs.filter(({ status }) => status === 200)).toHaveLength(20);
  });
});
