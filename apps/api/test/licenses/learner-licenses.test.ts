import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, operatorToken, startApp } from '../support/harness.ts';
import { countersOf, daysFromNow, licenseRow, newPlan } from './lifecycle-plans.ts';
import { customerWithPlan, emailOf, free, held, reset } from './seats-world.ts';

describe.each(dialects)('what learners see of their licences, on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  beforeEach(() => reset(world));
  afterAll(() => world.stop());

  const list = (customer: string, token: string, more = '') =>
    world.call('GET', `/api/v1/learner-licenses/?enterprise_customer_uuid=${customer}${more}`, token);
  const uuidsOf = (reply: { body: { results: { uuid: string }[] } }) => reply.body.results.map(({ uuid }) => uuid);

  test('own licences by address or account, with plan, agreement and key; by status, then the latest expiration', async () => {
    const byAddress = held('assigned', 1);
    const byAccount = licenseRow('activated', { user_email: 'old@demo.example', lms_user_id: 1 });
    const { agreement, learner } = await customerWithPlan(world, [...free(1), byAddress, held('activated', 2)]);
    await newPlan(world, agreement, [byAccount], { expiration_date: daysFromNow(90) });
    const later = licenseRow('assigned', { user_email: emailOf(1) });
    await newPlan(world, agreement, [later], { expiration_date: daysFromNow(100) });
    const reply = await list(agreement.customer, learner(1));
    expect(reply).toMatchObject({
      status: 200,
      body: {
        count: 3,
        num_pages: 1,
        current_page: 1,
        start: 0,
        next: null,
        previous: null,
        customer_agreement: { uuid: agreement.uuid },
      },
    });
    expect(uuidsOf(reply)).toEqual([byAccount.uuid, later.uuid, byAddress.uuid]);
    expect(reply.body.results[2]).toMatchObject({
      activation_key: byAddress.activation_key,
      subscription_plan: { is_active: true },
      customer_agreement: { uuid: agreement.uuid },
    });
    const second = await list(agreement.customer, learner(1), '&page_size=2&page=2');
    expect(uuidsOf(second)).toEqual([byAddress.uuid]);
    expect(second.body).toMatchObject({ start: 2, num_pages: 2 });
    expect(uuidsOf(await list(agreement.customer, learner(1), '&status=activated'))).toEqual([byAccount.uuid]);
  });

  test('flags: revoked ones, plans that are inactive, over or not begun', async () => {
    const [live, revoked, inactive, over] = [
      held('assigned', 1),
      held('revoked', 1),
      held('assigned', 1),
      held('assigned', 1),
    ];
    const { agreement, learner } = await customerWithPlan(world, [live, revoked]);
    await newPlan(world, agreement, [inactive], { is_active: false });
    await newPlan(world, agreement, [over], { expiration_date: daysFromNow(-1) });
    const shown = async (more: string) => new Set(uuidsOf(await list(agreement.customer, learner(1), more)));
    expect(await shown('')).toEqual(new Set([live.uuid]));
    expect(await shown('&include_revoked=TRUE')).toEqual(new Set([live.uuid, revoked.uuid]));
    expect(await shown('&active_plans_only=false')).toEqual(new Set([live.uuid, inactive.uuid]));
    expect(await shown('&current_plans_only=false')).toEqual(new Set([live.uuid, over.uuid]));
  });

  test('W-05: nothing of a customer that the caller has no role for; W-21: a bad uuid is a 400', async () => {
    const victim = await customerWithPlan(world, [held('assigned', 1)]);
    const own = await customerWithPlan(world, []);
    const reply = await list(victim.agreement.customer, own.learner(1));
    expect(reply).toMatchObject({ status: 200, body: { count: 0, results: [], customer_agreement: null } });
    expect(await world.call('GET', '/api/v1/learner-licenses/', own.learner(1))).toMatchObject({
      status: 400,
      body: 'missing enterprise_customer_uuid query param',
    });
    expect(await list('nonsense', own.learner(1))).toMatchObject({ status: 400 });
    expect(await list(own.agreement.uuid, operatorToken())).toMatchObject({
      body: { count: 0, customer_agreement: null },
    });
  });

  test('W-40: reading writes nothing, and takes a fixed number of statements', async () => {
    const row = licenseRow('activated', { user_email: 'old@demo.example', lms_user_id: 1 });
    const { agreement, learner } = await customerWithPlan(world, [row]);
    const token = learner(1);
    await list(agreement.customer, token);
    const statements: string[] = [];
    const note = ({ sql }: { sql: string }) => void statements.push(sql);
    world.db.on('query', note);
    const reply = await list(agreement.customer, token);
    world.db.off('query', note);
    expect(reply.body.results).toMatchObject([{ user_email: 'old@demo.example' }]);
    expect(statements.filter((sql) => !/^\s*select/i.test(sql))).toEqual([]);
    expect(statements.length).toBeLessThanOrEqual(8);
  });

  test('corrections 29: the address follows the account by a command, except where the new one has a licence already', async () => {
    const moving = licenseRow('activated', { user_email: 'old@demo.example', lms_user_id: 1 });
    const other = licenseRow('activated', { user_email: 'somebody@demo.example', lms_user_id: 2 });
    const { agreement, learner, plan } = await customerWithPlan(world, [moving, other]);
    const kept = licenseRow('activated', { user_email: 'old@demo.example', lms_user_id: 1 });
    await newPlan(world, agreement, [kept, held('assigned', 1)]);
    const follow = (token: string, customer = agreement.customer) =>
      world.call('POST', '/api/v1/learner-licenses/follow-address/', token, { enterprise_customer_uuid: customer });
    expect(await follow(learner(1))).toMatchObject({ status: 200, body: { moved: 1, kept: 1 } });
    expect(await follow(learner(1))).toMatchObject({ status: 200, body: { moved: 0, kept: 1 } });
    const emailIn = async (uuid: unknown) => (await world.db('licenses').where({ uuid }).first()).user_email;
    expect(await emailIn(moving.uuid)).toBe(emailOf(1));
    expect(await emailIn(kept.uuid)).toBe('old@demo.example');
    expect(await emailIn(other.uuid)).toBe('somebody@demo.example');
    const victim = await customerWithPlan(world, []);
    expect(await follow(learner(1), victim.agreement.customer)).toMatchObject({ status: 403 });
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
  });

  test('own licences of a plan, without revoked ones; nobody else’s (W-07)', async () => {
    const mine = held('assigned', 1);
    const theirs = held('assigned', 2);
    const { plan, learner, admin } = await customerWithPlan(world, [mine, theirs, held('revoked', 1)]);
    const own = (token: string, path = '') => world.call('GET', `/api/v1/subscriptions/${plan}/license/${path}`, token);
    const reply = await own(learner(1));
    expect(reply.body).toMatchObject({
      count: 1,
      next: null,
      results: [{ uuid: mine.uuid, activation_key: mine.activation_key }],
    });
    expect((await own(learner(1), `${mine.uuid}/`)).body).toMatchObject({ uuid: mine.uuid });
    expect(await own(learner(1), `${theirs.uuid}/`)).toMatchObject({ status: 404 });
    expect((await own(admin)).body).toMatchObject({ count: 0 });
    const other = await customerWithPlan(world, []);
    expect((await own(other.learner(1))).body).toMatchObject({ count: 0 });
    expect(await own(other.learner(1), `${mine.uuid}/`)).toMatchObject({ status: 403 });
    const shown = await world.call('GET', `/api/v1/subscriptions/${plan}/licenses/`, admin);
    expect(JSON.stringify(shown.body)).not.toContain(String(mine.activation_key));
  });
});
