import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, startApp } from '../support/harness.ts';
import { work } from '../support/work.ts';
import { daysFromNow } from './lifecycle-plans.ts';
import { customerWithPlan, emailOf, free, held, reset } from './seats-world.ts';

describe.each(dialects)('the timeline of a licence on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  beforeEach(() => reset(world));
  afterAll(() => world.stop());

  test('R-LICX-10, R-LICX-16, W-LICX-15: assigned, reminded, activated, revoked, and by whom', async () => {
    const { post, holderOf, learner, plan, admin } = await customerWithPlan(world, free(1));
    await post('assign', { user_emails: [emailOf(1)] });
    const [{ uuid, activation_key: key }] = await holderOf(1);
    world.world.now = daysFromNow(1);
    await post('remind-all');
    await work(world);
    await world.call('POST', `/api/v1/license-activation/?activation_key=${key}`, learner(1));
    await post('revoke-all');
    await work(world);
    const reply = await world.call('GET', `/api/v1/subscriptions/${plan}/licenses/${uuid}/timeline/`, admin);
    expect(reply.status).toBe(200);
    const seen = reply.body.map((each: Record<string, unknown>) => [
      each.action_type,
      each.actor_type,
      each.actor_lms_user_id,
    ]);
    expect(seen).toEqual([
      ['revoked', 'admin', 900],
      ['activated', 'learner', 1],
      ['reminded', 'admin', 900],
      ['assigned', 'admin', 900],
    ]);
    expect(reply.body.map((each: { sentence: string }) => each.sentence)).toEqual([
      'The licence was revoked by an administrator (user 900).',
      'The licence was activated by the learner (user 1).',
      'The holder was reminded by an administrator (user 900).',
      'The licence was assigned by an administrator (user 900).',
    ]);
    expect(reply.body[0]).toMatchObject({ source: 'job', operation: 'licenses.revokeAll', learner_lms_user_id: 1 });
    expect(JSON.stringify(reply.body)).not.toContain('@');
  });

  test('R-LICX-10 to R-LICX-13: one correlation per request; the replacement has no record; a failure none', async () => {
    const { post, rows } = await customerWithPlan(world, [held('activated', 1), held('assigned', 2)]);
    await post('bulk-revoke', { user_emails: [emailOf(1), emailOf(2), emailOf(3)] });
    const uuids = (await rows('revoked')).map((row) => row.uuid);
    const changes = await world.db('audit_changes').whereIn('subject_uuid', uuids);
    expect(changes).toHaveLength(2);
    expect(new Set(changes.map((row) => row.entry_uuid)).size).toBe(1);
    const [fresh] = await world.db('licenses').where({ status: 'unassigned' }).orderBy('uuid', 'desc').limit(1);
    expect(await world.db('audit_changes').where({ subject_uuid: fresh.uuid })).toEqual([]);
  });

  test('others do not see it', async () => {
    const license = held('assigned', 1);
    const { plan, learner } = await customerWithPlan(world, [license]);
    const other = await customerWithPlan(world, [held('assigned', 1)]);
    const at = (of: string, token: string) =>
      world.call('GET', `/api/v1/subscriptions/${of}/licenses/${String(license.uuid)}/timeline/`, token);
    expect(await at(plan, learner(1))).toMatchObject({ status: 403 });
    expect(await at(plan, other.admin)).toMatchObject({ status: 403 });
    expect(await at(other.plan, other.admin)).toMatchObject({ status: 404 });
  });
});
