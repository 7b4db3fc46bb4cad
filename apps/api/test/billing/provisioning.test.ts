import { transaction } from '@enterprise-access/db';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  intentToFulfil,
  markFulfilled,
  markProvisioningFailed,
  paidPlanOf,
} from '../../../../packages/domain/src/billing/index.ts';
import type { World } from '../support/examples.ts';
import { dialects, startApp } from '../support/harness.ts';
import { customerOf, INTENTS, intentOf, newBuyer, pass, purchase, reserve, staffToken } from './support.ts';

describe.each(dialects)('what provisioning needs of billing, on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  test.each(['errored_backoffice', 'errored_fulfillment_stalled', 'errored_provisioning'])(
    'an intent that is %s is fulfilled when provisioning succeeds later',
    async (state) => {
      const { buyer, intent } = await purchase(world);
      const path = `${INTENTS}${intent.uuid}/`;
      expect((await world.call('PATCH', path, staffToken(), { state })).status).toBe(200);
      expect(await intentToFulfil(world.db, intent.enterprise_slug)).toMatchObject({ uuid: intent.uuid });
      for (let times = 0; times < 2; times += 1)
        await transaction(world.db, (trx) => markFulfilled(trx, world.runtime, intent.uuid));
      expect(await intentOf(world, buyer)).toMatchObject({ state: 'fulfilled' });
      const mails = await world.db('outbox').where({ name: 'billing.sendMail' }).orderBy('position', 'desc');
      const own = mails.filter(({ payload }) => JSON.stringify(payload).includes(intent.uuid));
      expect(own).toHaveLength(1);
    },
  );

  test('an intent that was not paid is neither found nor moved', async () => {
    const buyer = newBuyer();
    const { body } = await reserve(world, buyer, { quantity: 5, enterprise_slug: 'unpaid', enterprise_name: 'U' });
    expect(await intentToFulfil(world.db, 'unpaid')).toBeUndefined();
    for (const move of [
      (trx: Parameters<typeof markFulfilled>[0]) => markFulfilled(trx, world.runtime, body.uuid),
      (trx: Parameters<typeof markFulfilled>[0]) => markProvisioningFailed(trx, world.runtime, body.uuid, 'no'),
    ])
      await expect(transaction(world.db, move)).rejects.toThrow('Invalid state transition from created');
    expect(await intentOf(world, buyer)).toMatchObject({ state: 'created', last_provisioning_error: null });
  });

  test('a failed step leaves its message, which stays when it succeeds', async () => {
    const { buyer, intent } = await purchase(world);
    const fail = (text: string) =>
      transaction(world.db, (trx) => markProvisioningFailed(trx, world.runtime, intent.uuid, text));
    await fail('first');
    pass(world, 1_000);
    await fail('second');
    expect(await intentOf(world, buyer)).toMatchObject({
      state: 'errored_provisioning',
      last_provisioning_error: 'second',
    });
    await transaction(world.db, (trx) => markFulfilled(trx, world.runtime, intent.uuid));
    expect(await intentOf(world, buyer)).toMatchObject({ state: 'fulfilled', last_provisioning_error: 'second' });
  });

  test('everything that came before the customer gets the customer, and the plan', async () => {
    const { customer, intent, trialPlan, paidPlan } = await customerOf(world);
    expect(await paidPlanOf(world.db, intent.uuid)).toBe(paidPlan);
    for (const table of ['stripe_events', 'stripe_event_summaries', 'stripe_invoices', 'stripe_subscriptions']) {
      const rows = await world.db(table).where({ checkout_intent_uuid: intent.uuid }).pluck('enterprise_customer_uuid');
      expect(new Set(rows), table).toEqual(new Set([customer]));
    }
    const plans = await world
      .db('stripe_event_summaries')
      .where({ checkout_intent_uuid: intent.uuid })
      .pluck('subscription_plan_uuid');
    expect(new Set(plans)).toEqual(new Set([trialPlan]));
  });
});
