import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { allocateTo, assignedBudget, historyOf } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { assignmentRequests } from './requests.ts';

describe.each(dialects)('assignment configurations on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { admin, adminPath, post, rows, login } = assignmentRequests(() => world);

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
    const found = await world.call('GET', `${path}?enterprise_customer_uuid=${customer}&active=true`, operatorToken());
    expect(found.body).toMatchObject({ count: 2 });
    const history = await historyOf(world, made.body.uuid);
    expect(history.map(({ action, reason }) => [action, reason])).toEqual([
      ['created', null],
      ['updated', 'done'],
      ['updated', null],
    ]);
  });
});
