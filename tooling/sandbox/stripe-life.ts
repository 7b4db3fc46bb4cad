import { Refusal } from './http.ts';
import {
  API_VERSION,
  type Invoice,
  type Json,
  type PaymentMethod,
  type Price,
  type StripeObject,
  type StripeStore,
  type Subscription,
} from './stripe-store.ts';

const DAY_SECONDS = 86_400;
const ANNOUNCED_DAYS = 3;

/** An error as Stripe answers it. */
export const refusal = (status: number, message: string, more: Json = {}): Refusal =>
  new Refusal(status, { error: { type: 'invalid_request_error', message, ...more } });

export const missing = (what: string, id: string): Refusal =>
  refusal(404, `No such ${what}: '${id}'`, { code: 'resource_missing', param: 'id' });

/** What somebody buys at a checkout session. */
export interface Card {
  readonly last4?: string;
  readonly brand?: string;
  readonly name?: string;
  /** Charges fail, though the card can be attached. */
  readonly fails?: boolean;
}

/** The life of customers and subscriptions, with a clock that can be moved ahead. */
export function stripeLife(store: () => StripeStore, baseNow: () => Date) {
  const seconds = (date: Date) => Math.floor(date.getTime() / 1_000);
  const now = () => seconds(new Date(baseNow().getTime() + store().aheadMs));
  const newId = (prefix: string): string => {
    store().count += 1;
    return `${prefix}_${String(store().count).padStart(8, '0')}`;
  };
  const copy = <T>(value: T): T => structuredClone(value);

  function emit(type: string, object: Json, at: number, previous?: Json): void {
    const id = newId('evt');
    store().events.push({
      id,
      object: 'event',
      api_version: API_VERSION,
      created: at,
      data: { object: shown(object), ...(previous === undefined ? {} : { previous_attributes: copy(previous) }) },
      livemode: false,
      pending_webhooks: 1,
      request: { id: null, idempotency_key: null },
      type,
    });
  }

  /** Without the fields that are the stand-in's own. */
  function shown(object: Json): Json {
    const { fails: _fails, subscription, ...rest } = object;
    return copy(object.object === 'checkout.session' ? { ...rest, subscription } : rest);
  }

  const get = <T>(map: Map<string, T>, what: string, id: string): T => {
    const found = map.get(id);
    if (!found) throw missing(what, id);
    return found;
  };
  const subscriptionOf = (id: string) => get(store().subscriptions, 'subscription', id);
  const priceNamed = (id: string): Price => get(store().prices, 'price', id);
  const itemOf = ({ items }: Subscription) => items.data[0];

  function newCustomer(fields: Json, at = now()): StripeObject {
    const customer: StripeObject = {
      id: newId('cus'),
      object: 'customer',
      address: null,
      balance: 0,
      created: at,
      currency: null,
      default_source: null,
      delinquent: false,
      description: null,
      email: null,
      invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
      livemode: false,
      metadata: {},
      name: null,
      phone: null,
      preferred_locales: [],
      shipping: null,
      tax_exempt: 'none',
      ...fields,
    };
    store().customers.set(customer.id, customer);
    return customer;
  }

  function newMethod(card: Card = {}, customer: string | null = null, at = now()): PaymentMethod {
    const method: PaymentMethod = {
      id: newId('pm'),
      object: 'payment_method',
      billing_details: {
        address: {
          city: 'Cambridge',
          country: 'US',
          line1: '1 Main Street',
          line2: null,
          postal_code: '02139',
          state: 'MA',
        },
        email: null,
        name: card.name ?? null,
        phone: null,
      },
      card: {
        brand: card.brand ?? 'visa',
        country: 'US',
        exp_month: 12,
        exp_year: 2030,
        fingerprint: null,
        funding: 'credit',
        last4: card.last4 ?? '4242',
      },
      created: at,
      customer,
      livemode: false,
      metadata: {},
      type: 'card',
      fails: card.fails ?? false,
    };
    store().methods.set(method.id, method);
    return method;
  }

  const list = <T>(data: T[], url: string) => ({ object: 'list' as const, data, has_more: false as const, url });

  interface Line {
    readonly amount: number;
    readonly quantity: number;
    readonly price: Price;
    readonly start: number;
    readonly end: number;
    readonly proration: boolean;
  }

  function newInvoice(subscription: Subscription, reason: string, lines: readonly Line[], at: number): Invoice {
    const id = newId('in');
    const total = lines.reduce((sum, { amount }) => sum + amount, 0);
    const customer = get(store().customers, 'customer', subscription.customer);
    const of = { metadata: copy(subscription.metadata), subscription: subscription.id };
    const invoice: Invoice = {
      id,
      object: 'invoice',
      amount_due: total,
      amount_paid: 0,
      amount_remaining: total,
      attempt_count: 0,
      auto_advance: true,
      billing_reason: reason,
      collection_method: 'charge_automatically',
      created: at,
      currency: 'usd',
      customer: subscription.customer,
      customer_address: customer.address,
      customer_email: customer.email,
      customer_name: customer.name,
      customer_phone: customer.phone,
      description: null,
      hosted_invoice_url: `https://invoice.stripe.test/${id}`,
      invoice_pdf: `https://invoice.stripe.test/${id}/pdf`,
      lines: list(
        lines.map((line) => ({
          id: newId('il'),
          object: 'line_item',
          amount: line.amount,
          currency: 'usd',
          description: null,
          discountable: true,
          invoice: id,
          livemode: false,
          metadata: copy(subscription.metadata),
          parent: {
            invoice_item_details: null,
            subscription_item_details: {
              invoice_item: null,
              proration: line.proration,
              proration_details: { credited_items: null },
              subscription: subscription.id,
              subscription_item: itemOf(subscription).id,
            },
            type: 'subscription_item_details',
          },
          period: { start: line.start, end: line.end },
          pricing: {
            price_details: { price: line.price.id, product: line.price.product },
            type: 'price_details',
            unit_amount_decimal: String(line.price.unit_amount),
          },
          quantity: line.quantity,
        })),
        `/v1/invoices/${id}/lines`,
      ),
      livemode: false,
      metadata: {},
      number: `SANDBOX-${String(store().count).padStart(4, '0')}`,
      parent: { quote_details: null, subscription_details: of, type: 'subscription_details' },
      period_end: at,
      period_start: at,
      status: 'open',
      status_transitions: { finalized_at: at, marked_uncollectible_at: null, paid_at: null, voided_at: null },
      subtotal: total,
      total,
      subscription: subscription.id,
    };
    store().invoices.set(id, invoice);
    subscription.latest_invoice = id;
    emit('invoice.created', invoice, at);
    return invoice;
  }

  const canCharge = (subscription: Subscription): boolean => {
    const id = subscription.default_payment_method;
    return id !== null && store().methods.get(id)?.fails === false;
  };

  /** Charges an invoice; a total of nothing needs no card. */
  function charge(subscription: Subscription, invoice: Invoice, at: number): boolean {
    const isFree = invoice.amount_due <= 0;
    if (!isFree && !canCharge(subscription)) {
      emit('invoice.payment_failed', invoice, at);
      return false;
    }
    Object.assign(invoice, {
      status: 'paid',
      amount_paid: Math.max(0, invoice.amount_due),
      amount_remaining: 0,
      status_transitions: { ...(invoice.status_transitions as Json), paid_at: at },
    });
    if (!isFree && subscription.default_payment_method !== null)
      store().payments.set(invoice.id, subscription.default_payment_method);
    emit('invoice.paid', invoice, at);
    return true;
  }

  const periodLine = (subscription: Subscription, start: number, end: number, isFree: boolean): Line => {
    const { price, quantity } = itemOf(subscription);
    return { amount: isFree ? 0 : price.unit_amount * quantity, quantity, price, start, end, proration: false };
  };

  function later(from: number, { recurring }: Price): number {
    const date = new Date(from * 1_000);
    const count = recurring?.interval_count ?? 1;
    if (recurring?.interval === 'year') date.setUTCFullYear(date.getUTCFullYear() + count);
    else if (recurring?.interval === 'month') date.setUTCMonth(date.getUTCMonth() + count);
    else date.setUTCDate(date.getUTCDate() + count * (recurring?.interval === 'week' ? 7 : 1));
    return seconds(date);
  }

  interface Purchase {
    readonly customer: string;
    readonly price: string;
    readonly quantity: number;
    readonly trialDays?: number;
    readonly metadata?: Json;
    readonly method: string | null;
  }

  function subscribe({
    customer,
    price: priceId,
    quantity,
    trialDays = 0,
    metadata = {},
    method,
  }: Purchase): Subscription {
    const at = now();
    const id = newId('sub');
    const price = priceNamed(priceId);
    const end = trialDays > 0 ? at + trialDays * DAY_SECONDS : later(at, price);
    const subscription: Subscription = {
      id,
      object: 'subscription',
      application: null,
      billing_cycle_anchor: end,
      cancel_at: null,
      cancel_at_period_end: false,
      canceled_at: null,
      cancellation_details: { comment: null, feedback: null, reason: null },
      collection_method: 'charge_automatically',
      created: at,
      currency: 'usd',
      customer,
      default_payment_method: method,
      description: null,
      discounts: [],
      ended_at: null,
      items: list(
        [
          {
            id: newId('si'),
            object: 'subscription_item',
            created: at,
            current_period_end: end,
            current_period_start: at,
            discounts: [],
            metadata: {},
            price: copy(price),
            quantity,
            subscription: id,
            tax_rates: [],
          },
        ],
        `/v1/subscription_items?subscription=${id}`,
      ) as unknown as Subscription['items'],
      latest_invoice: null,
      livemode: false,
      metadata,
      pending_update: null,
      start_date: at,
      status: trialDays > 0 ? 'trialing' : 'active',
      trial_end: trialDays > 0 ? end : null,
      trial_start: trialDays > 0 ? at : null,
    };
    store().subscriptions.set(id, subscription);
    emit('customer.subscription.created', subscription, at);
    const invoice = newInvoice(
      subscription,
      'subscription_create',
      [periodLine(subscription, at, end, trialDays > 0)],
      at,
    );
    if (!charge(subscription, invoice, at)) change(subscription, { status: 'incomplete' }, at);
    return subscription;
  }

  /** Changes fields, and tells which they were. */
  function change(subscription: Subscription, fields: Partial<Subscription> & Json, at = now()): Subscription {
    const previous = Object.fromEntries(Object.keys(fields).map((name) => [name, copy(subscription[name])]));
    Object.assign(subscription, fields);
    emit('customer.subscription.updated', subscription, at, previous);
    return subscription;
  }

  function end(subscription: Subscription, at: number, reason: string): void {
    Object.assign(subscription, {
      status: 'canceled',
      ended_at: at,
      canceled_at: subscription.canceled_at ?? at,
      cancellation_details: { ...(subscription.cancellation_details as Json), reason },
    });
    emit('customer.subscription.deleted', subscription, at);
  }

  function beginPeriod(subscription: Subscription, at: number): void {
    const item = itemOf(subscription);
    const [start, until] = [item.current_period_end, later(item.current_period_end, item.price)];
    const items = {
      ...subscription.items,
      data: [{ ...item, current_period_start: start, current_period_end: until }],
    };
    const invoice = newInvoice(subscription, 'subscription_cycle', [periodLine(subscription, start, until, false)], at);
    const isPaid = charge(subscription, invoice, at);
    change(
      subscription,
      { status: isPaid ? 'active' : 'past_due', items: items as unknown as Subscription['items'] },
      at,
    );
  }

  /** What happens next to a subscription, and when. */
  function nextOf(subscription: Subscription): { at: number; happen: () => void } | null {
    const { status, trial_end: trialEnd, id } = subscription;
    if (status === 'canceled' || status === 'incomplete') return null;
    const announced = trialEnd === null ? null : trialEnd - ANNOUNCED_DAYS * DAY_SECONDS;
    if (status === 'trialing' && announced !== null && !store().announced.has(id))
      return {
        at: announced,
        happen: () => {
          store().announced.add(id);
          emit('customer.subscription.trial_will_end', subscription, announced);
        },
      };
    const at = Math.min(itemOf(subscription).current_period_end, subscription.cancel_at ?? Number.POSITIVE_INFINITY);
    const isOver =
      subscription.cancel_at_period_end || (subscription.cancel_at !== null && subscription.cancel_at <= at);
    if (isOver) return { at, happen: () => end(subscription, at, 'cancellation_requested') };
    if (status === 'past_due') return null;
    return {
      at,
      happen: () =>
        status === 'trialing' && subscription.default_payment_method === null
          ? end(subscription, at, 'payment_failed')
          : beginPeriod(subscription, at),
    };
  }

  /** Lets everything happen that is due by now, in the order of its time. */
  function catchUp(): void {
    for (;;) {
      const due = [...store().subscriptions.values()]
        .flatMap((each) => nextOf(each) ?? [])
        .filter(({ at }) => at <= now())
        .toSorted((a, b) => a.at - b.at)[0];
      if (!due) return;
      due.happen();
    }
  }

  return {
    now,
    shown,
    newCustomer,
    newMethod,
    subscribe,
    change,
    catchUp,

    /** Moves the clock ahead. */
    advance(ms: number): void {
      store().aheadMs += ms;
      catchUp();
    },

    /** A session of Stripe's form. */
    newSession(fields: Json): StripeObject {
      const id = newId('cs_test');
      const at = now();
      const session: StripeObject = {
        id,
        object: 'checkout.session',
        client_secret: `${id}_secret_sandbox`,
        created: at,
        customer: null,
        customer_email: null,
        expires_at: at + DAY_SECONDS,
        invoice: null,
        livemode: false,
        metadata: {},
        mode: 'subscription',
        payment_intent: null,
        payment_method_types: ['card'],
        payment_status: 'unpaid',
        status: 'open',
        subscription: null,
        ui_mode: 'elements',
        url: null,
        ...fields,
      };
      store().sessions.set(id, session);
      return session;
    },

    /** The buyer fills in Stripe's form. */
    pay(sessionId: string, order: Omit<Purchase, 'customer' | 'method'>, card: Card = {}): Subscription {
      const session = get(store().sessions, 'checkout.session', sessionId);
      if (session.status !== 'open') throw refusal(400, 'The session is not open.');
      const known = typeof session.customer === 'string' ? store().customers.get(session.customer) : undefined;
      const customer = known ?? newCustomer({ email: session.customer_email, name: card.name ?? null });
      const method = newMethod(card, customer.id);
      const subscription = subscribe({ ...order, customer: customer.id, method: method.id });
      Object.assign(session, {
        status: 'complete',
        customer: customer.id,
        subscription: subscription.id,
        invoice: subscription.latest_invoice,
        payment_status: 'no_payment_required',
      });
      const settings = customer.invoice_settings as Json;
      customer.invoice_settings = { ...settings, default_payment_method: method.id };
      emit('payment_method.attached', method, now());
      emit('checkout.session.completed', session, now());
      return subscription;
    },

    /** A cancellation or its withdrawal. */
    setCancellation(id: string, atPeriodEnd: boolean): Subscription {
      const subscription = subscriptionOf(id);
      if (subscription.status === 'canceled')
        throw refusal(400, 'A canceled subscription can only update its metadata.');
      if (subscription.cancel_at_period_end === atPeriodEnd) return subscription;
      return change(subscription, {
        cancel_at_period_end: atPeriodEnd,
        cancel_at: atPeriodEnd ? itemOf(subscription).current_period_end : null,
        canceled_at: atPeriodEnd ? now() : null,
      });
    },

    /** Ends a subscription at once. */
    cancelNow(id: string): Subscription {
      const subscription = subscriptionOf(id);
      end(subscription, now(), 'cancellation_requested');
      return subscription;
    },

    /** More or fewer licences in the middle of a period, invoiced at once. */
    setQuantity(id: string, quantity: number): Subscription {
      const subscription = subscriptionOf(id);
      const item = itemOf(subscription);
      const at = now();
      const { current_period_start: from, current_period_end: until, price } = item;
      const share = (amount: number) => Math.round((amount * (until - at)) / (until - from));
      const line = (amount: number, of: number): Line => ({
        amount,
        quantity: of,
        price,
        start: at,
        end: until,
        proration: true,
      });
      const lines = [
        line(-share(price.unit_amount * item.quantity), item.quantity),
        line(share(price.unit_amount * quantity), quantity),
      ];
      const items = { ...subscription.items, data: [{ ...item, quantity }] } as unknown as Subscription['items'];
      change(subscription, { items }, at);
      if (subscription.status !== 'trialing')
        charge(subscription, newInvoice(subscription, 'subscription_update', lines, at), at);
      return subscription;
    },

    /** A card that works, or fails, from now on; an open invoice is charged again. */
    setCard(id: string, card: Card): Subscription {
      const subscription = subscriptionOf(id);
      const method = newMethod(card, subscription.customer);
      change(subscription, { default_payment_method: method.id });
      const open = [...store().invoices.values()].findLast(
        (invoice) => invoice.subscription === id && invoice.status === 'open',
      );
      if (open && subscription.status === 'past_due' && charge(subscription, open, now()))
        change(subscription, { status: 'active' });
      return subscription;
    },

    /** What the next invoice asks for. */
    upcoming(id: string): Json {
      const subscription = subscriptionOf(id);
      const { price, quantity } = itemOf(subscription);
      const total = price.unit_amount * quantity;
      return {
        object: 'invoice',
        amount_due: total,
        amount_paid: 0,
        total,
        currency: 'usd',
        customer: subscription.customer,
      };
    },
  };
}

export type StripeLife = ReturnType<typeof stripeLife>;
