import { randomUUID } from 'node:crypto';
import { decisionsStored, type Settings } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  allocateTo,
  assignedBudget,
  canRedeemAs,
  isUuid,
  newBudget,
  newCourse,
  PRICE,
  redeemAs,
  trpcData,
  trpcError,
} from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { attempt, work } from '../support/work.ts';

const PATH = '/api/v1/redemption-decisions/';

interface Decision {
  readonly uuid: string;
  readonly created: Date;
  readonly kind: string;
  readonly verdict: string;
  readonly reason: string | null;
  readonly policyUuid: string | null;
  readonly lmsUserId: number | null;
  readonly contentKey: string | null;
  readonly learnerCount: number;
  readonly redemptionUuid: string | null;
  readonly requestId: string | null;
  readonly facts: Record<string, unknown> | null;
  readonly checks: readonly { name: string; rule: string | null; verdict: string; inputs: Record<string, unknown> }[];
}
interface Page {
  readonly items: readonly Decision[];
  readonly nextCursor: string | null;
}

const adminOf = (customer: string): string => tokenFor('enterprise_admin', customer, 900);

describe.each(dialects)('decisions on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  const list = async (customer: string, filter: Record<string, unknown> = {}, token = operatorToken()) => {
    await decisionsStored(world.db);
    return (
      await trpcData<Page>(world, 'redemptions.listDecisions', { enterpriseCustomerUuid: customer, ...filter }, token)
    ).items;
  };

  async function withSettings<T>(change: Partial<Settings>, run: () => Promise<T>): Promise<T> {
    const settings = world.runtime.settings as unknown as Record<string, unknown>;
    const before = { ...settings };
    Object.assign(settings, change);
    try {
      return await run();
    } finally {
      Object.assign(settings, before);
    }
  }

  const addressBook = (customer: string, ids: readonly number[]) =>
    ids.map((id) => world.world.learners.get(`${customer}:${id}`)?.email ?? expect.unreachable());

  describe('each kind', () => {
    test('a redemption leaves an allowed one with its uuid and its request; a repeat leaves none', async () => {
      const { customer, policy } = await newBudget(world);
      const key = newCourse(world);
      const token = tokenFor('enterprise_learner', customer, 1);
      const path = `/api/v1/policy-redemption/${policy}/redeem/`;
      const headers = { 'x-request-id': 'request-of-a-redeem' };
      const body = { lms_user_id: 1, content_key: key };
      const made = await world.call('POST', path, token, body, headers);
      expect(made.status).toBe(200);
      expect((await redeemAs(world, policy, customer, 1, key)).status).toBe(200);
      expect(await list(customer)).toEqual([
        expect.objectContaining({
          uuid: isUuid,
          kind: 'redeem',
          verdict: 'allowed',
          reason: null,
          policyUuid: policy,
          lmsUserId: 1,
          contentKey: key,
          learnerCount: 1,
          redemptionUuid: made.body.uuid,
          requestId: 'request-of-a-redeem',
        }),
      ]);
      const [decision] = await list(customer);
      expect(decision?.checks).toHaveLength(16);
      expect(decision?.checks.every(({ verdict, rule }) => verdict === 'passed' && /^R-/.test(rule ?? ''))).toBe(true);
    });

    test('a refusal can be looked up by what both transports say of it', async () => {
      const { customer, policy } = await newBudget(world, { learners: [1] });
      const key = newCourse(world, { priceCents: 2_000_000 });
      const rest = await redeemAs(world, policy, customer, 1, key);
      expect(rest.status).toBe(422);
      expect(rest.body[0]).not.toHaveProperty('decision_uuid');
      const token = tokenFor('enterprise_learner', customer, 1);
      const input = { policyUuid: policy, lmsUserId: 1, contentKey: key };
      const trpc = await trpcError(world, 'redemptions.redeem', input, token);
      expect(trpc).toMatchObject({ code: 'not_redeemable', details: { decisionUuid: isUuid } });
      const [second, first] = await list(customer);
      expect(rest.headers['x-decision-id']).toBe(first?.uuid);
      expect((trpc.details as { decisionUuid: string }).decisionUuid).toBe(second?.uuid);
      const found = await world.call('GET', `${PATH}${first?.uuid}/`, adminOf(customer));
      expect(found.status).toBe(200);
      expect(found.body).toMatchObject({ verdict: 'refused', reason: 'not_enough_value_in_subsidy' });
      expect(found.body.checks.find((check: { verdict: string }) => check.verdict === 'failed')).toEqual({
        name: 'not_enough_value_in_subsidy',
        rule: 'R-CHK-08',
        verdict: 'failed',
        inputs: { balanceCents: 1_000_000, heldForAssignmentsCents: 0, priceCents: 2_000_000 },
      });
    });

    test('a price that nobody knows, and content that the ledger cannot order', async () => {
      const { customer, policy } = await newBudget(world);
      const unknown = newCourse(world, { priceCents: null });
      const external = newCourse(world, { source: '2u', mode: 'paid-executive-education' });
      for (const key of [unknown, external]) {
        const refused = await redeemAs(world, policy, customer, 1, key);
        expect(refused.status).toBe(422);
        expect(refused.headers['x-decision-id']).toEqual(isUuid);
      }
      const [second, first] = await list(customer);
      expect([first?.reason, second?.reason]).toEqual(['price_unknown', 'fulfillment_error']);
      expect(second?.checks.at(-1)).toMatchObject({ name: 'fulfillment', verdict: 'failed' });
    });

    test('what others took in the meantime is refused by the reservation', async () => {
      const { customer, policy } = await newBudget(world, { learners: [1, 2, 3, 4], balance: PRICE });
      const key = newCourse(world);
      const replies = await Promise.all([1, 2, 3, 4].map((id) => redeemAs(world, policy, customer, id, key)));
      expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
      const decisions = await list(customer);
      expect(decisions.filter(({ verdict }) => verdict === 'allowed')).toHaveLength(1);
      expect(decisions).toHaveLength(4);
      for (const { reason } of decisions.filter(({ verdict }) => verdict === 'refused'))
        expect(reason).toBe('not_enough_value_in_subsidy');
      // A reservation that was rolled back has taken its decision with it.
      const made = await world.db('redemptions').where({ policy_uuid: policy }).select('uuid');
      expect(decisions.flatMap(({ redemptionUuid }) => redemptionUuid ?? [])).toEqual(made.map(({ uuid }) => uuid));
    });

    test('allocations have one for all learners, with their number; their redemption has its own', async () => {
      const budget = await assignedBudget(world, { learners: [1, 2], balance: 3 * PRICE, limit: 3 * PRICE });
      const emails = addressBook(budget.customer, [1, 2]);
      expect((await allocateTo(world, budget, emails)).status).toBe(202);
      // A first login links the assignment.
      const token = tokenFor('enterprise_learner', budget.customer, 1, { email: emails[0] ?? '' });
      const own = `/api/v1/assignment-configurations/${budget.configuration}/assignments/`;
      expect((await world.call('GET', own, token)).body.count).toBe(1);
      const redeemed = await redeemAs(world, budget.policy, budget.customer, 1, budget.run);
      expect(redeemed.status).toBe(200);
      const cheap = await allocateTo(world, budget, emails, { content_price_cents: 1 });
      const dear = await allocateTo(world, budget, ['a@x.example', 'b@x.example', 'c@x.example']);
      expect([cheap.status, dear.status]).toEqual([422, 422]);
      const decisions = (await list(budget.customer)).toReversed();
      expect(decisions).toMatchObject([
        { kind: 'allocate', verdict: 'allowed', learnerCount: 2, lmsUserId: null, contentKey: budget.course },
        { kind: 'redeem_assignment', verdict: 'allowed', lmsUserId: 1, redemptionUuid: redeemed.body.uuid },
        { kind: 'allocate', reason: 'price_out_of_bounds', learnerCount: 2 },
        { kind: 'allocate', reason: 'not_enough_value_in_subsidy', learnerCount: 3 },
      ]);
      expect([cheap, dear].map(({ headers }) => headers['x-decision-id'])).toEqual(
        decisions.slice(2).map(({ uuid }) => uuid),
      );
      expect(decisions[3]?.checks.at(-1)).toMatchObject({ name: 'reservation', verdict: 'failed' });
    });

    test('an allocation through a policy that allocates nothing', async () => {
      const { customer, policy } = await newBudget(world);
      const refused = await allocateTo(world, { customer, policy, course: 'edX+DemoX' }, ['a@x.example']);
      expect(refused.status).toBe(422);
      expect(await list(customer)).toMatchObject([
        { kind: 'allocate', reason: 'unsupported_policy_type', uuid: refused.headers['x-decision-id'] },
      ]);
    });

    test('a long list: one when it is taken in, and one for those whom the money did not reach', async () => {
      const budget = await assignedBudget(world, { balance: 2 * PRICE, limit: 2 * PRICE });
      const learner_emails = Array.from({ length: 5 }, (_, at) => `bulk-${at}@x.example`);
      const path = `/api/v1/policy-allocation/${budget.policy}/allocate-in-bulk/`;
      const body = { learner_emails, content_key: budget.course, content_price_cents: PRICE };
      expect((await world.call('POST', path, adminOf(budget.customer), body)).status).toBe(202);
      const done = await work(world, { only: 'assignments.allocateBatch' });
      expect(done.at(-1)?.result).toMatchObject({ created: 2, failed: 3 });
      expect((await list(budget.customer)).toReversed()).toMatchObject([
        { kind: 'allocate', verdict: 'allowed', learnerCount: 5 },
        { kind: 'allocate', verdict: 'refused', reason: 'not_enough_value_in_subsidy', learnerCount: 3 },
      ]);
    });

    test('forced redemptions, refused and made', async () => {
      const budget = await assignedBudget(world, { learners: [1], balance: PRICE, limit: PRICE });
      const force = (cents: number) =>
        world.call('POST', `/api/v1/policy-redemption/${budget.policy}/force/`, operatorToken(), {
          lms_user_id: 1,
          content_key: budget.run,
          content_price_cents: cents,
        });
      const dear = await force(PRICE + 1);
      expect(dear.status).toBe(422);
      expect((await force(PRICE)).status).toBe(200);
      expect((await list(budget.customer)).toReversed()).toMatchObject([
        { kind: 'force', reason: 'not_enough_value_in_subsidy', lmsUserId: 1, uuid: dear.headers['x-decision-id'] },
        { kind: 'force', verdict: 'allowed', lmsUserId: 1, redemptionUuid: isUuid },
      ]);
    });

    test('can-redeem leaves its refusals in one statement when it is sampled, and nothing otherwise', async () => {
      const { customer, policy } = await newBudget(world);
      const [known, unknown, other] = [newCourse(world), 'course-v1:no+such+run', 'course-v1:no+other+run'];
      const inserts: string[] = [];
      const note = ({ sql }: { sql: string }) => {
        if (/insert into .redemption_decisions/i.test(sql)) inserts.push(sql);
      };
      world.db.on('query', note);
      const ask = () => canRedeemAs(world, customer, 1, [known, unknown, other]);
      expect((await ask()).status).toBe(200);
      await withSettings({ decisionSampleCanRedeem: 0 }, ask);
      await decisionsStored(world.db);
      world.db.off('query', note);
      expect(inserts).toHaveLength(1);
      const decisions = await list(customer);
      expect(decisions.map(({ contentKey }) => contentKey).toSorted()).toEqual([other, unknown]);
      for (const decision of decisions)
        expect(decision).toMatchObject({ kind: 'can_redeem', reason: 'content_not_in_catalog', policyUuid: policy });
    });

    test('samples of many questions at once are stored together, behind their replies', async () => {
      const { customer } = await newBudget(world);
      const inserts: string[] = [];
      const note = ({ sql }: { sql: string }) => {
        if (/insert into .redemption_decisions/i.test(sql)) inserts.push(sql);
      };
      const ask = () => canRedeemAs(world, customer, 1, ['course-v1:no+such+run']);
      expect((await ask()).status).toBe(200);
      world.db.on('query', note);
      const replies = await Promise.all(Array.from({ length: 30 }, ask));
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
      await decisionsStored(world.db);
      world.db.off('query', note);
      expect(inserts.length).toBeLessThan(30);
      expect(await list(customer, { pageSize: 100 })).toHaveLength(31);
    });

    test('a sample depends on the request alone', async () => {
      const { customer } = await newBudget(world);
      const ask = (id: string) =>
        world.call(
          'GET',
          `/api/v1/policy-redemption/enterprise-customer/${customer}/can-redeem/?content_key=course-v1:no%2Bsuch%2Brun`,
          tokenFor('enterprise_learner', customer, 1),
          undefined,
          { 'x-request-id': id },
        );
      const ids = Array.from({ length: 60 }, (_, at) => `sample-${at}`);
      const sampled = async () => {
        for (const id of ids) expect((await ask(id)).status).toBe(200);
        const kept = new Map(Map.groupBy(await list(customer, { pageSize: 100 }), ({ requestId }) => requestId));
        return [...kept].map(([id, all]) => [id, all.length] as const);
      };
      const once = await withSettings({ decisionSampleCanRedeem: 0.3 }, sampled);
      expect(once.length).toBeGreaterThan(5);
      expect(once.length).toBeLessThan(40);
      const twice = await withSettings({ decisionSampleCanRedeem: 0.3 }, sampled);
      expect(twice.toSorted()).toEqual(once.map(([id]) => [id, 2]).toSorted());
    });

    test('can-request', async () => {
      const { customer } = await newBudget(world);
      const ask = (key: string) =>
        world.call(
          'GET',
          `/api/v1/policy-redemption/enterprise-customer/${customer}/can-request/?content_key=${encodeURIComponent(key)}`,
          tokenFor('enterprise_learner', customer, 1),
        );
      expect((await ask('edX+DemoX')).body).toEqual({
        can_request: false,
        reason: 'No policies with BnR enabled found',
      });
      expect((await ask('somebody@x.example')).status).toBe(200);
      expect((await list(customer)).toReversed()).toMatchObject([
        { kind: 'can_request', reason: 'no_request_policies', lmsUserId: 1, contentKey: 'edX+DemoX' },
        // Not the key of a course: callers may have written anything.
        { kind: 'can_request', reason: 'no_request_policies', lmsUserId: 1, contentKey: null },
      ]);
    });

    test('none are written and refusals name none when they are kept for no day', async () => {
      const { customer, policy } = await newBudget(world, { balance: 1 });
      await withSettings({ decisionDays: 0 }, async () => {
        const refused = await redeemAs(world, policy, customer, 1, newCourse(world));
        expect(refused.status).toBe(422);
        expect(refused.headers['x-decision-id']).toBeUndefined();
      });
      expect(await list(customer)).toEqual([]);
    });
  });

  test('no column holds an address', async () => {
    const rows: Record<string, unknown>[] = await world.db('redemption_decisions');
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) expect(JSON.stringify(row)).not.toContain('@');
  });

  describe('who sees them', () => {
    test('administrators those of their customer, without requests and facts; operators everything; learners none', async () => {
      const [own, others] = [await newBudget(world, { balance: 1 }), await newBudget(world, { balance: 1 })];
      for (const { policy, customer } of [own, others])
        expect((await redeemAs(world, policy, customer, 1, newCourse(world))).status).toBe(422);
      const admin = adminOf(own.customer);
      const [seen] = await list(own.customer, {}, admin);
      expect(seen).toMatchObject({ reason: 'not_enough_value_in_subsidy', requestId: null, facts: null });
      const [all] = await list(own.customer);
      expect(all).toMatchObject({ requestId: expect.any(String), facts: { v: 1, of: 'redemption' } });
      const [foreign] = await list(others.customer);
      const learner = tokenFor('enterprise_learner', own.customer, 1);
      for (const [token, path] of [
        [admin, `?enterprise_customer_uuid=${others.customer}`],
        [admin, `${foreign?.uuid}/`],
        [learner, `?enterprise_customer_uuid=${own.customer}`],
        [learner, `${seen?.uuid}/`],
      ] as const)
        expect((await world.call('GET', PATH + path, token)).status).toBe(403);
      // A filter of another customer finds nothing of it.
      expect(await list(own.customer, { policyUuid: others.policy }, admin)).toEqual([]);
      expect((await world.call('GET', `${PATH}${randomUUID()}/`, operatorToken())).status).toBe(404);
    });
  });

  describe('the list', () => {
    let customer: string;
    let policy: string;
    let keys: string[];
    beforeAll(async () => {
      ({ customer, policy } = await newBudget(world, { learners: [1, 2, 3], balance: 4 * PRICE }));
      keys = [newCourse(world), newCourse(world, { priceCents: 5 * PRICE })];
      for (const id of [1, 2, 3]) {
        for (const key of keys) {
          world.world.now = new Date(world.world.now.getTime() + 1_000);
          await redeemAs(world, policy, customer, id, key);
        }
      }
    });

    test.each([
      ['learner', () => ({ lmsUserId: 2 }), 2],
      ['policy', () => ({ policyUuid: policy }), 6],
      ['another policy', () => ({ policyUuid: randomUUID() }), 0],
      ['content', () => ({ contentKey: keys[0] }), 3],
      ['kind', () => ({ kind: 'redeem' }), 6],
      ['another kind', () => ({ kind: 'force' }), 0],
      ['verdict', () => ({ verdict: 'refused' }), 3],
      ['reason', () => ({ reason: 'not_enough_value_in_subsidy' }), 3],
      ['learner and verdict', () => ({ lmsUserId: 2, verdict: 'allowed' }), 1],
      ['no request', () => ({ requestId: 'no-such-request' }), 0],
      ['the last two seconds', () => ({ from: new Date(world.world.now.getTime() - 1_000) }), 2],
      ['before the last', () => ({ to: world.world.now }), 5],
    ])('by %s', async (_name, filter, count) => {
      expect(await list(customer, filter())).toHaveLength(count);
    });

    test('its pages hold everything once, newest first', async () => {
      for (const filter of [{}, { policyUuid: policy }]) {
        const seen: Decision[] = [];
        for (let cursor: string | undefined; ; ) {
          const input = { enterpriseCustomerUuid: customer, pageSize: 4, ...filter, ...(cursor ? { cursor } : {}) };
          const page = await trpcData<Page>(world, 'redemptions.listDecisions', input);
          seen.push(...page.items);
          if (page.nextCursor === null) break;
          cursor = page.nextCursor;
        }
        expect(seen).toHaveLength(6);
        expect(new Set(seen.map(({ uuid }) => uuid)).size).toBe(6);
        expect(seen.map(({ created }) => created.getTime())).toEqual(
          seen.map(({ created }) => created.getTime()).toSorted((a, b) => b - a),
        );
      }
      const wrong = await trpcError(world, 'redemptions.listDecisions', {
        enterpriseCustomerUuid: customer,
        cursor: Buffer.from('p2').toString('base64url'),
      });
      expect(wrong).toMatchObject({ code: 'invalid_input', details: { fields: { cursor: ['Invalid cursor.'] } } });
    });

    test('needs at most four statements', async () => {
      const token = operatorToken();
      for (const query of ['', '&lms_user_id=2', `&policy_uuid=${policy}`, '&verdict=refused', '&page_size=2']) {
        let statements = 0;
        const count = () => {
          statements += 1;
        };
        world.db.on('query', count);
        const { status } = await world.call('GET', `${PATH}?enterprise_customer_uuid=${customer}${query}`, token);
        world.db.off('query', count);
        expect(status).toBe(200);
        expect(statements).toBeLessThanOrEqual(4);
      }
    });

    test('an explanation links the last ones about the learner and the content', async () => {
      const path = `/api/v1/policy-redemption/enterprise-customer/${customer}/explain/`;
      const query = `policy_uuid=${policy}&lms_user_id=2&content_key=${encodeURIComponent(keys[1] ?? '')}`;
      const { status, body } = await world.call('GET', `${path}?${query}`, adminOf(customer));
      expect(status).toBe(200);
      expect(body.last_decisions).toMatchObject([{ verdict: 'refused', lms_user_id: 2, facts: null }]);
    });
  });

  describe('judged again', () => {
    test('real decisions of every kind get the same verdict; a changed fact shows up', async () => {
      const rejudge = async (payload: object = {}) =>
        (await attempt(world, 'redemptions.rejudge', { batch: 3, ...payload }, { dryRun: true })).result;
      const kinds = await world.db('redemption_decisions').distinct('kind');
      expect(kinds).toHaveLength(6);
      const { n } = (await world.db('redemption_decisions').count({ n: '*' }).first()) ?? {};
      expect(await rejudge()).toEqual({ judged: Number(n), skipped: 0, differing: 0, differences: [] });

      const { customer, policy } = await newBudget(world);
      expect((await redeemAs(world, policy, customer, 1, newCourse(world))).status).toBe(200);
      const [decision] = await list(customer);
      const facts = decision?.facts as { subsidy: object };
      const poorer = { ...facts, subsidy: { ...facts.subsidy, balanceCents: 0 } };
      await world
        .db('redemption_decisions')
        .where({ uuid: decision?.uuid })
        .update({ facts: JSON.stringify(poorer) });
      const difference = {
        was: 'allowed',
        is: 'not_enough_value_in_subsidy',
        count: 1,
        decisions: [decision?.uuid],
      };
      expect(await rejudge({ policyUuid: policy })).toEqual({
        judged: 1,
        skipped: 0,
        differing: 1,
        differences: [difference],
      });
      expect(await rejudge()).toMatchObject({ differing: 1, differences: [difference] });
      const later = new Date(world.world.now.getTime() + 1_000).toISOString();
      expect(await rejudge({ since: later })).toMatchObject({ judged: 0, differing: 0 });
    });
  });

  test('decisions are deleted after their days, in batches', async () => {
    const { customer, policy } = await newBudget(world, { learners: [1, 2, 3, 4, 5], balance: 1 });
    const now = world.world.now;
    const key = newCourse(world);
    const day = 86_400_000;
    try {
      for (const [id, days] of [
        [1, 91],
        [2, 90.01],
        [3, 89.9],
        [4, 0],
      ] as const) {
        world.world.now = new Date(now.getTime() - days * day);
        await redeemAs(world, policy, customer, id, key);
      }
    } finally {
      world.world.now = now;
    }
    expect(await list(customer)).toHaveLength(4);
    const expire = (dryRun: boolean) => attempt(world, 'redemptions.expireDecisions', { batch: 1 }, { dryRun });
    expect((await expire(true)).result).toEqual({ decisions: 2 });
    expect((await expire(false)).result).toEqual({ decisions: 2 });
    expect((await list(customer)).map(({ lmsUserId }) => lmsUserId)).toEqual([4, 3]);
    expect((await expire(false)).result).toEqual({ decisions: 0 });
  });
});
