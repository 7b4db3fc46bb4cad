import { randomUUID } from 'node:crypto';
import { timeText } from '@enterprise-access/db';
import { UpstreamRefusal } from '@enterprise-access/domain';
import { contentWith } from '@enterprise-access/domain/testing';
import { decodeJwt, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertTotals } from '../../../tooling/test/totals.ts';
import type { World } from './examples.ts';
import {
  allocateTo,
  assignedBudget,
  canRedeemAs,
  historyOf,
  newPolicy,
  newSubsidy,
  PRICE,
  redeemAs,
  reverseIn,
  spentOf,
  trpcData,
  trpcError,
} from './fixtures.ts';
import { dialects, operatorToken, SECRET, startApp, tokenFor } from './harness.ts';

type Budget = Awaited<ReturnType<typeof assignedBudget>>;

describe.each(dialects)('assignments on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    await assertTotals(world.db);
    await world.stop();
  });

  const admin = ({ customer }: Budget) => tokenFor('enterprise_admin', customer, 7);
  const adminPath = ({ configuration }: Budget) =>
    `/api/v1/assignment-configurations/${configuration}/admin/assignments/`;
  const list = (budget: Budget, query = '') => world.call('GET', `${adminPath(budget)}${query}`, admin(budget));
  const post = (budget: Budget, action: string, body?: object, query = '') =>
    world.call('POST', `${adminPath(budget)}${action}/${query}`, admin(budget), body);
  const rows = (budget: Budget) =>
    world.db('assignments').where({ assignment_configuration_uuid: budget.configuration }).orderBy('learner_email');
  const held = async (policy: string): Promise<number> =>
    (await world.db('policies').where({ uuid: policy }).first('allocated_cents')).allocated_cents;
  const typesOf = (assignment: { actions: { action_type: string }[] }) =>
    assignment.actions.map(({ action_type }) => action_type);
  const pass = (ms: number) => {
    world.world.now = new Date(world.world.now.getTime() + ms);
  };

  test('R-ASG-17: an allocation answers with the new assignments, and holds their value', async () => {
    const budget = await assignedBudget(world);
    const reply = await allocateTo(world, budget, ['a@x.example', 'b@x.example']);
    expect(reply.status).toBe(202);
    expect(reply.body.updated).toEqual([]);
    expect(reply.body.no_change).toEqual([]);
    expect(reply.body.created).toHaveLength(2);
    const [first] = reply.body.created;
    expect(first).toEqual({
      uuid: expect.any(String),
      assignment_configuration: budget.configuration,
      learner_email: 'a@x.example',
      lms_user_id: null,
      content_key: budget.course,
      parent_content_key: null,
      is_assigned_course_run: false,
      content_title: 'Demo',
      content_quantity: -PRICE,
      state: 'allocated',
      transaction_uuid: null,
      actions: [
        {
          created: timeText(world.world.now),
          modified: timeText(world.world.now),
          uuid: expect.any(String),
          action_type: 'allocated',
          completed_at: timeText(world.world.now),
          error_reason: null,
        },
      ],
      earliest_possible_expiration: {
        date: timeText(new Date(world.world.now.getTime() + 90 * 86_400_000)),
        reason: 'NINETY_DAYS_PASSED',
      },
    });
    expect(await held(budget.policy)).toBe(2 * PRICE);
    const policy = await world.call('GET', `/api/v1/subsidy-access-policies/${budget.policy}/`, operatorToken());
    expect(policy.body.aggregates).toMatchObject({
      amount_allocated_usd_cents: 2 * PRICE,
      spend_available_usd_cents: 8 * PRICE,
    });
    const [history] = await historyOf(world, 'assignments', first.uuid);
    expect(history).toMatchObject({ history_type: '+', snapshot: { state: 'allocated' } });
    // Personal data has no second copy.
    expect(JSON.stringify(history?.snapshot)).not.toContain('@');
  });

  test('a policy that moves to another subsidy in between is not allocated to, and both keep their value', async () => {
    const budget = await assignedBudget(world);
    const other = await newSubsidy(world, { customer: budget.customer });
    const runtime = world.runtime as { catalog: typeof world.runtime.catalog };
    const real = runtime.catalog;
    const moveTo = (subsidy: string) =>
      world.call('PATCH', `/api/v1/subsidy-access-policies/${budget.policy}/`, operatorToken(), {
        subsidy_uuid: subsidy,
      });
    const moving: typeof real.contains = async (...asked) => {
      expect((await moveTo(other)).status).toBe(200);
      return real.contains(...asked);
    };
    runtime.catalog = { ...real, contains: moving };
    const reply = await allocateTo(world, budget, ['a@x.example']).finally(() => {
      runtime.catalog = real;
    });
    expect(reply).toMatchObject({ status: 422, body: [{ reason: 'policy_expired' }] });
    await assertTotals(world.db);
    expect((await allocateTo(world, budget, ['a@x.example'])).status).toBe(202);
    expect(await moveTo(budget.subsidy)).toMatchObject({
      status: 400,
      body: {
        subsidy_uuid: ['Cannot change the subsidy of this policy while it has allocated assignments.'],
      },
    });
    await assertTotals(world.db);
  });

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

  /** The first request of a learner whose token brings address and account together. */
  const login = (budget: Budget, id: number, email = `learner-${id}@test.example`) =>
    world.call(
      'GET',
      `/api/v1/assignment-configurations/${budget.configuration}/assignments/`,
      tokenFor('enterprise_learner', budget.customer, id, { email }),
    );

  test('R-ASG-70: the first login of a learner links what waits for the address', async () => {
    const budget = await assignedBudget(world, { learners: [21] });
    await allocateTo(world, budget, ['Learner-21@TEST.example']);
    const own = await login(budget, 21);
    expect(own.body).toMatchObject({ count: 1, results: [{ lms_user_id: 21, state: 'allocated' }] });
    expect(await rows(budget)).toMatchObject([{ lms_user_id: 21 }]);
  });

  test.each([
    ['the token', 'kim@test.example', '\u212Aim@test.example'],
    ['the token, behind the at sign', 'kim@test.example', 'kim@te\u017Ft.example'],
  ])(
    'an address that only Unicode folds to another one links nothing and shows nothing: %s',
    async (_where, email, other) => {
      const budget = await assignedBudget(world, { learners: [23] });
      await allocateTo(world, budget, [email]);
      expect((await login(budget, 23, other)).body).toMatchObject({ count: 0 });
      expect(await rows(budget)).toMatchObject([{ lms_user_id: null }]);
      // Nor does a later allocation take the account of that token for the account of the address.
      const later = await assignedBudget(world, { learners: [23] });
      await allocateTo(world, later, [email]);
      expect(await rows(later)).toMatchObject([{ lms_user_id: null }]);
    },
  );

  test('an assignment whose stored address is not plain is nobody’s until its account is known', async () => {
    const budget = await assignedBudget(world, { learners: [24] });
    await allocateTo(world, budget, ['someone@test.example']);
    await world.db('assignments').where({ assignment_configuration_uuid: budget.configuration }).update({
      learner_email: '\u212Aai@test.example',
    });
    expect((await login(budget, 24, 'kai@test.example')).body).toMatchObject({ count: 0 });
    expect(await rows(budget)).toMatchObject([{ lms_user_id: null }]);
  });

  test('R-ASG-70: a token that brings only the account links what waits for the address that is stored', async () => {
    const budget = await assignedBudget(world, { learners: [22] });
    await allocateTo(world, budget, ['stored@test.example']);
    const made = { created: new Date(), modified: new Date() };
    await world.db('users').insert({ username: 'user-22', email: 'stored@test.example', ...made });
    const { email: _left, ...claims } = decodeJwt(tokenFor('enterprise_learner', budget.customer, 22));
    const token = new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET));
    await world.call('GET', '/api/v1/subsidy-access-policies/', await token);
    expect(await rows(budget)).toMatchObject([{ lms_user_id: 22 }]);
  });

  test('R-ASG-03: the checks come in their order', async () => {
    const budget = await assignedBudget(world, { limit: 10 * PRICE, balance: 100 * PRICE });
    const emails = (n: number) => Array.from({ length: n }, (_, at) => `many-${at}@x.example`);
    const priced = (cents: number, count = 1) =>
      allocateTo(world, budget, emails(count), { content_price_cents: cents });
    expect(await priced(1)).toMatchObject({
      status: 422,
      body: [
        {
          reason: 'PriceValidationError',
          user_message: 'An error occurred while validating the provided price.',
          error_message: `['Requested price 1 for ${budget.course} outside of acceptable interval on canonical course price of ${PRICE}.']`,
          policy_uuids: [budget.policy],
        },
      ],
    });
    expect(await priced(-1)).toMatchObject({
      status: 400,
      body: { content_price_cents: ['Ensure this value is greater than or equal to 0.'] },
    });
    expect(await priced(PRICE, 11)).toMatchObject({
      status: 422,
      body: [
        {
          reason: 'policy_spend_limit_reached',
          policy_uuids: [budget.policy],
          metadata: { enterprise_administrators: [] },
        },
      ],
    });
    // Equality passes.
    expect((await priced(PRICE, 10)).status).toBe(202);
    // A second identical call is not charged, so a full budget is no obstacle (W16).
    expect((await priced(PRICE, 10)).body.no_change).toHaveLength(10);
    const poor = await assignedBudget(world, { limit: 100 * PRICE, balance: 2 * PRICE });
    expect((await allocateTo(world, poor, emails(3))).body).toMatchObject([{ reason: 'not_enough_value_in_subsidy' }]);
    expect(await allocateTo(world, budget, ['no address'])).toMatchObject({
      status: 400,
      body: { learner_emails: { 0: ['Enter a valid email address.'] } },
    });
    expect((await allocateTo(world, budget, ['a@x.example'], { content_key: 'edX+Gone' })).body).toMatchObject([
      { reason: 'content_not_in_catalog' },
    ]);
    await world.db('policies').where({ uuid: budget.policy }).update({ retired: true });
    expect((await priced(PRICE)).body).toMatchObject([{ reason: 'policy_expired' }]);
    expect(await rows(poor)).toEqual([]);
  });

  test('W26: a policy of another type is refused with 422', async () => {
    const budget = await assignedBudget(world);
    const policy = await newPolicy(world, { customer: budget.customer, subsidy: budget.subsidy });
    const reply = await allocateTo(world, { ...budget, policy }, ['a@x.example']);
    expect(reply).toMatchObject({ status: 422, body: [{ reason: 'AllocationException', policy_uuids: [policy] }] });
  });

  test('W17: policies of one subsidy see what the others have allocated; direct redemptions do too', async () => {
    const budget = await assignedBudget(world, { balance: 3 * PRICE, learners: [31, 32, 33] });
    const sibling = await assignedBudget(world, { like: budget });
    const direct = await newPolicy(world, { customer: budget.customer, subsidy: budget.subsidy });
    expect((await allocateTo(world, budget, ['a@x.example', 'b@x.example'])).status).toBe(202);
    expect((await allocateTo(world, sibling, ['c@x.example', 'd@x.example'])).body).toMatchObject([
      { reason: 'not_enough_value_in_subsidy' },
    ]);
    expect((await redeemAs(world, direct, budget.customer, 31, budget.run)).status).toBe(200);
    expect(await redeemAs(world, direct, budget.customer, 32, budget.run)).toMatchObject({
      status: 422,
      body: [{ reason: 'not_enough_value_in_subsidy' }],
    });
    const { body } = await post(budget, 'cancel', { assignment_uuids: [(await rows(budget))[0].uuid] });
    expect(body).toBeNull();
    expect((await redeemAs(world, direct, budget.customer, 32, budget.run)).status).toBe(200);
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
      await world.db('assignment_counts').insert({ ...at, status_class: 2, n: 1 });
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

  test('W3: whoever holds the content under a new address is not allocated it again under the old one', async () => {
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
    const again = await world.db.transaction(async (trx) => {
      await trx('assignments').where({ uuid: created.uuid }).forUpdate().first('uuid');
      world.db.on('query', watch);
      const reply = allocateTo(world, budget, ['a@x.example']);
      await reached.promise;
      await reclassify(trx, budget, created, { state: 'cancelled', from: 4, to: 6 });
      return { reply };
    });
    world.db.removeListener('query', watch);
    expect(await again.reply).toMatchObject({ status: 202, body: { updated: [{ uuid: created.uuid }] } });
    await assertTotals(world.db);
  });

  const fail = (budget: Budget, row: { uuid: string; content_key: string }) =>
    world.db.transaction((trx) => reclassify(trx, budget, row, { state: 'errored', from: 6, to: 4 }));
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
          await trx('assignment_counts').insert({ ...at, n });
      }
    }
  };

  test('addresses are taken as the old services took them, and refused by their place in the list', async () => {
    const budget = await assignedBudget(world);
    const good = ["o'neil+r&d@x.example", 'a/b=c!#$%*?^_`{|}~-d@sub-domain.x.co', '1@2.xn--p1ai'];
    const reply = await allocateTo(world, budget, [` ${good[0]}\u00a0`, ...good.slice(1)]);
    expect(reply.status).toBe(202);
    expect(reply.body.created.map(({ learner_email }: { learner_email: string }) => learner_email)).toEqual(good);
    const bad = [
      'a@x',
      '.a@x.example',
      'a..b@x.example',
      'a@-x.example',
      'a b@x.example',
      'ä@x.example',
      `${'a'.repeat(250)}@x.example`,
    ];
    const refused = await allocateTo(world, budget, [good[0] as string, ...bad]);
    expect(refused.status).toBe(400);
    expect(Object.keys(refused.body.learner_emails)).toEqual(bad.map((_, at) => String(at + 1)));
    expect(refused.body.learner_emails[1]).toEqual(['Enter a valid email address.']);
  });

  test('worked example 7: what waits follows the advertised run; price and date stay, nothing is charged', async () => {
    const budget = await assignedBudget(world);
    await allocateTo(world, budget, ['a@x.example']);
    const [before] = await rows(budget);
    world.world.contents.set(
      budget.course,
      contentWith({ contentKey: budget.course, courseRunKey: `${budget.run}-next` }),
    );
    pass(1_000);
    const again = await allocateTo(world, budget, ['a@x.example'], { content_price_cents: PRICE - 1 });
    expect(again.body.updated).toMatchObject([{ uuid: before.uuid, content_quantity: -PRICE }]);
    // Worked example 2 of the audit: a row that is only touched has no action.
    expect(typesOf(again.body.updated[0])).toEqual(['allocated']);
    expect(await rows(budget)).toMatchObject([
      { preferred_course_run_key: `${budget.run}-next`, allocated_at: before.allocated_at, price_cents: PRICE },
    ]);
    expect(await held(budget.policy)).toBe(PRICE);
  });

  test('worked example 1 of the audit: actions say who allocated what', async () => {
    const budget = await assignedBudget(world);
    await allocateTo(world, budget, ['a@x.example', 'b@x.example']);
    const [a] = await rows(budget);
    await post(budget, 'cancel', { assignment_uuids: [a.uuid] });
    const reply = await allocateTo(world, budget, ['a@x.example', 'b@x.example', 'c@x.example']);
    expect([reply.body.updated, reply.body.no_change, reply.body.created].map(({ length }) => length)).toEqual([
      1, 1, 1,
    ]);
    const metadataOf = (value: unknown) => (typeof value === 'string' ? JSON.parse(value) : value);
    const batch = (await rows(budget)).find(
      ({ learner_email }) => learner_email === 'c@x.example',
    ).allocation_batch_uuid;
    const actions = (await world.db('assignment_actions').where({ enterprise_customer_uuid: budget.customer }))
      .map((action) => ({ ...action, metadata: metadataOf(action.metadata) }))
      .filter(({ metadata }) => metadata.allocation_batch_id === batch);
    expect(actions.map(({ action_type }) => action_type).sort()).toEqual(['allocated', 'reallocated']);
    for (const action of actions) {
      expect(action).toMatchObject({ actor_lms_user_id: 7, actor_type: 'admin', source: 'api', error_reason: null });
      expect(action.metadata).toMatchObject({
        correlation_id: batch,
        state_after: 'allocated',
        policy_uuid: budget.policy,
      });
    }
  });

  describe('redemption', () => {
    const allocatedTo = async (id: number, wish: Parameters<typeof assignedBudget>[1] = {}, price = PRICE) => {
      const budget = await assignedBudget(world, { learners: [id], ...wish });
      await login(budget, id);
      const reply = await allocateTo(world, budget, [`learner-${id}@test.example`], { content_price_cents: price });
      expect(reply.status, JSON.stringify(reply.body)).toBe(202);
      return { budget, uuid: reply.body.created[0].uuid as string };
    };

    test('R-ASG-28: the learner pays the price of the assignment, and the assignment is accepted with it', async () => {
      const { budget, uuid } = await allocatedTo(101, {}, PRICE - 500);
      const can = await canRedeemAs(world, budget.customer, 101, [budget.run]);
      expect(can.body[0]).toMatchObject({
        can_redeem: true,
        list_price: { usd_cents: PRICE - 500 },
        redeemable_subsidy_access_policy: { uuid: budget.policy },
      });
      const redeemed = await redeemAs(world, budget.policy, budget.customer, 101, budget.run);
      expect(redeemed).toMatchObject({ status: 200, body: { quantity: -(PRICE - 500), state: 'committed' } });
      expect(await rows(budget)).toMatchObject([
        {
          uuid,
          state: 'accepted',
          preferred_course_run_key: budget.run,
          transaction_uuid: redeemed.body.uuid,
          accepted_at: world.world.now,
          redemption_uuid: null,
        },
      ]);
      expect([await held(budget.policy), await spentOf(world, budget.policy)]).toEqual([0, PRICE - 500]);
      const view = await world.call('GET', `${adminPath(budget)}${uuid}/`, admin(budget));
      expect(view.body).toMatchObject({ state: 'accepted', learner_state: null, error_reason: null });
      expect(typesOf(view.body)).toEqual(['allocated', 'redeemed']);
      // The repeat answers with the first transaction.
      expect((await redeemAs(world, budget.policy, budget.customer, 101, budget.run)).body.uuid).toBe(
        redeemed.body.uuid,
      );
      const after = await canRedeemAs(world, budget.customer, 101, [budget.run]);
      expect(after.body[0]).toMatchObject({ has_successful_redemption: true, list_price: { usd_cents: PRICE - 500 } });
    });

    test('a learner without an assignment is refused, whatever the money', async () => {
      const { budget } = await allocatedTo(102, { learners: [102, 103] });
      expect(await redeemAs(world, budget.policy, budget.customer, 103, budget.run)).toMatchObject({
        status: 422,
        body: [
          {
            reason: 'reason_learner_not_assigned_content',
            user_message: "You can't enroll right now because this course is not assigned to you.",
          },
        ],
      });
    });

    test.each([
      ['cancelled', 'reason_learner_assignment_cancelled'],
      ['errored', 'reason_learner_assignment_failed'],
    ])('R-ASG-27: an assignment that is %s is not redeemed', async (state, reason) => {
      const { budget, uuid } = await allocatedTo(104);
      if (state === 'cancelled') await post(budget, 'cancel', { assignment_uuids: [uuid] });
      else await fail(budget, 104);
      expect((await redeemAs(world, budget.policy, budget.customer, 104, budget.run)).body).toMatchObject([{ reason }]);
      expect([await held(budget.policy), await spentOf(world, budget.policy)]).toEqual([0, 0]);
    });

    const fail = async (budget: Budget, id: number) => {
      world.world.enrollmentFault = () => Promise.reject(new UpstreamRefusal('lms', 409, {}));
      return redeemAs(world, budget.policy, budget.customer, id, budget.run).finally(() => {
        world.world.enrollmentFault = null;
      });
    };

    test('a refused enrolment leaves an errored assignment that holds nothing and can be allocated again', async () => {
      const { budget, uuid } = await allocatedTo(105);
      expect((await fail(budget, 105)).status).toBe(422);
      const view = await world.call('GET', `${adminPath(budget)}${uuid}/`, admin(budget));
      expect(view.body).toMatchObject({
        state: 'errored',
        learner_state: 'failed',
        error_reason: { action_type: 'redeemed', error_reason: 'enrollment_error' },
      });
      const again = await allocateTo(world, budget, ['learner-105@test.example']);
      expect(again.body.updated).toMatchObject([{ uuid, state: 'allocated' }]);
      expect((await redeemAs(world, budget.policy, budget.customer, 105, budget.run)).status).toBe(200);
    });

    test('worked example 17: a reversal ends the assignment; it is allocated and redeemed again', async () => {
      const { budget, uuid } = await allocatedTo(106);
      const first = await redeemAs(world, budget.policy, budget.customer, 106, budget.run);
      await reverseIn(world, budget.subsidy, first.body.uuid);
      await reverseIn(world, budget.subsidy, first.body.uuid);
      expect(await rows(budget)).toMatchObject([{ state: 'reversed', reversed_at: world.world.now }]);
      expect((await redeemAs(world, budget.policy, budget.customer, 106, budget.run)).body).toMatchObject([
        { reason: 'reason_learner_assignment_reversed', user_message: 'None' },
      ]);
      const again = await allocateTo(world, budget, ['learner-106@test.example']);
      expect(again.body.updated).toMatchObject([{ uuid, state: 'allocated', transaction_uuid: null }]);
      const second = await redeemAs(world, budget.policy, budget.customer, 106, budget.run);
      expect(second.status).toBe(200);
      expect(second.body.uuid).not.toBe(first.body.uuid);
      const view = await world.call('GET', `${adminPath(budget)}${uuid}/`, admin(budget));
      expect(typesOf(view.body)).toEqual(['allocated', 'redeemed', 'reversed', 'reallocated', 'redeemed']);
    });

    test('W11: with two runs of one course assigned, each is redeemed as itself', async () => {
      const budget = await assignedBudget(world, { learners: [107] });
      await login(budget, 107);
      const other = `${budget.run}-2`;
      world.world.contents.set(other, contentWith({ contentKey: budget.course, courseRunKey: other }));
      for (const content_key of [budget.run, other]) {
        const reply = await allocateTo(world, budget, ['learner-107@test.example'], { content_key });
        expect(reply.body.created).toMatchObject([
          { content_key, parent_content_key: budget.course, is_assigned_course_run: true },
        ]);
      }
      for (const key of [budget.run, other])
        expect((await redeemAs(world, budget.policy, budget.customer, 107, key)).status).toBe(200);
      expect((await rows(budget)).map(({ state }) => state)).toEqual(['accepted', 'accepted']);
    });

    test('R-ASG-91, worked example 19 of policies: support allocates and redeems at its price', async () => {
      const budget = await assignedBudget(world, { learners: [108] });
      const forced = await world.call('POST', `/api/v1/policy-redemption/${budget.policy}/force/`, operatorToken(), {
        lms_user_id: 108,
        content_key: budget.run,
        content_price_cents: 200,
      });
      expect(forced.status, JSON.stringify(forced.body)).toBe(200);
      expect(await spentOf(world, budget.policy)).toBe(200);
      expect(await rows(budget)).toMatchObject([
        {
          learner_email: 'learner-108@test.example',
          lms_user_id: 108,
          price_cents: 200,
          state: 'accepted',
          transaction_uuid: forced.body.transaction_uuid,
        },
      ]);
      const [made] = await world.db('ledger_transactions').where({ uuid: forced.body.transaction_uuid });
      expect(made.metadata).toEqual(
        typeof made.metadata === 'string'
          ? expect.stringContaining('allow_late_enrollment')
          : { allow_late_enrollment: true },
      );
    });

    test('a forced redemption passes no limit', async () => {
      const budget = await assignedBudget(world, { learners: [109], limit: 100 });
      const forced = await world.call('POST', `/api/v1/policy-redemption/${budget.policy}/force/`, operatorToken(), {
        lms_user_id: 109,
        content_key: budget.run,
        content_price_cents: 200,
      });
      expect(forced).toMatchObject({ status: 422, body: [{ reason: 'policy_spend_limit_reached' }] });
      expect(await rows(budget)).toEqual([]);
    });

    test('R-ASG-43, worked example 16: credits show what the learner has not acknowledged', async () => {
      const { budget, uuid } = await allocatedTo(110);
      const token = tokenFor('enterprise_learner', budget.customer, 110);
      const credits = async () =>
        (
          await world.call(
            'GET',
            `/api/v1/policy-redemption/credits_available/?enterprise_customer_uuid=${budget.customer}&lms_user_id=110`,
            token,
          )
        ).body;
      expect(await credits()).toMatchObject([
        {
          uuid: budget.policy,
          learner_content_assignments: [
            {
              uuid,
              state: 'allocated',
              learner_acknowledged: null,
              actions: [{ action_type: 'allocated', learner_acknowledged: null }],
              content_metadata: { start_date: null, course_type: null, partners: [] },
            },
          ],
        },
      ]);
      const acknowledge = (uuids: string[]) =>
        world.call(
          'POST',
          `/api/v1/assignment-configurations/${budget.configuration}/acknowledge-assignments/`,
          token,
          {
            assignment_uuids: uuids,
          },
        );
      expect(await acknowledge([uuid])).toMatchObject({ status: 200, body: { unacknowledged_assignments: [uuid] } });
      await post(budget, 'cancel', { assignment_uuids: [uuid] });
      expect(await credits()).toMatchObject([
        { learner_content_assignments: [{ uuid, state: 'cancelled', learner_acknowledged: false }] },
      ]);
      expect(await acknowledge([uuid])).toMatchObject({ status: 201, body: { acknowledged_assignments: [uuid] } });
      expect(await acknowledge([uuid])).toMatchObject({
        status: 200,
        body: { already_acknowledged_assignments: [uuid] },
      });
      expect(await credits()).toEqual([]);
      pass(1_000);
      await allocateTo(world, budget, ['learner-110@test.example']);
      pass(1_000);
      await post(budget, 'cancel', { assignment_uuids: [uuid] });
      expect((await acknowledge([uuid])).status).toBe(201);
      const foreign = randomUUID();
      expect(await acknowledge([foreign])).toMatchObject({
        status: 400,
        body: { error: `No assignments found for assignment_uuids=['${foreign}'] and lms_user_id=110.` },
      });
    });
  });

  describe('lists', () => {
    test('worked example 12: what cannot be cancelled makes 422, and the rest is cancelled', async () => {
      const budget = await assignedBudget(world, { learners: [201] });
      await login(budget, 201);
      await allocateTo(world, budget, ['a@x.example', 'learner-201@test.example']);
      await redeemAs(world, budget.policy, budget.customer, 201, budget.run);
      const [a, accepted] = await rows(budget);
      const reply = await post(budget, 'cancel', { assignment_uuids: [a.uuid, accepted.uuid] });
      expect(reply).toMatchObject({ status: 422, body: null });
      expect((await rows(budget)).map(({ state }) => state)).toEqual(['cancelled', 'accepted']);
      expect(await post(budget, 'cancel', { assignment_uuids: [a.uuid] })).toMatchObject({ status: 200, body: null });
      expect((await post(budget, 'cancel', { assignment_uuids: [a.uuid, a.uuid] })).status).toBe(422);
      expect((await post(budget, 'cancel', { assignment_uuids: [randomUUID()] })).status).toBe(422);
      expect((await post(budget, 'cancel', { assignment_uuids: [] })).status).toBe(200);
      expect(await post(budget, 'cancel', {})).toMatchObject({
        status: 400,
        body: { assignment_uuids: ['This field is required.'] },
      });
      expect(await post(budget, 'cancel', { assignment_uuids: ['x'] })).toMatchObject({
        status: 400,
        body: { assignment_uuids: { 0: ['Must be a valid UUID.'] } },
      });
      expect(await held(budget.policy)).toBe(0);
    });

    test('worked example 13: reminding what does not wait sends nothing and answers 200', async () => {
      const budget = await assignedBudget(world, { learners: [202] });
      await login(budget, 202);
      await allocateTo(world, budget, ['learner-202@test.example']);
      await redeemAs(world, budget.policy, budget.customer, 202, budget.run);
      const [row] = await rows(budget);
      expect(await post(budget, 'remind', { assignment_uuids: [row.uuid] })).toMatchObject({ status: 200, body: null });
      expect((await post(budget, 'remind', { assignment_uuids: [randomUUID()] })).status).toBe(422);
      expect((await post(budget, 'remind-all')).status).toBe(404);
    });

    test('worked examples 13 and 14: counts ignore states; cancel-all takes what the filter matches', async () => {
      const budget = await assignedBudget(world, { learners: [203] });
      await login(budget, 203);
      await allocateTo(world, budget, ['a@x.example', 'b@x.example', 'c@x.example', 'learner-203@test.example']);
      await redeemAs(world, budget.policy, budget.customer, 203, budget.run);
      const counts = [{ learner_state: 'notifying', count: 3 }];
      expect((await list(budget)).body).toMatchObject({
        count: 4,
        num_pages: 1,
        start: 0,
        learner_state_counts: counts,
      });
      expect((await list(budget, '?learner_state=failed')).body).toMatchObject({
        count: 0,
        results: [],
        learner_state_counts: counts,
      });
      expect((await list(budget, '?state=accepted')).body).toMatchObject({
        count: 1,
        results: [{ state: 'accepted' }],
      });
      expect((await list(budget, '?state__in=accepted,allocated&page_size=2&page=2')).body).toMatchObject({
        count: 4,
        current_page: 2,
      });
      expect((await list(budget, '?learner_email=A@x.example')).body).toMatchObject({
        count: 1,
        learner_state_counts: [{ learner_state: 'notifying', count: 1 }],
      });
      expect((await list(budget, '?learner_email__in=a@x.example,B@x.example')).body.count).toBe(2);
      expect((await list(budget, '?lms_user_id=203')).body.count).toBe(1);
      expect((await list(budget, `?content_key__in=${encodeURIComponent(budget.course)},other`)).body.count).toBe(4);
      expect((await list(budget, '?content_key=other')).body).toMatchObject({ count: 0, learner_state_counts: [] });
      expect((await list(budget, '?search=B%40X,demo')).body.count).toBe(1);
      expect((await list(budget, '?search=%25')).body.count).toBe(0);
      expect((await list(budget, '?state=nonsense')).status).toBe(400);
      expect(await list(budget, '?page=9')).toMatchObject({ status: 404, body: { detail: 'Invalid page.' } });
      expect((await post(budget, 'cancel-all', undefined, '?learner_state=waiting')).status).toBe(404);
      expect(await post(budget, 'cancel-all', undefined, '?learner_state__in=waiting,failed,notifying')).toMatchObject({
        status: 202,
        body: null,
      });
      expect((await rows(budget)).map(({ state }) => state)).toEqual([
        'cancelled',
        'cancelled',
        'cancelled',
        'accepted',
      ]);
      expect((await list(budget)).body.learner_state_counts).toEqual([]);
      expect((await post(budget, 'cancel-all')).status).toBe(404);
    });

    test('a filter in both of its forms means what both match, and an empty one is none', async () => {
      const budget = await assignedBudget(world);
      await allocateTo(world, budget, ['a@x.example', 'b@x.example', 'c@x.example']);
      const of = async (query: string) =>
        (await list(budget, `?${query}`)).body.results
          .map(({ learner_email }: { learner_email: string }) => learner_email[0])
          .sort()
          .join('');
      expect(await of('learner_email=a@x.example&learner_email__in=a@x.example,b@x.example')).toBe('a');
      expect(await of('learner_email__in=a@x.example,b@x.example&learner_email=c@x.example')).toBe('');
      expect(await of('learner_email=a@x.example&learner_email=b@x.example')).toBe('b');
      expect(await of('learner_email=&state=&state__in=&learner_state__in=&search=')).toBe('abc');
      await post(budget, 'cancel', { assignment_uuids: [(await rows(budget))[0].uuid] });
      expect((await post(budget, 'cancel-all', undefined, '?state=errored&state__in=errored,allocated')).status).toBe(
        404,
      );
      expect((await rows(budget)).map(({ state }) => state)).toEqual(['cancelled', 'allocated', 'allocated']);
    });

    test('words are found whatever their case, in every alphabet and with signs that are patterns elsewhere', async () => {
      const budget = await assignedBudget(world);
      const title = 'Économie & Ökologie: 100%_sicher!';
      world.world.contents.set(
        budget.course,
        contentWith({ contentKey: budget.course, courseRunKey: budget.run, title }),
      );
      await allocateTo(world, budget, ['Some.One@x.example', 'other@x.example']);
      for (const [words, found] of [
        ['ÉCONOMIE', 2],
        ['économie, ÖKO', 2],
        ['100%_SICHER!', 2],
        ['100__sicher', 0],
        ['économie some.one', 1],
        ['économie nobody', 0],
      ] as const)
        expect((await list(budget, `?search=${encodeURIComponent(words)}`)).body.count, words).toBe(found);
    });

    test('every order is total, both ways, on every combination of filters', async () => {
      const budget = await assignedBudget(world, { limit: 1_000 * PRICE, balance: 1_000 * PRICE });
      for (let n = 0; n < 12; n += 1) {
        pass(1_000);
        await allocateTo(world, budget, [`p${n}@x.example`], { content_price_cents: PRICE - (n % 3) });
      }
      const all = await rows(budget);
      await post(budget, 'cancel', { assignment_uuids: all.slice(0, 4).map(({ uuid }) => uuid) });
      for (const filter of [
        '',
        'state=allocated',
        'state__in=allocated,cancelled',
        `content_key=${encodeURIComponent(budget.course)}`,
        'learner_state=notifying',
        'search=x.example',
      ]) {
        for (const ordering of ['recent_action_time', 'learner_state_sort_order', 'content_quantity']) {
          const read = async (sign: string) => {
            const found: { uuid: string; recent_action: { timestamp: string }; content_quantity: number }[] = [];
            for (let page = 1; page <= 3; page += 1) {
              const reply = await list(budget, `?${filter}&ordering=${sign}${ordering}&page_size=5&page=${page}`);
              if (reply.status === 200) found.push(...reply.body.results);
            }
            return found;
          };
          const [up, down] = [await read(''), await read('-')];
          const name = `${filter} ${ordering}`;
          expect(up.length, name).toBe(/allocated$|notifying/.test(filter) ? 8 : 12);
          expect(
            up.map(({ uuid }) => uuid),
            name,
          ).toEqual(down.map(({ uuid }) => uuid).toReversed());
          if (ordering === 'content_quantity')
            expect(
              up.map((each) => each.content_quantity),
              name,
            ).toEqual(up.map((each) => each.content_quantity).toSorted((a, b) => a - b));
          if (ordering === 'recent_action_time')
            expect(
              up.map((each) => each.recent_action.timestamp),
              name,
            ).toEqual(up.map((each) => each.recent_action.timestamp).toSorted());
        }
      }
    });

    test('the tRPC transport allocates, lists and cancels like the other one', async () => {
      const budget = await assignedBudget(world);
      const at = { assignmentConfigurationUuid: budget.configuration };
      const allocated = await trpcData<{ created: { uuid: string; contentQuantity: number }[] }>(
        world,
        'policies.allocate',
        {
          policyUuid: budget.policy,
          contentKey: budget.course,
          contentPriceCents: PRICE,
          learnerEmails: ['trpc@x.example'],
        },
      );
      const uuid = allocated.created[0]?.uuid ?? '';
      const listed = await trpcData<{ items: object[]; learnerStateCounts: object[] }>(world, 'assignments.list', {
        ...at,
        state: ['allocated'],
      });
      expect(listed).toMatchObject({
        count: 1,
        items: [{ uuid, learnerState: 'notifying', contentQuantity: -PRICE }],
        learnerStateCounts: [{ learnerState: 'notifying', count: 1 }],
      });
      expect((await list(budget)).body.results).toMatchObject([
        { uuid, learner_state: 'notifying', content_quantity: -PRICE },
      ]);
      expect(await trpcData(world, 'assignments.cancel', { ...at, assignmentUuids: [uuid] })).toEqual({
        changed: [uuid],
      });
      const stranger = randomUUID();
      expect(await trpcError(world, 'assignments.cancel', { ...at, assignmentUuids: [uuid, stranger] })).toMatchObject({
        status: 422,
        code: 'not_all_changed',
        details: { changed: [uuid], unchanged: [stranger] },
      });
      expect(await trpcError(world, 'assignments.cancelAll', at)).toMatchObject({
        status: 404,
        code: 'nothing_to_change',
      });
    });

    test('W20: no administrator and no learner reaches rows of another configuration, whatever uuid is in the path', async () => {
      const [own, other] = [
        await assignedBudget(world, { learners: [301] }),
        await assignedBudget(world, { learners: [302] }),
      ];
      for (const [budget, id] of [
        [own, 301],
        [other, 302],
      ] as const) {
        await login(budget, id);
        await allocateTo(world, budget, [`learner-${id}@test.example`, `colleague-${id}@test.example`]);
      }
      const foreign = (await rows(other)).map(({ uuid }) => uuid as string);
      const before = await rows(other);
      const through = `/api/v1/assignment-configurations/${own.configuration}/`;
      const learner = tokenFor('enterprise_learner', own.customer, 301, { email: 'learner-301@test.example' });
      for (const uuid of foreign) {
        expect((await world.call('GET', `${through}admin/assignments/${uuid}/`, admin(own))).status).toBe(404);
        expect((await world.call('GET', `${through}admin/assignments/${uuid}/`, operatorToken())).status).toBe(404);
        expect((await world.call('GET', `${through}assignments/${uuid}/`, learner)).status).toBe(404);
        expect((await world.call('GET', `${adminPath(other)}${uuid}/`, admin(own))).status).toBe(403);
      }
      for (const action of ['cancel', 'remind'])
        expect((await post(own, action, { assignment_uuids: foreign })).status).toBe(422);
      expect((await post(own, 'nudge', { assignment_uuids: foreign, days_before_course_start_date: 3 })).status).toBe(
        422,
      );
      const acknowledged = await world.call('POST', `${through}acknowledge-assignments/`, learner, {
        assignment_uuids: foreign,
      });
      expect(acknowledged.status).toBe(400);
      // A learner sees neither colleagues nor, with another account, rows under the same address that have an owner.
      const seen = await world.call('GET', `${through}assignments/`, learner);
      expect(seen.body.results.map((each: { learner_email: string }) => each.learner_email)).toEqual([
        'learner-301@test.example',
      ]);
      const impostor = tokenFor('enterprise_learner', own.customer, 399, { email: 'learner-301@test.example' });
      expect((await world.call('GET', `${through}assignments/`, impostor)).body.count).toBe(0);
      expect(await rows(other)).toEqual(before);
    });

    test('configurations are made, switched off and on, with history', async () => {
      const customer = (await assignedBudget(world)).customer;
      const path = '/api/v1/assignment-configurations/';
      const made = await world.call('POST', path, operatorToken(), { enterprise_customer_uuid: customer });
      expect(made).toMatchObject({
        status: 201,
        body: { subsidy_access_policy: null, enterprise_customer_uuid: customer, active: true },
      });
      const own = `${path}${made.body.uuid}/`;
      expect(await world.call('PATCH', own, operatorToken(), { active: true, b: 1, a: 2 })).toMatchObject({
        status: 400,
        body: { non_field_errors: ['Field(s) are not updatable: a, b'] },
      });
      expect((await world.call('DELETE', own, operatorToken(), { reason: 'done' })).body).toMatchObject({
        active: false,
      });
      expect((await world.call('DELETE', own, operatorToken())).body).toMatchObject({ active: false });
      expect((await world.call('PUT', own, operatorToken(), { active: true })).body).toMatchObject({ active: true });
      const found = await world.call(
        'GET',
        `${path}?enterprise_customer_uuid=${customer}&active=true`,
        operatorToken(),
      );
      expect(found.body).toMatchObject({ count: 2 });
      const history = await historyOf(world, 'assignment_configurations', made.body.uuid);
      expect(history.map(({ history_type, reason }) => [history_type, reason])).toEqual([
        ['+', null],
        ['~', 'done'],
        ['~', null],
      ]);
    });
  });
});
