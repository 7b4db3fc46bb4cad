import { randomUUID } from 'node:crypto';
import { auditBooks, service, UnusableEvent } from '@enterprise-access/domain';
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

  test('R-LED-07, R-LED-08: a reversal happens once for any key and publishes its event', async () => {
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

  test('twenty concurrent reversals release the value once', async () => {
    const { subsidy, customer } = await funded();
    const policy = await newPolicy(world, { customer, subsidy });
    const { body } = await redeemAs(world, policy, customer, 1);
    const replies = await Promise.all(Array.from({ length: 20 }, () => reverseIn(world, subsidy, body.uuid)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(replies.map((reply) => reply.body.reversal.uuid)).size).toBe(1);
    expect(await balanceOf(world, subsidy)).toBe(100_000);
    expect(await auditBooks(world.db)).toEqual([]);
  });

  describe('by the event of an enrolment that ended', () => {
    const type = 'org.openedx.enterprise.learner_credit_course_enrollment.revoked.v1';
    const consumer = service.consumers.find((one) => one.type === type);
    const hear = (transactionUuid: string, unenrolledAt: string) =>
      consumer?.consume(world.runtime, {
        id: randomUUID(),
        data: {
          learner_credit_course_enrollment: {
            uuid: randomUUID(),
            transaction_id: transactionUuid,
            enterprise_course_enrollment: { unenrolled_at: unenrolledAt },
          },
        },
      });

    const enrolled = async () => {
      const { subsidy, customer } = await funded();
      const policy = await newPolicy(world, { customer, subsidy });
      const { body } = await redeemAs(world, policy, customer, 1);
      const starts = { course_run_start_date: new Date(NOW) };
      await world.db('ledger_transactions').where({ uuid: body.uuid }).update(starts);
      return { subsidy, transaction: body.uuid };
    };

    // `Date` would take each of them for a day on which the value still goes back.
    test.each(['2026-02-30T10:00:00Z', '2026-05-31T24:00:00Z', '2026-06-02', 'June 2, 2026'])(
      'a day that is none gives nothing back: %s',
      async (unenrolledAt) => {
        const { subsidy, transaction } = await enrolled();
        await expect(hear(transaction, unenrolledAt)).rejects.toThrow(UnusableEvent);
        expect(await balanceOf(world, subsidy)).toBe(100_000 - PRICE);
      },
    );

    test.each(['2026-06-02T10:00:00Z', '2026-06-02 10:00:00.123456+00:00', '2026-06-02T10:00:00'])(
      'a day within the time of refunds gives it back: %s',
      async (unenrolledAt) => {
        const { subsidy, transaction } = await enrolled();
        await hear(transaction, unenrolledAt);
        expect(await balanceOf(world, subsidy)).toBe(100_000);
      },
    );
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
