import { auditBooks, UpstreamFailure, UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { canRedeemAs, newBudget, newCourse, PRICE, redeemAs, spentOf } from '../support/fixtures.ts';
import { dialects, run, startApp } from '../support/harness.ts';
import { redemptionRequests } from './requests.ts';

describe.each(dialects)('prices on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { answerFor } = redemptionRequests(() => world);

  test('R-ADD-02, addition example 5: a redeemed run that left every catalog has no price and breaks nothing', async () => {
    const { customer, policy } = await newBudget(world);
    const [vanished, normal] = [newCourse(world), newCourse(world)];
    await redeemAs(world, policy, customer, 1, vanished);
    world.world.contents.delete(vanished);
    const { status, body } = await canRedeemAs(world, customer, 1, [vanished, normal]);
    expect(status).toBe(200);
    expect(body[0]).toMatchObject({
      content_key: vanished,
      list_price: null,
      has_successful_redemption: true,
      can_redeem: false,
      redeemable_subsidy_access_policy: null,
    });
    expect(body[1]).toMatchObject({ content_key: normal, can_redeem: true, list_price: { usd_cents: PRICE } });
  });

  test('R-ADD-03: unknown content has no price, and the reply is 200', async () => {
    const { customer } = await newBudget(world);
    expect(await answerFor(customer, 1, 'course-v1:no+such+run')).toMatchObject({
      list_price: null,
      can_redeem: false,
      display_reason: { reason: 'content_not_in_catalog' },
    });
  });

  /** A catalog that fails in one way; the rest is that of the world. */
  const withCatalog = async <T>(change: object, work: () => Promise<T>): Promise<T> => {
    const runtime = world.runtime as { catalog: typeof world.runtime.catalog };
    const real = runtime.catalog;
    runtime.catalog = { ...real, ...change };
    return work().finally(() => {
      runtime.catalog = real;
    });
  };

  test('R-ADD-03: without a policy an unanswered list price is null, a missing one 422', async () => {
    const { customer } = await newBudget(world, { balance: 0 });
    const failing = { listPrice: () => Promise.reject(new UpstreamFailure('catalog', 'did not answer')) };
    const answered = await withCatalog(failing, () => canRedeemAs(world, customer, 1));
    expect(answered).toMatchObject({ status: 200, body: [{ list_price: null, can_redeem: false }] });
    const priceless = { listPrice: async () => ({ price: null }) };
    const refused = await withCatalog(priceless, () => canRedeemAs(world, customer, 1));
    expect({ status: refused.status, body: refused.body }).toEqual({
      status: 422,
      body: {
        detail: `Could not determine list price for content_key ${run} with enterprise customer ${customer}`,
      },
    });
  });

  test('R-ADD-01, R-ADD-04: with a redeemable policy an unreadable price is 422 for the whole call', async () => {
    const { customer } = await newBudget(world);
    const other = newCourse(world);
    let reads = 0;
    const { catalog } = world.runtime;
    const failing = {
      content: (uuid: string, key: string) => {
        if (key === run) reads += 1;
        return reads > 1 && key === run
          ? Promise.reject(new UpstreamRefusal('catalog', 500, {}))
          : catalog.content(uuid, key);
      },
    };
    const refused = await withCatalog(failing, () => canRedeemAs(world, customer, 1, [other, run]));
    expect({ status: refused.status, body: refused.body }).toEqual({
      status: 422,
      body: {
        detail: `Could not determine list price for content_key ${run} with enterprise customer ${customer}`,
      },
    });
  });

  // W9: the old service answered 500.
  test('R-RED-03: redeeming content without a price is 422 and spends nothing', async () => {
    const { customer, policy } = await newBudget(world, { spendLimit: 100_000 });
    const key = newCourse(world, { priceCents: null });
    expect(await redeemAs(world, policy, customer, 1, key)).toMatchObject({
      status: 422,
      body: { detail: `Could not determine price for content_key: ${key}` },
    });
    expect(await spentOf(world, policy)).toBe(0);
  });

  test('a free course can be redeemed even from an empty budget', async () => {
    const { customer, policy } = await newBudget(world, { balance: 0, spendLimit: 0, learnerSpendLimit: 0 });
    const key = newCourse(world, { priceCents: 0 });
    expect((await answerFor(customer, 1, key)).list_price).toEqual({ usd: 0, usd_cents: 0 });
    expect(await redeemAs(world, policy, customer, 1, key)).toMatchObject({ status: 200, body: { quantity: 0 } });
  });
});
