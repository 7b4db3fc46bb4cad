import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { validateCheckout } from '../../../../packages/domain/src/billing/index.ts';
import type { World } from '../support/examples.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import {
  buyerToken,
  customerOf,
  DAY_MS,
  deliverAll,
  INTENTS,
  intentOf,
  newBuyer,
  openSession,
  pass,
  payFor,
  purchase,
  reserve,
  SESSIONS,
  staffToken,
  YEARLY,
} from './support.ts';

const sessionCount = (world: World) => world.world.stripe.state.stripe.sessions.size;

describe.each(dialects)('checkout on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { env: { CORS_ORIGINS: 'https://checkout.example,https://portal.example' } });
  });
  afterAll(() => world.stop());

  const customerAtLms = {
    uuid: crypto.randomUUID(),
    name: 'Taken',
    slug: 'taken',
    contactEmail: null,
    senderAlias: null,
    defaultLanguage: null,
    isWithoutLearnerPortal: false,
    admins: [],
  };
  beforeAll(() => void world.world.customers.set(customerAtLms.uuid, customerAtLms));

  describe('R-BILL-30: the form', () => {
    const refused = (errorCode: string, developerMessage: string) => ({
      error_code: errorCode,
      developer_message: developerMessage,
    });
    test.each([
      [
        'an unknown address',
        { admin_email: 'nobody@demo.example' },
        {
          admin_email: refused('not_registered', 'Given email address does not correspond to an existing user.'),
        },
      ],
      [
        'the address of another one',
        { admin_email: 'learner-1999@demo.example' },
        {
          admin_email: refused(
            'admin_email_mismatch',
            'The provided admin_email differs from an existing user making the request.',
          ),
        },
      ],
      [
        'a slug of a customer',
        { enterprise_slug: 'taken' },
        {
          enterprise_slug: refused('existing_enterprise_customer', 'The slug conflicts with an existing customer.'),
        },
      ],
      [
        'a name of a customer',
        { company_name: 'Taken' },
        {
          company_name: refused(
            'existing_enterprise_customer',
            'An enterprise customer with this name already exists.',
          ),
        },
      ],
      [
        'ex 7: an unknown price',
        { stripe_price_id: 'price_none', quantity: 15 },
        {
          stripe_price_id: refused('does_not_exist', 'This stripe_price_id has not been configured.'),
          quantity: refused('incomplete_data', 'Not enough parameters were given.'),
        },
      ],
      [
        '51 licences',
        { quantity: 51 },
        {
          quantity: refused('range_exceeded', 'Exceeded allowed range for given stripe_price_id.'),
        },
      ],
      [
        'an unknown product',
        { ssp_product_slug: 'none' },
        {
          ssp_product_slug: refused('does_not_exist', 'This ssp_product_slug has not been configured.'),
          quantity: refused('incomplete_data', 'Not enough parameters were given.'),
        },
      ],
      [
        'a product with the price of another one',
        { ssp_product_slug: 'essentials-ai' },
        {
          stripe_price_id: refused('does_not_exist', 'This stripe_price_id has not been configured.'),
          quantity: refused('incomplete_data', 'Not enough parameters were given.'),
        },
      ],
    ])('%s', async (_case, change, body) => {
      const before = sessionCount(world);
      expect(await openSession(world, newBuyer(), change)).toMatchObject({ status: 422, body });
      expect(sessionCount(world)).toBe(before);
    });

    test('a slug that another buyer holds', async () => {
      const [a, b] = [newBuyer(), newBuyer()];
      await reserve(world, a, { quantity: 5, enterprise_slug: 'held', enterprise_name: 'Held' });
      expect((await openSession(world, b, { enterprise_slug: 'held' })).body).toEqual({
        enterprise_slug: refused('slug_reserved', 'The slug is currently reserved by another user.'),
      });
      expect((await openSession(world, b, { company_name: 'Held' })).body).toEqual({
        company_name: refused('existing_enterprise_customer', 'An enterprise customer with this name already exists.'),
      });
      expect((await openSession(world, a, { enterprise_slug: 'held', company_name: 'Held' })).status).toBe(201);
    });

    test('shapes', async () => {
      const reply = await world.call('POST', SESSIONS, buyerToken(newBuyer()), { admin_email: 'x', quantity: 0 });
      expect(reply.status).toBe(400);
      expect(Object.keys(reply.body).sort()).toEqual(
        ['admin_email', 'company_name', 'enterprise_slug', 'quantity', 'stripe_price_id'].sort(),
      );
    });

    test('for front ends: every field that is given, without a buyer too', async () => {
      const form = { admin_email: '', full_name: '', company_name: '', enterprise_slug: 'a b', quantity: 'x' };
      const { decisions, accountOfEmail } = await validateCheckout(world.runtime, form, null);
      expect(Object.fromEntries(Object.entries(decisions).map(([name, { errorCode }]) => [name, errorCode]))).toEqual({
        admin_email: 'invalid_format',
        full_name: 'is_null',
        company_name: 'is_null',
        enterprise_slug: 'incomplete_data',
        quantity: 'invalid_format',
      });
      expect(accountOfEmail).toBeUndefined();
      const good = { admin_email: 'learner-1000@demo.example', quantity: 31, stripe_price_id: YEARLY };
      expect(await validateCheckout(world.runtime, good, null)).toMatchObject({ decisions: {}, accountOfEmail: 1000 });
    });
  });

  test('the session carries what events need to find their intent', async () => {
    const buyer = newBuyer();
    world.world.academies.set('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1', {
      uuid: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1',
      title: 'AI Academy',
      longName: 'AI Academy',
      description: null,
      thumbnailUrl: null,
      tags: [],
      marketingUrl: null,
    });
    const reply = await openSession(world, buyer, { stripe_price_id: 'price_essentials_ai' });
    expect(reply.status, JSON.stringify(reply.body)).toBe(201);
    const intent = await intentOf(world, buyer);
    expect(intent).toMatchObject({ ssp_product: 'essentials-ai', product_line: 'essentials' });
    expect(world.world.stripe.state.orders.get(intent.stripe_checkout_session_id)).toEqual({
      price: 'price_essentials_ai',
      quantity: 12,
      trialDays: 14,
      metadata: {
        enterprise_customer_name: `Company ${buyer}`,
        enterprise_customer_slug: `slug-${buyer}`,
        lms_user_id: String(buyer),
        checkout_intent_id: String(intent.id),
        checkout_intent_uuid: intent.uuid,
        ssp_product_slug: 'essentials-ai',
        enterprise_catalog: '{"title":"AI Academy","catalog_query_id":41}',
      },
    });
  });

  test('Essentials after Teams is a purchase of its own, with metadata of its own', async () => {
    const { buyer, intent: teams } = await purchase(world);
    pass(world, 1_000);
    const reply = await openSession(world, buyer, { stripe_price_id: 'price_essentials_ai' });
    expect(reply.status, JSON.stringify(reply.body)).toBe(201);
    const essentials = await intentOf(world, buyer);
    expect(essentials.uuid).not.toBe(teams.uuid);
    // The same person is the same customer at Stripe.
    const session = world.world.stripe.state.stripe.sessions.get(essentials.stripe_checkout_session_id);
    expect(session).toMatchObject({ customer: teams.stripe_customer_id });
    await payFor(world, buyer);
    await deliverAll(world);
    expect(await world.db('checkout_intents').where({ uuid: teams.uuid }).first()).toMatchObject({ state: 'paid' });
    expect(await intentOf(world, buyer)).toMatchObject({ state: 'paid', ssp_product: 'essentials-ai' });
  });

  test('the same click twice, at once or later, is one session; another quantity is another one', async () => {
    const buyer = newBuyer();
    await world.call('GET', INTENTS, buyerToken(buyer));
    const before = sessionCount(world);
    const both = await Promise.all([openSession(world, buyer), openSession(world, buyer)]);
    const third = await openSession(world, buyer);
    expect(both.map(({ status }) => status)).toEqual([201, 201]);
    expect(new Set([...both, third].map(({ body }) => body.checkout_session_client_secret)).size).toBe(1);
    expect(sessionCount(world)).toBe(before + 1);
    const other = await openSession(world, buyer, { quantity: 13 });
    expect(other.body).not.toEqual(third.body);
    // An old session is over at Stripe after a day.
    pass(world, 2 * DAY_MS);
    const late = await openSession(world, buyer, { quantity: 13 });
    expect(late).toMatchObject({ status: 201 });
    expect(late.body).not.toEqual(other.body);
  });

  test('an address with quotes finds its customer and nobody else', async () => {
    const life = world.world.stripe.state.stripeLife;
    const email = "o'brien\\x@demo.example";
    const { id } = life.newCustomer({ email });
    expect(await world.runtime.stripe.customerByEmail(email)).toMatchObject({ id });
    expect(await world.runtime.stripe.customerByEmail("' OR email:'o")).toBeNull();
  });

  test('Stripe that does not answer is 503, and nothing is lost', async () => {
    const buyer = newBuyer();
    const { fetch } = world.world.stripe;
    // Prices are remembered.
    await world.runtime.stripe.prices();
    Object.assign(world.world.stripe, { fetch: () => Promise.reject(new TypeError('fetch failed')) });
    const reply = await openSession(world, buyer);
    Object.assign(world.world.stripe, { fetch });
    expect(reply.status).toBe(503);
    expect(await intentOf(world, buyer)).toMatchObject({ state: 'created', stripe_checkout_session_id: null });
    pass(world, 10_000);
  });

  describe('portal sessions', () => {
    const enterprise = (customer: string, token: string, headers = {}) =>
      world.call(
        'GET',
        `/api/v1/customer-billing/create-enterprise-admin-portal-session/?enterprise_customer_uuid=${customer}`,
        token,
        undefined,
        headers,
      );
    const own = (key: string | number, token: string, headers = {}) =>
      world.call('GET', `/api/v1/customer-billing/${key}/create-checkout-portal-session/`, token, undefined, headers);

    test('of administrators go back to their portal, with one slash before the slug', async () => {
      const { customer, intent } = await customerOf(world);
      const admin = tokenFor('enterprise_admin', customer, 8);
      const reply = await enterprise(customer, admin);
      expect(reply).toMatchObject({
        status: 200,
        body: {
          object: 'billing_portal.session',
          url: expect.stringMatching(/^https:/),
          return_url: `http://admin.test/${intent.enterprise_slug}`,
        },
      });
      const from = await enterprise(customer, admin, { origin: 'https://portal.example' });
      expect(from.body.return_url).toBe(`https://portal.example/${intent.enterprise_slug}`);
      const foreign = await enterprise(customer, admin, { origin: 'https://evil.example' });
      expect(foreign.body.return_url).toBe(`http://admin.test/${intent.enterprise_slug}`);
      const nobody = crypto.randomUUID();
      expect((await enterprise(nobody, admin)).status).toBe(403);
      expect(await enterprise(nobody, operatorToken())).toMatchObject({ status: 404, body: expect.any(String) });
    });

    test('of buyers are for the buyer alone', async () => {
      const { buyer, intent } = await purchase(world);
      const denied = { status: 403, body: { detail: 'You do not have permission to perform this action.' } };
      expect(await own(intent.uuid, buyerToken(buyer), { origin: 'https://checkout.example' })).toMatchObject({
        status: 200,
        body: { return_url: 'https://checkout.example/billing-details/success' },
      });
      for (const [key, token] of [
        [intent.id, staffToken()],
        [intent.id, buyerToken(newBuyer())],
        ['nonsense', buyerToken(buyer)],
        [crypto.randomUUID(), buyerToken(buyer)],
      ] as const)
        expect(await own(key, token)).toMatchObject(denied);
      const unpaid = newBuyer();
      const { body } = await reserve(world, unpaid, { quantity: 5 });
      expect(await own(body.id, buyerToken(unpaid))).toMatchObject({ status: 404, body: expect.any(String) });
    });
  });
});

describe('public products', () => {
  let world: World;
  const AI = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1';
  const academy = {
    uuid: AI,
    title: 'AI Academy',
    longName: 'AI Academy for work',
    description: 'All about AI.',
    thumbnailUrl: 'academies/ai.png',
    tags: ['AI'],
    marketingUrl: null,
  };
  const now = new Date('2026-06-01T12:00:00Z');
  beforeAll(async () => {
    world = await startApp('postgres');
    const common = { long_name: '', description: '', marketing_url: '', created: now, modified: now };
    await world.db('enterprise_academies').insert([
      {
        ...common,
        uuid: AI,
        name: 'AI',
        thumbnail_url: 'ai.png',
        tags: JSON.stringify(['AI', 'Tech']),
        stripe_product_id: 'prod_ai',
        stripe_price_lookup_key: 'essentials_ai_yearly',
        product_key: 'ai',
        slug: 'ai-academy',
        catalog_query_id: 41,
        is_active: true,
        display_order: 2,
      },
      {
        ...common,
        uuid: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa3',
        name: 'Old',
        thumbnail_url: '',
        tags: '[]',
        slug: 'old',
        is_active: false,
        display_order: 1,
      },
    ]);
  });
  afterAll(() => world.stop());
  beforeEach(() => {
    world.world.academyFault = null;
    world.world.academies.clear();
  });
  const get = (path: string, token: string | null = null) => world.call('GET', path, token);

  test('Essentials products with text and price, for anybody; a rejected token is one', async () => {
    world.world.academies.set(AI, academy);
    Object.assign(world.runtime.settings, { essentialsThumbnailUrl: 'https://images.example' });
    const reply = await get('/api/v1/ssp-products/');
    expect(reply).toMatchObject({
      status: 200,
      body: [
        {
          slug: 'essentials-ai',
          name: 'AI Academy',
          long_name: 'AI Academy for work',
          description: 'All about AI.',
          thumbnail_url: 'https://images.example/academies/ai.png',
          marketing_url: null,
          tags: ['AI'],
          price: '99.00',
          lookup_key: 'essentials_ai_yearly',
        },
        { slug: 'essentials-data', name: null, tags: [], price: '149.99' },
      ],
    });
    for (const off of ['false', 'NO', '0'])
      expect((await get(`/api/v1/ssp-products/?include_pricing=${off}`)).body[0].price).toBeNull();
    expect((await get('/api/v1/ssp-products/?include_pricing=off')).body[0].price).toBe('99.00');
    for (const key of ['essentials-ai', 'essentials_ai_yearly'])
      expect((await get(`/api/v1/ssp-products/${key}/`)).body).toMatchObject({ slug: 'essentials-ai', price: null });
    expect(await get('/api/v1/ssp-products/teams-yearly/')).toMatchObject({
      status: 404,
      body: { detail: 'Not found.' },
    });
  });

  test('a catalog that does not answer leaves the texts out, in bounded time', async () => {
    world.world.academyFault = () => new Promise(() => undefined);
    const start = performance.now();
    const reply = await get('/api/v1/ssp-products/');
    expect(reply).toMatchObject({ status: 200, body: [{ name: null, price: '99.00' }, { name: null }] });
    expect(performance.now() - start).toBeLessThan(8_000);
  });

  test('academies with one price each, in the order of their pages', async () => {
    const { body } = await get('/api/v1/academy-products/?tag=AI&tag=&tag=Tech');
    expect(body).toMatchObject({
      count: 1,
      next: null,
      previous: null,
      results: [
        {
          id: 'prod_ai',
          name: 'AI',
          long_name: 'AI',
          catalog_query_id: 41,
          edx_catalog_id: 41,
          prices: [
            {
              id: 'price_essentials_ai',
              unit_amount: 9_900,
              unit_amount_decimal: '99',
              recurring: { interval: 'year', interval_count: 1, usage_type: 'licensed' },
            },
          ],
        },
      ],
    });
    const names = async (query: string) =>
      (await get(`/api/v1/academy-products/${query}`)).body.results.map(({ name }: { name: string }) => name);
    expect(await names('?include_inactive=true')).toEqual(['Old', 'AI']);
    expect(await names('?include_inactive=True')).toEqual(['AI']);
    expect(await names('?product_key=ai')).toEqual(['AI']);
    expect(await names('?tag=none')).toEqual([]);
    expect(await names(`?academy_uuid=${AI.replaceAll('-', '')}`)).toEqual(['AI']);
    expect(await get('/api/v1/academy-products/?academy_uuid=x')).toMatchObject({
      status: 400,
      body: { academy_uuid: 'Must be a valid UUID.' },
    });
    for (const key of ['ai-academy', 'ai', 'prod_ai', AI, 'old'])
      expect((await get(`/api/v1/academy-products/${key}/?tag=none`)).status).toBe(200);
    expect(await get('/api/v1/academy-products/none/')).toMatchObject({ status: 404, body: null });
  });

  test('a public GET never imports', async () => {
    const refusal = { status: 400, body: { sync: ['sync=true is not supported on this public endpoint.'] } };
    expect(await get('/api/v1/academy-products/?sync=true')).toMatchObject(refusal);
    expect(await get('/api/v1/academy-products/none/?sync=true')).toMatchObject(refusal);
    const before = await world.db('enterprise_academies').select('*').orderBy('uuid');
    for (const sync of ['True', '1', ''])
      expect((await get(`/api/v1/academy-products/?sync=${sync}`)).status).toBe(200);
    expect(await world.db('enterprise_academies').select('*').orderBy('uuid')).toEqual(before);
  });

  test('R-BILL-63: 120 requests an hour for each group, with a token or without', async () => {
    const fresh = await startApp('postgres');
    try {
      const ask = (path: string, token: string | null = null) => fresh.call('GET', path, token);
      for (let n = 0; n < 60; n += 1) {
        await ask('/api/v1/ssp-products/?include_pricing=no');
        await ask('/api/v1/ssp-products/none/', buyerToken(1_100));
      }
      const over = await ask('/api/v1/ssp-products/', buyerToken(1_100));
      expect(over).toMatchObject({
        status: 429,
        body: { detail: expect.stringMatching(/^Request was throttled\. Expected available in \d+ seconds\.$/) },
      });
      expect(Number(over.headers['retry-after'])).toBeGreaterThan(0);
      expect((await ask('/api/v1/academy-products/')).status).toBe(200);
    } finally {
      await fresh.stop();
    }
  });
});
