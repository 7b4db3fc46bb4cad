import { randomUUID } from 'node:crypto';
import { auditBooks } from '@enterprise-access/domain';
import { contentWith } from '@enterprise-access/domain/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { allocateTo, assignedBudget, PRICE, trpcData, trpcError } from '../support/fixtures.ts';
import { dialects, startApp } from '../support/harness.ts';
import { assignmentRequests } from './requests.ts';

describe.each(dialects)('lists of assignments on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { list, post, rows, pass } = assignmentRequests(() => world);

  test('a filter in both forms is the intersection, and an empty one is ignored', async () => {
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

  test('search ignores case in every alphabet and treats wildcard characters literally', async () => {
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
});
