import { randomUUID } from 'node:crypto';
import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { allocateTo, assignedBudget, redeemAs } from '../support/fixtures.ts';
import { dialects, startApp } from '../support/harness.ts';
import { assignmentRequests } from './requests.ts';

describe.each(dialects)('cancelling and reminding on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { list, post, rows, held, login } = assignmentRequests(() => world);

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
    expect((await rows(budget)).map(({ state }) => state)).toEqual(['cancelled', 'cancelled', 'cancelled', 'accepted']);
    expect((await list(budget)).body.learner_state_counts).toEqual([]);
    expect((await post(budget, 'cancel-all')).status).toBe(404);
  });
});
