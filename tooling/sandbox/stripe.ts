import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from './http.ts';
import type { SandboxState } from './state.ts';
import { missing, refusal } from './stripe-life.ts';
import type { Json, StripeObject } from './stripe-store.ts';

type ById = { Params: { id: string } };

/** `a[b][0]` as nested objects; numbers as names become lists. */
export function nested(flat: Readonly<Record<string, unknown>>): Json {
  const root: Json = {};
  for (const [key, value] of Object.entries(flat)) {
    const [head = '', ...rest] = key.split(/[[\]]+/).filter((part) => part !== '');
    let at = root;
    let name = head;
    for (const part of rest) {
      const child = (at[name] ?? {}) as Json;
      at[name] = child;
      at = child;
      name = part;
    }
    at[name] = value;
  }
  return root;
}

const listOf = (value: unknown): unknown[] =>
  typeof value === 'object' && value !== null ? Object.values(value) : value === undefined ? [] : [value];

const LARGEST_PAGE = 100;
const DEFAULT_PAGE = 10;

/** A page in Stripe's form: newest first, after an id. */
function page(all: readonly Json[], query: Json, url: string) {
  const limit = query.limit === undefined ? DEFAULT_PAGE : Number(query.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_PAGE)
    throw refusal(400, 'This value must be between 1 and 100.');
  const after = query.starting_after;
  const start = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && start === 0) throw missing('object', String(after));
  const data = all.slice(start, start + limit);
  return { object: 'list', data, has_more: start + limit < all.length, url };
}

const newestFirst = <T extends StripeObject>(map: Map<string, T>): T[] => [...map.values()].reverse();

/** Writes a reply once per idempotency key, as Stripe does. */
function replaying(state: SandboxState, request: FastifyRequest, reply: FastifyReply, work: () => Json): void {
  const key = request.headers['idempotency-key'];
  const asked = `${request.method} ${request.url} ${JSON.stringify(request.body ?? null)}`;
  const known = typeof key === 'string' ? state.stripe.replies.get(key) : undefined;
  if (known && known.request !== asked)
    throw refusal(
      400,
      'Keys for idempotent requests can only be used with the same parameters they were first used with.',
      {
        type: 'idempotency_error',
      },
    );
  if (known) {
    reply.header('idempotent-replayed', 'true').code(known.status).send(known.body);
    return;
  }
  const body = work();
  if (typeof key === 'string') state.stripe.replies.set(key, { request: asked, status: 200, body });
  reply.send(body);
}

/** The part of Stripe's API that our services call, with state. */
export function stripeRoutes(app: FastifyInstance, state: SandboxState): void {
  const life = state.stripeLife;
  const { shown } = life;
  const bodyOf = (request: FastifyRequest): Json => nested((request.body ?? {}) as Json);
  const queryOf = (request: FastifyRequest): Json => nested(request.query as Json);
  const find = <T extends StripeObject>(map: Map<string, T>, what: string, id: string): T => {
    const found = map.get(id);
    if (!found) throw missing(what, id);
    return found;
  };
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

  app.addHook('onRequest', (_request, _reply, done) => {
    life.catchUp();
    done();
  });

  app.get('/prices', (request, reply) => {
    const query = queryOf(request);
    const all = [...state.stripe.prices.values()].filter(
      (price) =>
        (query.active === undefined || String(price.active) === query.active) &&
        (query.type === undefined || price.type === query.type),
    );
    reply.send(page(all.map(shown), query, '/v1/prices'));
  });
  app.get<ById>('/products/:id', (request, reply) => {
    reply.send(shown(find(state.stripe.products, 'product', request.params.id)));
  });

  app.get('/customers/search', (request, reply) => {
    const [, quoted = ''] = /^email:'((?:[^'\\]|\\.)*)'$/.exec(String(queryOf(request).query)) ?? [];
    if (quoted === '') throw refusal(400, 'We were unable to parse your search query.');
    const email = quoted.replace(/\\(.)/g, '$1').toLowerCase();
    const found = newestFirst(state.stripe.customers).filter((each) => text(each.email)?.toLowerCase() === email);
    reply.send({
      object: 'search_result',
      data: found.map(shown),
      has_more: false,
      next_page: null,
      url: '/v1/customers/search',
    });
  });
  app.post('/customers', (request, reply) =>
    replaying(state, request, reply, () => shown(life.newCustomer(bodyOf(request)))),
  );
  app.get<ById>('/customers/:id', (request, reply) => {
    const found = find(state.stripe.customers, 'customer', request.params.id);
    reply.send(found.deleted ? { id: found.id, object: 'customer', deleted: true } : shown(found));
  });
  app.post<ById>('/customers/:id', (request, reply) =>
    replaying(state, request, reply, () => {
      const customer = find(state.stripe.customers, 'customer', request.params.id);
      const { invoice_settings: settings, address, ...fields } = bodyOf(request);
      const empty = (value: unknown) => (value === '' ? null : value);
      Object.assign(customer, Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, empty(value)])));
      if (typeof address === 'object' && address !== null)
        customer.address = Object.fromEntries(Object.entries(address).map(([name, value]) => [name, empty(value)]));
      if (typeof settings === 'object' && settings !== null) {
        const { default_payment_method: method } = settings as Json;
        find(state.stripe.methods, 'PaymentMethod', String(method));
        customer.invoice_settings = { ...(customer.invoice_settings as Json), ...settings };
      }
      return shown(customer);
    }),
  );
  app.get<ById>('/customers/:id/payment_methods', (request, reply) => {
    const { id } = request.params;
    const own = newestFirst(state.stripe.methods).filter(({ customer }) => customer === id);
    reply.send(page(own.map(shown), queryOf(request), `/v1/customers/${id}/payment_methods`));
  });

  app.get<ById>('/payment_methods/:id', (request, reply) => {
    reply.send(shown(find(state.stripe.methods, 'PaymentMethod', request.params.id)));
  });
  app.post<ById>('/payment_methods/:id/attach', (request, reply) =>
    replaying(state, request, reply, () => {
      const method = find(state.stripe.methods, 'PaymentMethod', request.params.id);
      const { customer } = bodyOf(request);
      find(state.stripe.customers, 'customer', String(customer));
      if (method.customer !== null)
        throw refusal(400, 'The payment method you provided has already been attached to a customer.');
      method.customer = String(customer);
      return shown(method);
    }),
  );
  app.post<ById>('/payment_methods/:id/detach', (request, reply) =>
    replaying(state, request, reply, () => {
      const method = find(state.stripe.methods, 'PaymentMethod', request.params.id);
      if (method.customer === null)
        throw refusal(400, 'The payment method you provided is not attached to a customer.');
      method.customer = null;
      return shown(method);
    }),
  );

  app.post('/checkout/sessions', (request, reply) =>
    replaying(state, request, reply, () => {
      const body = bodyOf(request);
      const [line] = listOf(body.line_items) as Json[];
      if (!line) throw refusal(400, 'You must provide one of the following: line_items.', { param: 'line_items' });
      find(state.stripe.prices, 'price', String(line.price));
      if (body.customer !== undefined) find(state.stripe.customers, 'customer', String(body.customer));
      const data = (body.subscription_data ?? {}) as Json;
      const session = life.newSession({
        mode: body.mode,
        ui_mode: body.ui_mode ?? 'hosted_page',
        customer: body.customer ?? null,
        customer_email: body.customer_email ?? null,
      });
      state.orders.set(session.id, {
        price: String(line.price),
        quantity: Number(line.quantity ?? 1),
        trialDays: Number(data.trial_period_days ?? 0),
        metadata: (data.metadata ?? {}) as Json,
      });
      return shown(session);
    }),
  );
  app.get<ById>('/checkout/sessions/:id', (request, reply) => {
    const session = find(state.stripe.sessions, 'checkout.session', request.params.id);
    if (session.status === 'open' && Number(session.expires_at) <= life.now()) session.status = 'expired';
    reply.send(shown(session));
  });
  app.get<ById>('/payment_intents/:id', (request) => {
    throw missing('payment_intent', request.params.id);
  });

  app.post('/billing_portal/sessions', (request, reply) =>
    replaying(state, request, reply, () => {
      const { customer, return_url } = bodyOf(request);
      find(state.stripe.customers, 'customer', String(customer));
      const id = `bps_${state.stripe.replies.size}`;
      return {
        id,
        object: 'billing_portal.session',
        configuration: 'bpc_sandbox',
        created: life.now(),
        customer,
        flow: null,
        livemode: false,
        locale: null,
        on_behalf_of: null,
        return_url: return_url ?? null,
        url: `https://billing.stripe.test/p/session/${id}`,
      };
    }),
  );

  app.get('/subscriptions', (request, reply) => {
    const query = queryOf(request);
    const since = Number((query.created as Json | undefined)?.gte ?? 0);
    const all = newestFirst(state.stripe.subscriptions).filter(
      (each) =>
        (query.customer === undefined || each.customer === query.customer) &&
        (query.status === 'all' ||
          (query.status === undefined ? each.status !== 'canceled' : each.status === query.status)) &&
        Number(each.created) >= since,
    );
    reply.send(page(all.map(shown), query, '/v1/subscriptions'));
  });
  app.get<ById>('/subscriptions/:id', (request, reply) => {
    reply.send(shown(find(state.stripe.subscriptions, 'subscription', request.params.id)));
  });
  app.post<ById>('/subscriptions/:id', (request, reply) =>
    replaying(state, request, reply, () => {
      const subscription = find(state.stripe.subscriptions, 'subscription', request.params.id);
      const body = bodyOf(request);
      if (body.metadata !== undefined)
        return shown(life.change(subscription, { metadata: { ...subscription.metadata, ...(body.metadata as Json) } }));
      if (subscription.status === 'canceled')
        throw refusal(400, 'A canceled subscription can only update its cancellation_details and metadata.');
      if (body.cancel_at_period_end !== undefined)
        life.setCancellation(subscription.id, body.cancel_at_period_end === 'true');
      return shown(subscription);
    }),
  );

  app.post('/invoices/create_preview', (request, reply) => {
    reply.send(life.upcoming(String(bodyOf(request).subscription)));
  });
  app.get('/invoices', (request, reply) => {
    const query = queryOf(request);
    const all = newestFirst(state.stripe.invoices).filter(
      (each) =>
        (query.customer === undefined || each.customer === query.customer) &&
        (query.status === undefined || each.status === query.status),
    );
    reply.send(page(all.map(shown), query, '/v1/invoices'));
  });
  app.get<ById>('/invoices/:id', (request, reply) => {
    reply.send(shown(find(state.stripe.invoices, 'invoice', request.params.id)));
  });
  app.get('/invoice_payments', (request, reply) => {
    const query = queryOf(request);
    const invoice = state.stripe.invoices.get(String(query.invoice));
    const method = invoice && state.stripe.payments.get(invoice.id);
    const data =
      invoice && method
        ? [
            {
              id: `inpay_${invoice.id}`,
              object: 'invoice_payment',
              amount_paid: invoice.amount_paid,
              amount_requested: invoice.amount_due,
              created: life.now(),
              currency: 'usd',
              invoice: invoice.id,
              is_default: true,
              livemode: false,
              payment: {
                payment_intent: {
                  id: `pi_${invoice.id}`,
                  object: 'payment_intent',
                  payment_method: shown(find(state.stripe.methods, 'PaymentMethod', method)),
                  latest_charge: {
                    id: `ch_${invoice.id}`,
                    object: 'charge',
                    receipt_url: `https://pay.stripe.test/receipts/${invoice.id}`,
                  },
                },
                type: 'payment_intent',
              },
              status: 'paid',
              status_transitions: { canceled_at: null, paid_at: life.now() },
            },
          ]
        : [];
    reply.send(page(data, query, '/v1/invoice_payments'));
  });

  app.get('/events', (request, reply) => {
    const query = queryOf(request);
    const since = Number((query.created as Json | undefined)?.gte ?? 0);
    const all = state.stripe.events
      .toReversed()
      .filter((each) => (query.type === undefined || each.type === query.type) && each.created >= since);
    reply.send(page(all, query, '/v1/events'));
  });

  app.setNotFoundHandler((request) => {
    throw refusal(404, `Unrecognized request URL (${request.method}: ${request.url}).`);
  });
  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof Refusal) return reply.code(error.status).send(error.body);
    const message = error instanceof Error ? error.message : 'failed';
    return reply.code(500).send({ error: { type: 'api_error', message } });
  });
}
