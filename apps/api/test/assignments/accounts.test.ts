import { auditBooks } from '@enterprise-access/domain';
import { decodeJwt, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { allocateTo, assignedBudget } from '../support/fixtures.ts';
import { dialects, SECRET, startApp, tokenFor } from '../support/harness.ts';
import { assignmentRequests } from './requests.ts';

describe.each(dialects)('assignments and the accounts of learners on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { rows, login } = assignmentRequests(() => world);

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

  test('an assignment with an address that is not plain belongs to no learner until its account is known', async () => {
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
});
