import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { allocateTo, assignedBudget, PRICE, redeemAs, spentOf } from '../support/fixtures.ts';
import { dialects, startApp } from '../support/harness.ts';
import { assignmentRequests, type Budget } from './requests.ts';

describe.each(dialects)('allocation to whom the content was allocated before on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { post, rows, held, typesOf, login } = assignmentRequests(() => world);

  test('worked example 4: repeats and learners who hold the content are neither allocated nor charged again', async () => {
    const budget = await assignedBudget(world, { learners: [11] });
    await allocateTo(world, budget, ['Alice@foo.com', 'learner-11@test.example']);
    await login(budget, 11);
    expect((await redeemAs(world, budget.policy, budget.customer, 11, budget.run)).status).toBe(200);
    const again = await allocateTo(
      world,
      budget,
      ['ALICE@foo.com', 'learner-11@test.example', 'LEARNER-11@test.example', 'eugene@foo.com'],
      { content_price_cents: PRICE - 100 },
    );
    expect(again.status).toBe(202);
    expect(again.body.created.map((each: { learner_email: string }) => each.learner_email)).toEqual(['eugene@foo.com']);
    expect(again.body.no_change.map((each: { learner_email: string }) => each.learner_email)).toEqual([
      'Alice@foo.com',
      'learner-11@test.example',
    ]);
    expect(again.body.no_change[0].content_quantity).toBe(-PRICE);
    expect(await held(budget.policy)).toBe(2 * PRICE - 100);
    expect(await spentOf(world, budget.policy)).toBe(PRICE);
  });

  test('worked example 5: an expired row whose address was cleared starts again with the address of the caller', async () => {
    const budget = await assignedBudget(world, { learners: [41] });
    await login(budget, 41);
    await allocateTo(world, budget, ['learner-41@test.example']);
    const [row] = await rows(budget);
    await world
      .db('assignments')
      .where({ uuid: row.uuid })
      .update({ learner_email: 'retired_user0123456789abcdef@retired.invalid' });
    await expire(budget, row);
    const again = await allocateTo(world, budget, ['Learner-41@test.example']);
    expect(again.body.created).toEqual([]);
    expect(again.body.updated).toMatchObject([
      { uuid: row.uuid, state: 'allocated', learner_email: 'Learner-41@test.example', lms_user_id: 41 },
    ]);
    expect(await rows(budget)).toMatchObject([{ expired_at: null, errored_at: null }]);
    expect(typesOf(again.body.updated[0])).toEqual(['allocated', 'reallocated']);
  });

  /** Ends an assignment without anybody's mail. */
  const expire = async (budget: Budget, row: { uuid: string; price_cents: number; content_key: string }) => {
    await world.db('assignments').where({ uuid: row.uuid }).update({ state: 'expired', expired_at: world.world.now });
    await world.db('policies').where({ uuid: budget.policy }).decrement('allocated_cents', row.price_cents);
    await world
      .db('ledgers')
      .whereIn('uuid', world.db('subsidies').where({ uuid: budget.subsidy }).select('ledger_uuid'))
      .decrement('reserved_cents', row.price_cents);
    for (const key of ['', row.content_key]) {
      const at = { assignment_configuration_uuid: budget.configuration, content_key: key };
      await world
        .db('assignment_counts')
        .where({ ...at, status_class: 0 })
        .decrement('n', 1);
      await world.db('assignment_counts').insert({
        ...at,
        enterprise_customer_uuid: budget.customer,
        status_class: 2,
        n: 1,
      });
    }
  };

  test('worked example 6: a learner whose address has changed has one row, with the new address', async () => {
    const budget = await assignedBudget(world, { learners: [51] });
    await login(budget, 51, 'old@x.com');
    await allocateTo(world, budget, ['old@x.com']);
    const [row] = await rows(budget);
    await post(budget, 'cancel', { assignment_uuids: [row.uuid] });
    await login(budget, 51, 'new@x.com');
    const again = await allocateTo(world, budget, ['new@x.com']);
    expect(again.body.updated).toMatchObject([{ uuid: row.uuid, learner_email: 'new@x.com', lms_user_id: 51 }]);
    expect(await rows(budget)).toHaveLength(1);
  });

  test('W3: a learner who holds the content under a new address is not allocated it again under the old one', async () => {
    const budget = await assignedBudget(world, { learners: [52] });
    await login(budget, 52, 'old-52@x.com');
    const old = (await allocateTo(world, budget, ['old-52@x.com'])).body.created[0].uuid;
    await post(budget, 'cancel', { assignment_uuids: [old] });
    await allocateTo(world, budget, ['newer-52@x.com']);
    await login(budget, 52, 'newer-52@x.com');
    const holds = { updated: [], created: [], no_change: [{ learner_email: 'newer-52@x.com', lms_user_id: 52 }] };
    expect(await allocateTo(world, budget, ['old-52@x.com'])).toMatchObject({ status: 202, body: holds });
    expect(await allocateTo(world, budget, ['newer-52@x.com', 'old-52@x.com'])).toMatchObject({
      status: 202,
      body: holds,
    });
    expect(await held(budget.policy)).toBe(PRICE);
  });

  test('W3: two addresses of one account are one learner, in whatever order they are named', async () => {
    for (const emails of [
      ['then-53@x.com', 'now-53@x.com'],
      ['now-53@x.com', 'then-53@x.com'],
    ]) {
      const budget = await assignedBudget(world, { learners: [53] });
      await login(budget, 53, 'then-53@x.com');
      const then = (await allocateTo(world, budget, ['then-53@x.com'])).body.created[0].uuid;
      await post(budget, 'cancel', { assignment_uuids: [then] });
      await login(budget, 53, 'now-53@x.com');
      const reply = await allocateTo(world, budget, emails);
      expect(reply, emails.join()).toMatchObject({ status: 202, body: { updated: [{ uuid: then }], created: [] } });
      expect(await held(budget.policy)).toBe(PRICE);
      // What waited under the new address is only now known to be the same learner's.
      const other = await assignedBudget(world, { learners: [53] });
      await login(other, 53, 'then-53@x.com');
      const first = (await allocateTo(world, other, ['then-53@x.com'])).body.created[0].uuid;
      await post(other, 'cancel', { assignment_uuids: [first] });
      await allocateTo(world, other, ['now-53@x.com']);
      await world.db('users').where({ lms_user_id: 53 }).update({ email: 'now-53@x.com' });
      expect((await allocateTo(world, other, emails)).status, emails.join()).toBe(202);
      expect(await held(other.policy)).toBe(PRICE);
    }
  });

  test('a failed assignment that is cancelled while it is allocated again leaves the counters true', async () => {
    const budget = await assignedBudget(world, { learners: [54] });
    const [created] = (await allocateTo(world, budget, ['a@x.example'])).body.created;
    await post(budget, 'cancel', { assignment_uuids: [created.uuid] });
    await fail(budget, created);
    const reached = Promise.withResolvers<void>();
    const watch = ({ sql }: { sql: string }) => {
      if (/insert into .assignments. |from .assignments. .* for update/.test(sql)) reached.resolve();
    };
    const again = await world.records.ignoring(() =>
      world.db.transaction(async (trx) => {
        await trx('assignments').where({ uuid: created.uuid }).forUpdate().first('uuid');
        world.db.on('query', watch);
        const reply = allocateTo(world, budget, ['a@x.example']);
        await reached.promise;
        await reclassify(trx, budget, created, { state: 'cancelled', from: 4, to: 6 });
        return { reply };
      }),
    );
    world.db.removeListener('query', watch);
    expect(await again.reply).toMatchObject({ status: 202, body: { updated: [{ uuid: created.uuid }] } });
    expect(await auditBooks(world.db)).toEqual([]);
  });

  const fail = (budget: Budget, row: { uuid: string; content_key: string }) =>
    world.records.ignoring(() =>
      world.db.transaction((trx) => reclassify(trx, budget, row, { state: 'errored', from: 6, to: 4 })),
    );
  /** Moves an assignment that holds nothing from one class to another, with the counters. */
  const reclassify = async (
    trx: World['db'],
    budget: Budget,
    row: { uuid: string; content_key: string },
    { state, from, to }: { state: string; from: number; to: number },
  ) => {
    await trx('assignments').where({ uuid: row.uuid }).update({ state });
    for (const [statusClass, n] of [
      [from, -1],
      [to, 1],
    ] as const) {
      for (const content of ['', row.content_key]) {
        const at = {
          assignment_configuration_uuid: budget.configuration,
          content_key: content,
          status_class: statusClass,
        };
        if ((await trx('assignment_counts').where(at).increment('n', n)) === 0)
          await trx('assignment_counts').insert({ ...at, enterprise_customer_uuid: budget.customer, n });
      }
    }
  };
});
