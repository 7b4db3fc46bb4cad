import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { balanceOf, isUuid, newPolicy, PRICE, redeemAs, reverseIn } from '../support/fixtures.ts';
import { dialects, startApp } from '../support/harness.ts';
import { NOW, subsidyRequests, UNKNOWN } from './requests.ts';

describe.each(dialects)('a reversal on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { transactionsOf, spend, deposit, funded } = subsidyRequests(() => world);

  test('R-LED-07, R-LED-08: gives back once, whatever the key, and says so', async () => {
    const { subsidy } = await funded();
    const { body: made } = await spend(subsidy, {});
    world.world.now = new Date('2026-06-02T00:00:00Z');
    const first = await reverseIn(world, subsidy, made.uuid, { metadata: { by: 'support' } });
    world.world.now = new Date(NOW);
    expect(first.status).toBe(200);
    expect(first.body).toEqual({
      ...made,
      modified: '2026-06-02T00:00:00Z',
      reversal: {
        uuid: isUuid,
        state: 'committed',
        idempotency_key: `admin-invoked-reverse-${made.uuid}`,
        quantity: PRICE,
        metadata: { by: 'support' },
        created: '2026-06-02T00:00:00Z',
        modified: '2026-06-02T00:00:00Z',
      },
    });
    const again = await reverseIn(world, subsidy, made.uuid, { idempotency_key: 'another' });
    expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: first.body });
    expect(await balanceOf(world, subsidy)).toBe(100_000);
  });

  test('twenty at once give back once', async () => {
    const { subsidy, customer } = await funded();
    const policy = await newPolicy(world, { customer, subsidy });
    const { body } = await redeemAs(world, policy, customer, 1);
    const replies = await Promise.all(Array.from({ length: 20 }, () => reverseIn(world, subsidy, body.uuid)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(replies.map((reply) => reply.body.reversal.uuid)).size).toBe(1);
    expect(await balanceOf(world, subsidy)).toBe(100_000);
    expect(await auditBooks(world.db)).toEqual([]);
  });

  test('only of committed redemptions of that subsidy', async () => {
    const { subsidy } = await funded();
    const other = await funded();
    const { body: made } = await spend(subsidy, {});
    expect((await reverseIn(world, other.subsidy, made.uuid)).status).toBe(404);
    expect((await reverseIn(world, subsidy, UNKNOWN)).status).toBe(404);
    const first = (await transactionsOf(subsidy, '?ordering=created')).body.results[0];
    const { body: added } = await deposit(subsidy, {});
    for (const uuid of [first.uuid === made.uuid ? added.transaction : first.uuid, added.transaction]) {
      expect(await reverseIn(world, subsidy, uuid)).toMatchObject({
        status: 422,
        body: { code: 'reversal_creation_error' },
      });
    }
    await spend(subsidy, { lms_user_id: 77 });
    const failed = (await transactionsOf(subsidy, '?state=failed')).body.results[0];
    expect((await reverseIn(world, subsidy, failed.uuid)).status).toBe(422);
  });
});
