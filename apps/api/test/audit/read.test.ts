import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Input, viaRest, viaTrpc, type World } from '../support/examples.ts';
import {
  allocateTo,
  assignedBudget,
  newBudget,
  operationNamed,
  operatorUserId,
  POLICIES,
  redeemAs,
  trpcData,
  trpcError,
} from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';

interface Change {
  readonly position: number;
  readonly subjectKind: string;
  readonly subjectUuid: string;
  readonly lmsUserId: number | null;
  readonly learnerEmail: string | null;
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
}
interface Entry {
  readonly uuid: string;
  readonly created: Date;
  readonly enterpriseCustomerUuid: string;
  readonly operation: string;
  readonly source: string;
  readonly actor: { readonly kind: string; readonly role: string; readonly userId: number | null };
  readonly correlationId: string;
  readonly reason: string | null;
  readonly requestId: string | null;
  readonly changes: readonly Change[];
  readonly changeCount: number;
}
interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

const adminOf = (customer: string): string => tokenFor('enterprise_admin', customer, 8);

describe.each(dialects)('the audit trail on %s', (dialect) => {
  let world: World;
  let budget: Awaited<ReturnType<typeof assignedBudget>>;
  let other: typeof budget;
  const correlations = new Map<string, string>();

  const list = (input: Input, token = operatorToken()) => trpcData<Page<Entry>>(world, 'audit.list', input, token);

  /** One customer's story: an allocation by an administrator, a redemption, and a change by the staff. */
  async function live(of: typeof budget): Promise<void> {
    const correlation = `allocation-${of.customer}`;
    correlations.set(of.customer, correlation);
    const body = { learner_emails: ['Ann@Test.example', 'bob@test.example'], content_key: of.course };
    const made = await world.call(
      'POST',
      `/api/v1/policy-allocation/${of.policy}/allocate/`,
      adminOf(of.customer),
      { ...body, content_price_cents: 14_900 },
      { 'x-correlation-id': correlation, 'x-request-id': `request-${of.customer}` },
    );
    expect(made.status, JSON.stringify(made.body)).toBe(202);
    const changed = await world.call('PATCH', `${POLICIES}${of.policy}/`, operatorToken(), {
      spend_limit: 1_000_00,
    });
    expect(changed.status, JSON.stringify(changed.body)).toBe(200);
  }

  beforeAll(async () => {
    world = await startApp(dialect);
    [budget, other] = [await assignedBudget(world), await assignedBudget(world)];
    for (const each of [budget, other]) await live(each);
  });
  afterAll(() => world.stop());

  test('staff see who did what, from where and why, newest first', async () => {
    const { items } = await list({ enterpriseCustomerUuid: budget.customer });
    expect(items.map(({ operation }) => operation).slice(0, 2)).toEqual(['policies.update', 'policies.allocate']);
    const [changed, allocated] = items;
    expect(changed).toMatchObject({
      source: 'rest',
      enterpriseCustomerUuid: budget.customer,
      actor: { kind: 'operator', role: 'policy_operator', userId: await operatorUserId(world) },
      changeCount: 1,
    });
    expect(changed?.changes[0]).toMatchObject({
      subjectKind: 'policy',
      subjectUuid: budget.policy,
      before: { spendLimitCents: 149_000 },
      after: { spendLimitCents: 100_000 },
    });
    expect(allocated).toMatchObject({
      correlationId: correlations.get(budget.customer),
      actor: { kind: 'administrator' },
    });
    expect(allocated?.requestId).not.toBeNull();
    expect(allocated?.changes.filter(({ subjectKind }) => subjectKind === 'assignment')).toHaveLength(2);
  });

  test('administrators see their customer without the staff’s internals', async () => {
    const { items } = await list({ enterpriseCustomerUuid: budget.customer }, adminOf(budget.customer));
    const [changed, allocated] = items;
    expect(changed?.actor).toEqual({ kind: 'operator', role: 'policy_operator', userId: null });
    expect(allocated?.actor).toMatchObject({ kind: 'administrator', userId: expect.any(Number) });
    expect(items.every(({ requestId }) => requestId === null)).toBe(true);
    const userId = await operatorUserId(world);
    expect(
      (await list({ enterpriseCustomerUuid: budget.customer, actorUserId: userId }, adminOf(budget.customer))).items,
    ).toEqual([]);
    expect(JSON.stringify(items)).not.toMatch(/"(?:actorUserId|adminLmsUserId|actorLmsUserId|traceback)"/);
  });

  test('reasons of the staff are for the staff; administrators see those of their own people', async () => {
    const of = await newBudget(world);
    const given = { reason: 'Fraud suspected, ask Kim.' };
    await trpcData(world, 'policies.deactivate', { uuid: of.policy, ...given });
    const filter = { enterpriseCustomerUuid: of.customer, operation: 'policies.deactivate' };
    expect((await list(filter)).items).toMatchObject([given]);
    const [entry] = (await list(filter, adminOf(of.customer))).items;
    expect(entry).toMatchObject({ reason: null, actor: { kind: 'operator', userId: null } });
    const life = await trpcData<Page<{ sentence: string }>>(
      world,
      'audit.timeline',
      { subjectUuid: of.policy },
      adminOf(of.customer),
    );
    expect(JSON.stringify(life)).not.toContain('Fraud');
    await world.db('audit_entries').where({ uuid: entry?.uuid }).update({ actor_role: 'policy_admin' });
    expect((await list(filter, adminOf(of.customer))).items).toMatchObject([given]);
  });

  test('a correlation id that nobody gave is not the id of a request', async () => {
    const of = await newBudget(world);
    const change = (headers: Record<string, string>) =>
      world.call('PATCH', `${POLICIES}${of.policy}/`, operatorToken(), { description: randomUUID() }, headers);
    expect((await change({ 'x-request-id': 'request-of-the-log' })).status).toBe(200);
    const filter = { enterpriseCustomerUuid: of.customer, operation: 'policies.update' };
    const [seen] = (await list(filter, adminOf(of.customer))).items;
    expect(seen?.correlationId).not.toBe('request-of-the-log');
    expect((await list(filter)).items[0]).toMatchObject({
      requestId: 'request-of-the-log',
      correlationId: seen?.correlationId,
    });
  });

  test('a login that gives a learner assignments is the learner’s, for administrators too', async () => {
    const lmsUserId = 1_871;
    const of = await assignedBudget(world, { learners: [lmsUserId] });
    expect((await allocateTo(world, of, [`learner-${lmsUserId}@test.example`])).status).toBe(202);
    const token = tokenFor('enterprise_learner', of.customer, lmsUserId, {
      email: `learner-${lmsUserId}@test.example`,
    });
    const path = `/api/v1/assignment-configurations/${of.configuration}/assignments/`;
    expect((await world.call('GET', path, token)).body.count).toBe(1);
    const user = await world.db('users').where({ lms_user_id: lmsUserId }).first('id');
    const actor = { kind: 'learner', userId: Number(user.id) };
    const filter = { enterpriseCustomerUuid: of.customer, actorUserId: Number(user.id) };
    expect((await list(filter, adminOf(of.customer))).items).toMatchObject([{ operation: 'login', actor }]);
    const [assignment] = await world.db('assignments').where({ assignment_configuration_uuid: of.configuration });
    const life = await trpcData<Page<{ sentence: string }>>(
      world,
      'audit.timeline',
      { subjectUuid: assignment.uuid },
      adminOf(of.customer),
    );
    expect(life.items.at(-1)?.sentence).toMatch(/^The learner with user id \d+ changed the assignment/);
  });

  /** Each filter with what it finds of the customer. */
  const filters = async (): Promise<Record<string, Input>> => {
    const [assignment] = await world.db('assignments').where({ enterprise_customer_uuid: other.customer });
    const admin = await world.db('users').where({ lms_user_id: 8 }).first('id');
    return {
      none: {},
      subject: { subjectUuid: assignment.uuid },
      address: { learnerEmail: 'ANN@test.example' },
      actor: { actorUserId: Number(admin.id) },
      operation: { operation: 'policies.allocate' },
      correlation: { correlationId: correlations.get(other.customer) },
      time: { createdFrom: new Date(Date.now() - 600_000), createdTo: new Date(Date.now() + 600_000) },
      several: { learnerEmail: 'ann@test.example', subjectUuid: assignment.uuid, operation: 'policies.allocate' },
    };
  };

  test('every filter finds what it says, and nothing of another customer', async () => {
    for (const [name, filter] of Object.entries(await filters())) {
      const own = await list({ ...filter, enterpriseCustomerUuid: other.customer }, adminOf(other.customer));
      expect(own.items.length, name).toBeGreaterThan(0);
      expect(new Set(own.items.map((entry) => entry.enterpriseCustomerUuid)), name).toEqual(new Set([other.customer]));
      // The same question of somebody else's administrator, and about somebody else's customer.
      const asked = await list({ ...filter, enterpriseCustomerUuid: budget.customer }, adminOf(budget.customer));
      expect(JSON.stringify(asked), name).not.toContain(other.customer);
      for (const token of [adminOf(budget.customer), tokenFor('enterprise_learner', other.customer, 1)])
        expect(
          await trpcError(world, 'audit.list', { ...filter, enterpriseCustomerUuid: other.customer }, token),
        ).toMatchObject({
          status: 403,
        });
      expect(await trpcError(world, 'audit.list', filter, adminOf(budget.customer))).toMatchObject({ status: 403 });
      const everywhere = await list(filter);
      expect(everywhere.items.length, name).toBeGreaterThanOrEqual(own.items.length);
    }
  });

  test('filters leave out what they do not mean', async () => {
    const of = { enterpriseCustomerUuid: budget.customer };
    const none: readonly Input[] = [
      { subjectUuid: randomUUID() },
      { learnerEmail: 'nobody@test.example' },
      { lmsUserId: 2_000_000 },
      { actorUserId: 2_000_000 },
      { operation: 'policies.create' },
      { correlationId: 'unknown' },
      { createdFrom: new Date(Date.now() + 600_000) },
      { createdTo: new Date(Date.now() - 600_000) },
      { learnerEmail: 'ann@test.example', operation: 'policies.update' },
      // The address in other letters: only those of ASCII are the same in both cases.
      { learnerEmail: 'ann@te\u017ft.example' },
    ];
    for (const filter of none) expect((await list({ ...of, ...filter })).items, JSON.stringify(filter)).toEqual([]);
  });

  test('both transports answer the same', async () => {
    const operation = operationNamed('audit.list');
    const input = { enterpriseCustomerUuid: budget.customer, learnerEmail: 'ann@test.example' };
    const rest = await viaRest(world, operation, input, adminOf(budget.customer));
    const trpc = await viaTrpc(world, operation, input, adminOf(budget.customer));
    const { items } = trpc.data as Page<Entry>;
    expect(rest.body.items.map(({ uuid }: Entry) => uuid)).toEqual(items.map(({ uuid }) => uuid));
    const [onTheWire, change] = [rest.body.items[0].changes[0], items[0]?.changes[0]];
    expect(onTheWire.before).toEqual(change?.before);
    // Names of fields are written as all names of each transport.
    expect(change?.after).toHaveProperty('contentKey', onTheWire.after.content_key);
    expect(Object.keys(onTheWire.after).filter((name) => /[A-Z]/.test(name))).toEqual([]);
  });

  test('pages go on where they ended, whatever is added meanwhile', async () => {
    const of = { enterpriseCustomerUuid: budget.customer, pageSize: 1 };
    const all = (await list({ ...of, pageSize: 100 })).items.map(({ uuid }) => uuid);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Page<Entry> = await list(cursor === null ? of : { ...of, cursor });
      seen.push(...page.items.map(({ uuid }) => uuid));
      cursor = page.nextCursor;
      await world.call('PATCH', `${POLICIES}${budget.policy}/`, operatorToken(), {
        description: `text ${seen.length}`,
      });
    } while (cursor !== null);
    expect(seen).toEqual(all);
    for (const wrong of ['cDI', 'text', Buffer.from('"x"').toString('base64url')])
      expect(await trpcError(world, 'audit.list', { ...of, cursor: wrong })).toMatchObject({ status: 400 });
  });

  test('odd cursors and filters are bad input or find nothing', async () => {
    const [{ uuid }] = await world.db('audit_entries').where({ enterprise_customer_uuid: budget.customer }).limit(1);
    const customer = { enterpriseCustomerUuid: budget.customer };
    const made = await viaTrpc(world, operationNamed('audit.export'), { ...customer }, operatorToken());
    expect(made.status).toBe(200);
    const [wish] = await world.db('audit_exports').where({ enterprise_customer_uuid: budget.customer });
    const cursorOf = (key: unknown) => Buffer.from(JSON.stringify(key)).toString('base64url');
    for (const position of [2 ** 31, Number.MAX_SAFE_INTEGER, -1, 1.5]) {
      const [number, place] = [cursorOf(position), cursorOf({ entryUuid: uuid, position })];
      for (const [name, input] of [
        ['audit.get', { uuid, cursor: number }],
        ['audit.exportPart', { uuid: wish.uuid, cursor: number }],
        ['audit.timeline', { subjectUuid: budget.policy, cursor: place }],
      ] as const)
        expect(await trpcError(world, name, input), `${name} ${position}`).toMatchObject({ status: 400 });
    }
    for (const operation of ['\u00e9', '\u{1f600}', 'a\0b', 'a b', '']) {
      expect(await trpcError(world, 'audit.list', { ...customer, operation })).toMatchObject({ status: 400 });
      const wanted = { ...customer, operation };
      expect((await viaTrpc(world, operationNamed('audit.export'), wanted, operatorToken())).status).toBe(400);
    }
    expect((await list({ ...customer, operation: 'no.such' })).items).toEqual([]);
  });

  test('a page needs at most four statements, with filters as without', async () => {
    for (const filter of Object.values(await filters())) {
      let statements = 0;
      const count = () => {
        statements += 1;
      };
      await list({ ...filter, enterpriseCustomerUuid: other.customer });
      world.db.on('query', count);
      await list({ ...filter, enterpriseCustomerUuid: other.customer });
      world.db.off('query', count);
      expect(statements, JSON.stringify(filter)).toBeLessThanOrEqual(4);
    }
  });

  test('an entry shows ten changes, and all of them page by page', async () => {
    const many = await assignedBudget(world, { balance: 1_000_000_00, limit: 1_000_000_00 });
    const emails = Array.from({ length: 25 }, (_, at) => `many-${at}@test.example`);
    expect((await allocateTo(world, many, emails)).status).toBe(202);
    const { items } = await list({ enterpriseCustomerUuid: many.customer, operation: 'policies.allocate' });
    const [entry] = items;
    expect(entry?.changes.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(entry?.changeCount).toBe(25);
    const positions: number[] = [];
    let cursor: string | null = null;
    do {
      const page: Page<Change> & { changeCount: number } = await trpcData(
        world,
        'audit.get',
        { uuid: entry?.uuid, pageSize: 10, ...(cursor === null ? {} : { cursor }) },
        adminOf(many.customer),
      );
      expect(page.changeCount).toBe(25);
      positions.push(...page.items.map(({ position }) => position));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(positions).toEqual(Array.from({ length: 25 }, (_, at) => at + 1));
    expect(await trpcError(world, 'audit.get', { uuid: entry?.uuid }, adminOf(budget.customer))).toMatchObject({
      status: 403,
    });
  });

  test('a timeline tells a life in sentences', async () => {
    const userId = await operatorUserId(world);
    const timeline = (input: Input, token = operatorToken()) =>
      trpcData<Page<{ sentence: string; entryUuid: string }>>(world, 'audit.timeline', input, token);
    const { items } = await timeline({ subjectUuid: other.policy, order: 'newest' });
    expect(items[0]?.sentence).toMatch(
      new RegExp(
        `^Operator ${userId} changed the policy through the REST API: spend limit from \\$1,490.00 to \\$1,000.00\\.`,
      ),
    );
    const seen = await timeline({ subjectUuid: other.policy, order: 'newest' }, adminOf(other.customer));
    expect(seen.items[0]?.sentence).toMatch(/^An operator changed the policy/);
    const [assignment] = await world.db('assignments').where({ enterprise_customer_uuid: other.customer });
    const life = await timeline({ subjectUuid: assignment.uuid }, adminOf(other.customer));
    expect(life.items[0]?.sentence).toMatch(
      /^Administrator \d+ created the assignment through the REST API, together with assignment /,
    );
    expect(life.items[0]?.sentence).not.toContain('***');
    expect(
      await trpcError(world, 'audit.timeline', { subjectUuid: assignment.uuid }, adminOf(budget.customer)),
    ).toMatchObject({
      status: 403,
    });
    expect(
      await trpcError(
        world,
        'audit.timeline',
        { subjectUuid: assignment.uuid },
        tokenFor('enterprise_learner', other.customer, 1),
      ),
    ).toMatchObject({
      status: 403,
    });
  });

  test('a timeline goes both ways, change by change', async () => {
    const { policy, customer } = await newBudget(world);
    for (const description of ['one', 'two', 'three'])
      await world.call('PATCH', `${POLICIES}${policy}/`, operatorToken(), { description });
    const walk = async (order: string) => {
      const seen: unknown[] = [];
      let cursor: string | null = null;
      do {
        const page: Page<{ change: Change }> = await trpcData(
          world,
          'audit.timeline',
          { subjectUuid: policy, order, pageSize: 1, ...(cursor === null ? {} : { cursor }) },
          adminOf(customer),
        );
        seen.push(...page.items.map(({ change }) => change.after?.description));
        cursor = page.nextCursor;
      } while (cursor !== null);
      return seen;
    };
    expect(await walk('oldest')).toEqual(['one', 'two', 'three']);
    expect(await walk('newest')).toEqual(['three', 'two', 'one']);
  });

  test('what followed from a call is found by its correlation id', async () => {
    const correlationId = correlations.get(budget.customer);
    const followups = (input: Input, token: string) =>
      trpcData<Page<{ name: string; kind: string }>>(world, 'audit.followups', { correlationId, ...input }, token);
    const own = await followups({ enterpriseCustomerUuid: budget.customer }, adminOf(budget.customer));
    expect(own.items.filter(({ name }) => name === 'assignments.notify')).toHaveLength(2);
    expect(JSON.stringify(own)).not.toContain('@');
    const paged: unknown[] = [];
    let cursor: string | null = null;
    do {
      const page: Page<unknown> & { nextCursor: string | null } = await followups(
        { enterpriseCustomerUuid: budget.customer, pageSize: 1, ...(cursor === null ? {} : { cursor }) },
        operatorToken(),
      );
      paged.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(paged).toEqual(own.items);
    expect((await followups({ enterpriseCustomerUuid: other.customer }, adminOf(other.customer))).items).toEqual([]);
  });

  test('a redemption of an allocated assignment is found by the id of the allocation', async () => {
    const assigned = await assignedBudget(world, { learners: [1] });
    const correlationId = randomUUID();
    const made = await world.call(
      'POST',
      `/api/v1/policy-allocation/${assigned.policy}/allocate/`,
      adminOf(assigned.customer),
      { learner_emails: ['learner-1@test.example'], content_key: assigned.course, content_price_cents: 14_900 },
      { 'x-correlation-id': correlationId },
    );
    expect(made.status).toBe(202);
    // Whoever signs in with the address gets what was assigned to it.
    const token = tokenFor('enterprise_learner', assigned.customer, 1, { email: 'learner-1@test.example' });
    const path = `/api/v1/assignment-configurations/${assigned.configuration}/assignments/`;
    expect((await world.call('GET', path, token)).body.count).toBe(1);
    const redeemed = await redeemAs(world, assigned.policy, assigned.customer, 1, assigned.run);
    expect(redeemed.status, JSON.stringify(redeemed.body)).toBe(200);
    const { items } = await list({ enterpriseCustomerUuid: assigned.customer, correlationId });
    expect(items.map(({ operation }) => operation)).toEqual(['redemptions.redeem', 'login', 'policies.allocate']);
  });
});
