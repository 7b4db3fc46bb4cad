import StripeLibrary from 'stripe';
import { z } from 'zod';
import type { Cache, CacheKind } from '../kernel/cache/cache.ts';
import {
  type CheckoutSessionRequest,
  checkoutSessionOf,
  customerOf,
  eventOf,
  invoiceOf,
  paymentMethodOf,
  paymentOf,
  priceOf,
  type Stripe,
  type StripeAddress,
  type StripePrice,
  subscriptionOf,
} from '../kernel/ports/stripe.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import { circuitChanged, upstreamCalled } from '../kernel/telemetry.ts';
import { circuit, isCutOff, retried } from './resilience.ts';

const SERVICE = 'stripe';
/** Replies have the form of this version, whatever the account is set to; the types of the library belong to it. */
export const STRIPE_API_VERSION = '2026-08-26.dahlia';

const PRICES_MS = 300_000;
const PRICES_PER_PAGE = 100;
const MAXIMUM_PRICES = 5_000;
const SUBSCRIPTIONS_PER_PAGE = 100;
/** Age of a webhook's signature, and how far its time can be ahead of ours, in seconds. */
const TOLERANCE_SECONDS = 300;

const pricesKind: CacheKind<StripePrice[]> = {
  name: 'stripe:prices',
  version: 1,
  shape: z.array(
    z.object({
      id: z.string(),
      lookupKey: z.string(),
      currency: z.string(),
      unitAmount: z.int(),
      recurring: z.object({ interval: z.string(), intervalCount: z.int(), usageType: z.string() }),
      product: z.string(),
    }),
  ),
  ttlMs: () => PRICES_MS,
};

export interface StripeOptions {
  /** Null without an account: every call fails. */
  readonly apiKey: string | null;
  /** `https://api.stripe.com`, or a stand-in. */
  readonly baseUrl: string;
  /** Timeout of a call including its retries, in milliseconds. */
  readonly timeoutMs: number;
  readonly cache: Cache;
  /** Takes the place of the network. */
  readonly fetch?: typeof fetch;
}

type Library = InstanceType<typeof StripeLibrary>;
const { errors } = StripeLibrary;

function libraryFor({ apiKey, baseUrl, timeoutMs, fetch }: StripeOptions): Library {
  const { protocol, hostname, port } = new URL(baseUrl);
  return new StripeLibrary(apiKey ?? 'none', {
    apiVersion: STRIPE_API_VERSION,
    protocol: protocol === 'http:' ? 'http' : 'https',
    host: hostname,
    ...(port === '' ? {} : { port: Number(port) }),
    timeout: timeoutMs,
    // Repeated here, with the circuit breaker of all services.
    maxNetworkRetries: 0,
    telemetry: false,
    ...(fetch ? { httpClient: StripeLibrary.createFetchHttpClient(fetch) } : {}),
  });
}

/** The failure of the library as one of ours. A wrong key is an outage: it says nothing about the request. */
function failureOf(error: unknown): unknown {
  if (!(error instanceof errors.StripeError)) return error;
  const { statusCode: status = 0, message, code } = error;
  if (error instanceof errors.StripeConnectionError)
    return new UpstreamFailure(SERVICE, 'did not answer', { cause: error });
  const isBusy = status === 429 || status === 409;
  if (isBusy || status === 401 || status === 403 || status >= 500 || status < 400)
    return new UpstreamFailure(SERVICE, `answered ${status}`, {
      cause: error,
      isBusy,
      isUndone: status === 401 || status === 403,
      isAnswer: true,
    });
  return new UpstreamRefusal(SERVICE, status, { code: code ?? null, message }, message);
}

/** Runs calls with a time limit, retries and a circuit breaker. All can be repeated: writes carry their key. */
function guarded(timeoutMs: number) {
  const told = (isOpen: boolean) => circuitChanged.publish({ service: SERVICE, isOpen });
  told(false);
  const breaker = circuit(told);
  return async <T>(about: string, work: () => Promise<T>): Promise<T> => {
    const signal = AbortSignal.timeout(timeoutMs);
    const start = performance.now();
    const ended = (outcome: 'answered' | 'refused' | 'failed' | 'cut_off') =>
      upstreamCalled.publish({ service: SERVICE, outcome, seconds: (performance.now() - start) / 1_000 });
    const attempt = () =>
      work().catch((error: unknown) => {
        throw failureOf(error);
      });
    try {
      const result = await retried(() => breaker.execute(attempt, [about], signal), signal);
      ended('answered');
      return result;
    } catch (error) {
      ended(error instanceof UpstreamRefusal ? 'refused' : isCutOff(error) ? 'cut_off' : 'failed');
      if (error instanceof UpstreamRefusal || error instanceof UpstreamFailure) throw error;
      throw new UpstreamFailure(SERVICE, 'is cut off after repeated failures', {
        cause: error,
        isUndone: isCutOff(error),
      });
    }
  };
}

/** A text in Stripe's search language. */
const quoted = (text: string): string => `'${text.replace(/[\\']/g, (each) => `\\${each}`)}'`;

/** Stripe removes a field that is set to an empty text. */
const addressOf = ({ postalCode, ...address }: StripeAddress) =>
  Object.fromEntries(
    Object.entries({ ...address, postal_code: postalCode }).map(([name, value]) => [name, value ?? '']),
  );

const sessionParameters = (request: CheckoutSessionRequest): StripeLibrary.Checkout.SessionCreateParams => ({
  mode: 'subscription',
  ui_mode: 'elements',
  line_items: [{ price: request.priceId, quantity: request.quantity }],
  subscription_data: {
    ...(request.trialDays > 0
      ? {
          trial_period_days: request.trialDays,
          trial_settings: { end_behavior: { missing_payment_method: 'cancel' as const } },
        }
      : {}),
    metadata: { ...request.metadata },
  },
  payment_method_collection: 'always',
  payment_method_types: ['card'],
  ...(request.customerId === null ? { customer_email: request.customerEmail } : { customer: request.customerId }),
});

/** The time in a signature header, in seconds. */
const signedAt = (header: string): number =>
  Number(
    header
      .split(',')
      .findLast((part) => part.startsWith('t='))
      ?.slice(2),
  );

const PAYMENT = 'data.payment.payment_intent';

/** A reply of another form than agreed is a failure of the service. */
const agreed =
  <T>(parse: (raw: unknown) => T) =>
  (raw: unknown): T => {
    try {
      return parse(raw);
    } catch (cause) {
      throw new UpstreamFailure(SERVICE, 'answered something else than agreed', { cause, isAnswer: true });
    }
  };

const read = {
  checkoutSession: agreed(checkoutSessionOf),
  customer: agreed(customerOf),
  invoice: agreed(invoiceOf),
  paymentMethod: agreed(paymentMethodOf),
  payment: agreed(paymentOf),
  subscription: agreed(subscriptionOf),
};

/** Stripe by its own library, with a pinned version of the API. */
export function httpStripe(options: StripeOptions): Stripe {
  const api = libraryFor(options);
  const run = guarded(options.timeoutMs);
  const call = <T>(about: string, work: () => Promise<T>): Promise<T> =>
    options.apiKey === null
      ? Promise.reject(new UpstreamFailure(SERVICE, 'is not configured', { isUndone: true }))
      : run(about, work);
  const keyed = (idempotencyKey: string) => ({ idempotencyKey });

  async function allPrices(): Promise<StripePrice[]> {
    const found: StripePrice[] = [];
    for (let after: string | undefined; found.length < MAXIMUM_PRICES; ) {
      const page = await call('prices', () =>
        api.prices.list({
          active: true,
          type: 'recurring',
          limit: PRICES_PER_PAGE,
          ...(after === undefined ? {} : { starting_after: after }),
        }),
      );
      found.push(...page.data.map(priceOf).filter((price) => price !== null));
      after = page.data.at(-1)?.id;
      if (!page.has_more || after === undefined) break;
    }
    return found;
  }

  return {
    isOn: options.apiKey !== null,

    async prices() {
      const found = await options.cache.wrap(pricesKind, 'all', allPrices);
      return new Map(found.map((price) => [price.lookupKey, price]));
    },

    async customerByEmail(email) {
      const { data } = await call('customers', () =>
        api.customers.search({ query: `email:${quoted(email)}`, limit: 10 }),
      );
      return data.map(read.customer).find((found) => found?.email?.toLowerCase() === email.toLowerCase()) ?? null;
    },

    customer: async (id) => read.customer(await call(id, () => api.customers.retrieve(id))),

    async updateCustomer(id, { address, defaultPaymentMethod, ...change }, key) {
      const found = read.customer(
        await call(id, () =>
          api.customers.update(
            id,
            {
              ...change,
              ...(address === undefined ? {} : { address: addressOf(address) }),
              ...(defaultPaymentMethod === undefined
                ? {}
                : { invoice_settings: { default_payment_method: defaultPaymentMethod } }),
            },
            keyed(key),
          ),
        ),
      );
      if (!found) throw new UpstreamRefusal(SERVICE, 404, null);
      return found;
    },

    checkoutSession: async (id) => read.checkoutSession(await call(id, () => api.checkout.sessions.retrieve(id))),

    createCheckoutSession: async (request, key) =>
      read.checkoutSession(
        await call('checkout', () => api.checkout.sessions.create(sessionParameters(request), keyed(key))),
      ),

    async createPortalSession(customer, return_url, key) {
      const made = await call(customer, () => api.billingPortal.sessions.create({ customer, return_url }, keyed(key)));
      const { lastResponse: _response, ...session } = made;
      return session as unknown as Record<string, unknown>;
    },

    subscription: async (id) => read.subscription(await call(id, () => api.subscriptions.retrieve(id))),

    async subscriptionsOf(customer, { status, limit }) {
      const wanted = status as StripeLibrary.SubscriptionListParams.Status | undefined;
      const { data } = await call(customer, () =>
        api.subscriptions.list({ customer, limit, ...(wanted === undefined ? {} : { status: wanted }) }),
      );
      return data.map(read.subscription);
    },

    async subscriptionsSince(since, after) {
      const page = await call('subscriptions', () =>
        api.subscriptions.list({
          status: 'all',
          limit: SUBSCRIPTIONS_PER_PAGE,
          created: { gte: Math.floor(since.getTime() / 1_000) },
          ...(after === null ? {} : { starting_after: after }),
        }),
      );
      return { items: page.data.map(read.subscription), hasMore: page.has_more };
    },

    setCancellation: async (id, atPeriodEnd, key) =>
      read.subscription(
        await call(id, () => api.subscriptions.update(id, { cancel_at_period_end: atPeriodEnd }, keyed(key))),
      ),

    requirePayment: async (id, key) =>
      read.subscription(
        await call(id, () =>
          api.subscriptions.update(
            id,
            { payment_behavior: 'pending_if_incomplete', proration_behavior: 'always_invoice' },
            keyed(key),
          ),
        ),
      ),

    setSubscriptionMetadata: async (id, metadata, key) =>
      read.subscription(await call(id, () => api.subscriptions.update(id, { metadata: { ...metadata } }, keyed(key)))),

    invoice: async (id) => read.invoice(await call(id, () => api.invoices.retrieve(id))),

    async invoicesOf(customer, { limit, after, status }) {
      const wanted = status as StripeLibrary.InvoiceListParams.Status | undefined;
      const page = await call(customer, () =>
        api.invoices.list({
          customer,
          limit,
          ...(after === undefined ? {} : { starting_after: after }),
          ...(wanted === undefined ? {} : { status: wanted }),
        }),
      );
      return { items: page.data.map(read.invoice), hasMore: page.has_more };
    },

    upcomingAmount: async (customer, subscription) =>
      (await call(subscription, () => api.invoices.createPreview({ customer, subscription }))).amount_due,

    async paymentOf(invoice) {
      const { data } = await call(invoice, () =>
        api.invoicePayments.list({
          invoice,
          status: 'paid',
          limit: 1,
          expand: [`${PAYMENT}.payment_method`, `${PAYMENT}.latest_charge`],
        }),
      );
      return data[0] === undefined ? null : read.payment(data[0]);
    },

    paymentMethod: async (id) => read.paymentMethod(await call(id, () => api.paymentMethods.retrieve(id))),

    async paymentMethodOfIntent(id) {
      const { payment_method: method } = await call(id, () => api.paymentIntents.retrieve(id));
      return typeof method === 'string' ? method : (method?.id ?? null);
    },

    async paymentMethodsOf(customer) {
      const { data } = await call(customer, () => api.customers.listPaymentMethods(customer, { limit: 100 }));
      return data.map(read.paymentMethod);
    },

    attachPaymentMethod: async (id, customer, key) =>
      read.paymentMethod(await call(id, () => api.paymentMethods.attach(id, { customer }, keyed(key)))),

    async detachPaymentMethod(id, key) {
      await call(id, () => api.paymentMethods.detach(id, undefined, keyed(key)));
    },

    async events({ limit, type, since, after }) {
      const page = await call('events', () =>
        api.events.list({
          limit,
          ...(type === undefined ? {} : { type }),
          ...(since === undefined ? {} : { created: { gte: Math.floor(since.getTime() / 1_000) } }),
          ...(after === undefined ? {} : { starting_after: after }),
        }),
      );
      return { items: page.data.map(eventOf).filter((event) => event !== null), hasMore: page.has_more };
    },

    isSigned(body, header, secrets, now) {
      const at = now.getTime();
      // The library accepts any time in the future.
      if (!(signedAt(header) * 1_000 - at <= TOLERANCE_SECONDS * 1_000)) return false;
      const { signature } = api.webhooks;
      return secrets.some((secret) => {
        try {
          return signature?.verifyHeader(body, header, secret, TOLERANCE_SECONDS, undefined, at) ?? false;
        } catch {
          return false;
        }
      });
    },
  };
}
