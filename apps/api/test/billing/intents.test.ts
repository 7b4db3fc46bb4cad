import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { intentToShow } from '../../../../packages/domain/src/billing/index.ts';
import type { World } from '../support/examples.ts';
import { historyOf, trpcData, trpcError } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp } from '../support/harness.ts';
import {
  buyerToken,
  DAY_MS,
  deliverAll,
  HOUR_MS,
  INTENTS,
  intentOf,
  newBuyer,
  openSession,
  pass,
  payFor,
  purchase,
  reserve,
  run,
  staffToken,
} from './support.ts';

const RESERVED = { detail: 'enterprise_slug or enterprise_name has already been reserved.' };
const FAILED = { detail: 'Requesting user already has a failed CheckoutIntent.' };

describe.each(dialects)('checkout intents on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  const named = (name: string) => ({ quantity: 13, enterprise_slug: name, enterprise_name: `The ${name}` });
  const patch = (buyer: number, intent: string | number, body: object, token = buyerToken(buyer)) =>
    world.call('PATCH', `${INTENTS}${intent}/`, token, body);
  const set = (buyer: number, state: string) =>
    world
      .db('users')
      .where({ lms_user_id: buyer })
      .first('id')
      .then(({ id }) => world.db('checkout_intents').where({ user_id: id }).update({ state }));

  test('ex 1: a reservation of slug and name for a day; both are refused to others', async () => {
    const [a, b] = [newBuyer(), newBuyer()];
    const made = await reserve(world, a, named('acme'));
    expect(made).toMatchObject({
      status: 201,
      body: {
        state: 'created',
        enterprise_slug: 'acme',
        quantity: 13,
        ssp_product: 'teams-yearly',
        stripe_product_id: '',
        workflow: null,
        enterprise_uuid: null,
      },
    });
    expect(Object.keys(made.body).sort()).toEqual(
      [
        'id created modified uuid state enterprise_name enterprise_slug enterprise_uuid stripe_customer_id expires_at',
        'stripe_checkout_session_id quantity country last_checkout_error last_provisioning_error terms_metadata user',
        'workflow ssp_product stripe_product_id',
      ]
        .join(' ')
        .split(' ')
        .sort(),
    );
    expect(new Date(made.body.expires_at).getTime() - world.world.now.getTime()).toBe(DAY_MS);
    expect(await reserve(world, b, { ...named('acme'), enterprise_name: 'Other' })).toMatchObject({
      status: 422,
      body: RESERVED,
    });
    expect(await reserve(world, b, { ...named('other'), enterprise_name: 'The acme' })).toMatchObject({
      status: 422,
      body: RESERVED,
    });
    expect(
      await trpcError(
        world,
        'billing.createCheckoutIntent',
        { quantity: 5, enterpriseSlug: 'acme', enterpriseName: 'x' },
        buyerToken(b),
      ),
    ).toMatchObject({
      status: 422,
      code: 'checkout_intent_conflict_slug_reserved',
    });
  });

  test('ex 2: what is not given stays, and terms are merged', async () => {
    const buyer = newBuyer();
    const first = await reserve(world, buyer, {
      ...named('patched'),
      country: 'jp',
      terms_metadata: { version: '1.1', test_mode: true },
    });
    pass(world, HOUR_MS);
    const second = await reserve(world, buyer, { quantity: 22, terms_metadata: { version: '2.0' } });
    expect(second.body).toMatchObject({
      id: first.body.id,
      quantity: 22,
      enterprise_slug: 'patched',
      country: 'JP',
      terms_metadata: { version: '2.0', test_mode: true },
    });
    expect(new Date(second.body.expires_at).getTime()).toBe(world.world.now.getTime() + DAY_MS);
  });

  test('ex 3: a reservation that is over blocks neither an intent nor a session', async () => {
    const [a, b, c] = [newBuyer(), newBuyer(), newBuyer()];
    await reserve(world, a, named('lapsed'));
    await reserve(world, c, named('lapsed-too'));
    pass(world, DAY_MS + HOUR_MS);
    expect((await openSession(world, b, { enterprise_slug: 'lapsed' })).status).toBe(201);
    expect((await reserve(world, newBuyer(), named('lapsed-too'))).status).toBe(201);
    expect(await intentOf(world, a)).toMatchObject({ state: 'expired' });
  });

  test('ex 4: a failed intent is a conflict and stays as it is', async () => {
    const buyer = newBuyer();
    const made = await reserve(world, buyer, named('failed'));
    await set(buyer, 'errored_backoffice');
    expect(await reserve(world, buyer, named('failed-again'))).toMatchObject({ status: 422, body: FAILED });
    expect(await intentOf(world, buyer)).toMatchObject({ uuid: made.body.uuid, enterprise_slug: 'failed' });
  });

  test('ex 5: a paid intent is returned as it is, and no second session charges for it', async () => {
    const { buyer, intent } = await purchase(world);
    expect(await reserve(world, buyer, named('new'))).toMatchObject({
      status: 201,
      body: { uuid: intent.uuid, enterprise_slug: intent.enterprise_slug },
    });
    expect(await openSession(world, buyer)).toMatchObject({
      status: 422,
      body: { errors: [{ error_code: 'checkout_intent_conflict_paid' }] },
    });
    expect(await intentOf(world, buyer)).toMatchObject({ modified: intent.modified });
  });

  test('ex 6: staff set what the table allows, buyers only what is theirs', async () => {
    const buyer = newBuyer();
    const { body } = await reserve(world, buyer, named('moved'));
    const invalid = (from: string, to: string) => ({
      status: 400,
      body: { state: [`Invalid state transition from ${from} to ${to}`] },
    });
    expect(await patch(buyer, body.id, { state: 'fulfilled' })).toMatchObject(invalid('created', 'fulfilled'));
    expect(await patch(buyer, body.id, { state: 'paid' })).toMatchObject(invalid('created', 'paid'));
    expect(await patch(buyer, body.id, { state: 'x' })).toMatchObject({
      status: 400,
      body: { state: ['"x" is not a valid choice.'] },
    });
    expect(await patch(buyer, body.id, { state: null })).toMatchObject({
      status: 400,
      body: { state: ['This field may not be null.'] },
    });
    for (const state of ['paid', 'errored_provisioning', 'fulfilled'])
      expect(await patch(buyer, body.uuid, { state }, staffToken())).toMatchObject({ status: 200, body: { state } });
    expect(await patch(buyer, body.uuid, { state: 'paid' }, staffToken())).toMatchObject(invalid('fulfilled', 'paid'));
  });

  test('ex 14: an embargoed country is refused, at creation too', async () => {
    const buyer = newBuyer();
    const refusal = { status: 400, body: { country: ['Country RU is not supported.'] } };
    expect(await reserve(world, buyer, { ...named('embargo'), country: 'RU' })).toMatchObject(refusal);
    const { body } = await reserve(world, buyer, { ...named('embargo'), country: 'Japan' });
    expect(body.country).toBe('JP');
    expect(await patch(buyer, body.id, { country: 'RU' })).toMatchObject(refusal);
    expect(await patch(buyer, body.id, { country: 'Nowhere' })).toMatchObject({
      status: 400,
      body: { country: ['"Nowhere" is not a valid choice.'] },
    });
    // What is stored already does not block other changes.
    await world.db('checkout_intents').where({ id: body.id }).update({ country: 'RU' });
    expect(await patch(buyer, body.id, { terms_metadata: { a: 1 } })).toMatchObject({
      status: 200,
      body: { country: 'RU', terms_metadata: { a: 1 } },
    });
  });

  test('ex 16: an academy beside Teams at the same slug; the same product is the same intent', async () => {
    const buyer = newBuyer();
    const teams = await reserve(world, buyer, { ...named('both'), ssp_product: 'teams-yearly' });
    const academy = await reserve(world, buyer, { ...named('both'), ssp_product: 'essentials-ai' });
    const other = await reserve(world, buyer, { ...named('both'), ssp_product: 'essentials-data' });
    const again = await reserve(world, buyer, { ...named('both'), quantity: 20, ssp_product: 'essentials-ai' });
    expect([teams, academy, other, again].map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(new Set([teams, academy, other].map(({ body }) => body.uuid)).size).toBe(3);
    expect(again.body).toMatchObject({ uuid: academy.body.uuid, quantity: 20 });
    // The slug stays taken until the last of them is gone.
    for (const { body } of [teams, other]) await patch(buyer, body.id, { state: 'expired' });
    expect((await reserve(world, newBuyer(), named('both'))).status).toBe(422);
    await patch(buyer, academy.body.id, { state: 'expired' });
    expect((await reserve(world, newBuyer(), named('both'))).status).toBe(201);
    expect(await reserve(world, buyer, { quantity: 5, ssp_product: 'nothing' })).toMatchObject({
      status: 400,
      body: { ssp_product: ['Object with slug=nothing does not exist.'] },
    });
  });

  test('R-BILL-22: the database keeps a second active intent of a product out, and a second Teams trial', async () => {
    const buyer = newBuyer();
    await reserve(world, buyer, named('twice'));
    const row = await intentOf(world, buyer);
    const { active_product: _a, teams_trial: _t, ...columns } = row;
    const second = (change: object) =>
      world.db('checkout_intents').insert({
        ...columns,
        terms_metadata: null,
        uuid: crypto.randomUUID(),
        id: Math.floor(Math.random() * 1e8),
        ...change,
      });
    await expect(second({})).rejects.toThrow();
    await expect(second({ ssp_product: 'teams-quarterly', enterprise_slug: null })).rejects.toThrow();
    await expect(second({ ssp_product: 'teams-quarterly', state: 'fulfilled' })).rejects.toThrow();
    await second({ ssp_product: 'essentials-ai', product_line: 'essentials' });
    await second({ ssp_product: 'essentials-ai', product_line: 'essentials', state: 'fulfilled' });
    await second({ state: 'expired' });
  });

  test('ex 17: an expired intent has to reserve again what it had', async () => {
    const [a, b] = [newBuyer(), newBuyer()];
    const first = await reserve(world, a, named('hole'));
    pass(world, DAY_MS + HOUR_MS);
    expect((await run(world, 'billing.expireIntents')).result).toMatchObject({ expired: expect.any(Number) });
    await reserve(world, b, named('hole'));
    expect(await reserve(world, a, named('hole'))).toMatchObject({ status: 422, body: RESERVED });
    expect(await reserve(world, a, { quantity: 3 })).toMatchObject({ status: 422, body: RESERVED });
    expect(await patch(a, first.body.id, { state: 'created' })).toMatchObject({ status: 422, body: RESERVED });
    expect(await intentOf(world, a)).toMatchObject({ state: 'expired' });
  });

  test('ex 18: paid intents that nobody provisions are marked, others are not', async () => {
    const stalled = await purchase(world);
    const waiting = newBuyer();
    await reserve(world, waiting, named('waiting'));
    pass(world, 5 * 60_000);
    expect((await run(world, 'billing.markStalled', {}, true)).result).toMatchObject({ stalled: expect.any(Number) });
    await run(world, 'billing.markStalled', { thresholdSeconds: 180 });
    expect(await intentOf(world, stalled.buyer)).toMatchObject({
      state: 'errored_fulfillment_stalled',
      last_provisioning_error: expect.stringContaining('Fulfillment stalled for 300 seconds (threshold: 180s).'),
    });
    expect(await intentOf(world, waiting)).toMatchObject({ state: 'created' });
  });

  test('slug and name come together, and other fields are checked as before', async () => {
    const buyer = newBuyer();
    const only = (body: object) => reserve(world, buyer, { quantity: 5, ...body });
    expect((await only({ enterprise_slug: 'a' })).body).toEqual({
      enterprise_name: ['enterprise_name is required when enterprise_slug is provided.'],
    });
    expect((await only({ enterprise_name: 'A' })).body).toEqual({
      enterprise_slug: ['enterprise_slug is required when enterprise_name is provided.'],
    });
    expect((await only({ terms_metadata: ['x'] })).body).toEqual({
      terms_metadata: ['terms_metadata must be a dictionary/object, not a list or string.'],
    });
    for (const quantity of [0, 1_001, 2.5, true, null])
      expect((await only({ quantity })).status, String(quantity)).toBe(400);
    expect((await only({ enterprise_slug: '', enterprise_name: null, country: null })).status).toBe(201);
  });

  test('R-BILL-60: buyers see their own, by uuid with or without dashes or number; staff and operators all', async () => {
    const [a, b] = [newBuyer(), newBuyer()];
    const { body } = await reserve(world, a, named('seen'));
    const get = (key: string | number, token: string) => world.call('GET', `${INTENTS}${key}/`, token);
    for (const key of [body.uuid, body.uuid.replaceAll('-', ''), body.id])
      expect((await get(key, buyerToken(a))).body).toEqual(body);
    for (const key of [body.uuid, body.id, -1, '9'.repeat(30)])
      expect(await get(key, buyerToken(b))).toMatchObject({
        status: 404,
        body: { detail: 'CheckoutIntent not found' },
      });
    expect(await get('nonsense', buyerToken(a))).toMatchObject({
      status: 400,
      body: ['Lookup value must be either a valid UUID or integer ID'],
    });
    // A role of an operator does not open the old route; the token's `administrator` does.
    expect((await get(body.id, operatorToken())).status).toBe(404);
    expect((await get(body.id, staffToken())).status).toBe(200);
    const count = async (token: string) => (await world.call('GET', INTENTS, token)).body.count;
    expect([await count(buyerToken(a)), await count(buyerToken(b))]).toEqual([1, 0]);
    expect(await count(staffToken())).toBeGreaterThan(5);
    const found = await trpcData<{ items: { uuid: string }[] }>(world, 'billing.findCheckoutIntents', {
      enterpriseSlug: 'seen',
    });
    expect(found.items.map(({ uuid }) => uuid)).toEqual([body.uuid]);
    expect(await trpcError(world, 'billing.findCheckoutIntents', {}, buyerToken(a))).toMatchObject({ status: 403 });
    expect((await world.call('GET', `${INTENTS}?page=9`, staffToken())).body).toEqual({ detail: 'Invalid page.' });
    for (const method of ['PUT', 'DELETE'] as const)
      expect((await world.call(method, `${INTENTS}${body.id}/`, buyerToken(a), {})).status).toBe(405);
  });

  test('the trail and the bus know every state, and no terms', async () => {
    const buyer = newBuyer();
    const { body } = await reserve(world, buyer, { ...named('history'), terms_metadata: { ip: '192.0.2.7' } });
    await patch(buyer, body.id, { state: 'expired' });
    const history = await historyOf(world, body.uuid);
    expect(history.map(({ after }) => after?.state)).toEqual(['created', 'expired']);
    const sent = await world.db('outbox').where({ message_key: body.uuid, kind: 'event' }).orderBy('position');
    const payloads = sent.map(({ payload }) => (typeof payload === 'string' ? JSON.parse(payload) : payload));
    expect(payloads.map(({ previous_state, new_state }) => [previous_state, new_state])).toEqual([
      [null, 'created'],
      ['created', 'expired'],
    ]);
    expect(JSON.stringify([history, payloads])).not.toContain('192.0.2.7');
  });

  test('R-BILL-26, R-BILL-27: front ends show the active intent, else the newest', async () => {
    const buyer = newBuyer();
    const { body } = await reserve(world, buyer, named('shown'));
    const shown = () => intentToShow(world.runtime, body.user);
    expect(await shown()).toMatchObject({ uuid: body.uuid });
    pass(world, DAY_MS + HOUR_MS);
    expect(await shown()).toMatchObject({ uuid: body.uuid, state: 'created' });
    expect(await intentToShow(world.runtime, 0)).toBeNull();
  });

  test('many buyers race for one slug: one has it, the others are refused', async () => {
    const buyers = Array.from({ length: 20 }, newBuyer);
    const replies = await Promise.all(buyers.map((buyer) => reserve(world, buyer, named(`race-${dialect}`))));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([201, ...Array(19).fill(422)]);
    expect(replies.filter(({ status }) => status === 422).map(({ body }) => body)).toEqual(Array(19).fill(RESERVED));
  });

  test('one buyer asks ten times at once: one intent', async () => {
    const buyer = newBuyer();
    // The first request of a user also stores the user.
    await world.call('GET', INTENTS, buyerToken(buyer));
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => reserve(world, buyer, named(`same-${dialect}`))),
    );
    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(201));
    expect(new Set(replies.map(({ body }) => body.uuid)).size).toBe(1);
  });

  test('a payment in time counts, although the reservation is over when it is told', async () => {
    const buyer = newBuyer();
    await openSession(world, buyer);
    await payFor(world, buyer);
    const events = world.world.stripe.state.stripe.events.slice(-20);
    pass(world, 2 * DAY_MS);
    await run(world, 'billing.expireIntents');
    expect(await intentOf(world, buyer)).toMatchObject({ state: 'expired' });
    await deliverAll(world, events);
    expect(await intentOf(world, buyer)).toMatchObject({ state: 'paid' });
  });
});
