import { setTimeout as sleep } from 'node:timers/promises';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { reconcile } from '@enterprise-access/domain';
import { buildRuntime } from '@enterprise-access/platform';
import { startSandbox } from '@enterprise-access/sandbox';
import { seedDemonstration } from '@enterprise-access/start/demonstration';
import { describe, expect, inject, test } from 'vitest';
import { assertTotals } from '../../../../tooling/test/totals.ts';
import { demonstration, dialects, learnerToken, run, testEnvironment } from '../support/harness.ts';
import { redeemAt, startApiProcess } from '../support/processes.ts';

const PRICE = 14_900;
/** For each engine. Most of a round is the start of the process, so the number of rounds decides the duration. */
const KILLS = 12;
/** Below what the rounds ask for, so that the limit is reached while processes are killed. */
const LIMIT = 120;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

async function startWorld(dialect: (typeof dialects)[number]) {
  const database = await createTestDatabase(inject('servers'), dialect);
  await seedDemonstration(database.db);
  const sandbox = await startSandbox({});
  const limitTo = (policy: string, redemptions: number) =>
    database
      .db('policies')
      .where({ uuid: policy })
      .update({ spend_limit_cents: redemptions * PRICE });
  return {
    ...database,
    sandbox,
    limitTo,
    async stop() {
      await sandbox.close();
      await database.drop();
    },
  };
}

describe.each(dialects)('processes on %s', (dialect) => {
  test('two API processes share a policy with money for exactly fifty: fifty of three hundred pass', async () => {
    const world = await startWorld(dialect);
    await world.limitTo(demonstration.spendPolicy, 50);
    const apis = await Promise.all([1, 2].map(() => startApiProcess(world.url, world.sandbox.url)));
    const replies = await Promise.all(
      Array.from({ length: 300 }, (_, index) => {
        const user = 1_000 + index;
        const api = apis[index % 2];
        return redeemAt(api?.url ?? '', demonstration.spendPolicy, learnerToken(user), {
          lms_user_id: user,
          content_key: run,
        });
      }),
    );
    const counts = Object.fromEntries(
      [...Map.groupBy(replies, (reply) => reply?.status)].map(([status, list]) => [status, list.length]),
    );
    expect(counts).toEqual({ 200: 50, 422: 250 });
    await assertTotals(world.db);
    expect(await Promise.all(apis.map((api) => api.stop()))).toEqual([0, 0]);
    await world.stop();
  });

  test('killed at random moments in a storm of redeems: nothing is lost, doubled or over a limit', {
    timeout: 300_000,
  }, async () => {
    const world = await startWorld(dialect);
    await world.limitTo(demonstration.spendPolicy, LIMIT);
    let user = 1_000;
    for (let round = 0; round < KILLS; round += 1) {
      const api = await startApiProcess(world.url, world.sandbox.url);
      // The moment is a number of answers and a few milliseconds more, whatever the speed of the machine.
      let answersLeft = Math.floor(Math.random() * 40);
      const { promise: moment, resolve: now } = Promise.withResolvers<void>();
      const storm = Array.from({ length: 40 }, async (_, index) => {
        // Some learners of the round before repeat what may have been cut off.
        const learner = Math.max(1_000, user - 10) + index;
        const body = { lms_user_id: learner, content_key: run };
        const reply = await redeemAt(api.url, demonstration.spendPolicy, learnerToken(learner), body);
        if (answersLeft === 0) now();
        answersLeft -= 1;
        return reply;
      });
      user += 30;
      await moment;
      await sleep(Math.random() * 30);
      await api.kill();
      await Promise.all(storm);
    }
    const env = testEnvironment({
      DATABASE_URL: world.url,
      LMS_URL: `${world.sandbox.url}/lms`,
      ENTERPRISE_CATALOG_URL: `${world.sandbox.url}/catalog`,
      OAUTH2_URL: world.sandbox.url,
    });
    const runtime = buildRuntime(env, silent, 'http://access.test');
    const { open } = await reconcile(runtime, { olderThanMs: -60_000 });
    expect(open).toBe(0);
    await assertTotals(world.db);
    const states: { state: string; total: number }[] = await world
      .db('redemptions')
      .groupBy('state')
      .select('state')
      .count({ total: '*' });
    expect(states.map(({ state }) => state)).toEqual(['committed']);
    const [{ spent_cents: spent }] = (await world
      .db('policies')
      .where({ uuid: demonstration.spendPolicy })
      .select('spent_cents')) as [{ spent_cents: number }];
    expect(spent).toBe(Number(states[0]?.total) * PRICE);
    expect(spent).toBeLessThanOrEqual(LIMIT * PRICE);
    expect(spent).toBeGreaterThan(0);
    await runtime.close();
    await world.stop();
  });
});
