import { createHmac } from 'node:crypto';

/** An object as Stripe writes it. */
export type Json = Record<string, unknown>;

/** An object with what the stand-in itself reads of it. */
export type StripeObject = Json & { id: string };

export interface Subscription extends StripeObject {
  customer: string;
  status: string;
  cancel_at: number | null;
  cancel_at_period_end: boolean;
  canceled_at: number | null;
  ended_at: number | null;
  trial_start: number | null;
  trial_end: number | null;
  default_payment_method: string | null;
  latest_invoice: string | null;
  metadata: Json;
  items: { object: 'list'; data: [SubscriptionItem]; has_more: false; url: string };
}

export interface SubscriptionItem extends StripeObject {
  quantity: number;
  price: Price;
  current_period_start: number;
  current_period_end: number;
}

export interface Price extends StripeObject {
  unit_amount: number;
  lookup_key: string | null;
  active: boolean;
  currency: string;
  product: string;
  recurring: { interval: 'day' | 'week' | 'month' | 'year'; interval_count: number; usage_type: string } | null;
}

export interface Invoice extends StripeObject {
  customer: string;
  status: string;
  amount_due: number;
  amount_paid: number;
  subscription: string;
}

export interface PaymentMethod extends StripeObject {
  customer: string | null;
  type: string;
  /** Whether charges to it fail; no field of Stripe's. */
  fails: boolean;
}

export interface StripeEvent extends StripeObject {
  type: string;
  created: number;
  data: { object: Json; previous_attributes?: Json };
}

export interface StripeStore {
  /** How far the clock was moved ahead, in milliseconds. */
  aheadMs: number;
  count: number;
  customers: Map<string, StripeObject>;
  products: Map<string, StripeObject>;
  prices: Map<string, Price>;
  methods: Map<string, PaymentMethod>;
  sessions: Map<string, StripeObject>;
  subscriptions: Map<string, Subscription>;
  invoices: Map<string, Invoice>;
  /** Payment method by invoice. */
  payments: Map<string, string>;
  events: StripeEvent[];
  /** Replies by idempotency key. */
  replies: Map<string, { readonly request: string; readonly status: number; readonly body: unknown }>;
  /** Trials whose end was announced. */
  announced: Set<string>;
  webhook: Webhook;
}

/** Where events are sent, and when. */
export interface Webhook {
  url: string | null;
  secret: string;
  /** `hold` keeps events until somebody asks for their delivery. */
  mode: 'send' | 'hold';
  /** Number of the next event to send. */
  next: number;
}

/** Stripe's version of the form of all objects. */
export const API_VERSION = '2026-08-26.dahlia';

/** Signs webhooks of the sandbox; public on purpose. */
export const WEBHOOK_SECRET = 'whsec_sandbox';

const YEAR = { interval: 'year', interval_count: 1, usage_type: 'licensed' } as const;
const QUARTER = { interval: 'month', interval_count: 3, usage_type: 'licensed' } as const;

const seeds = [
  { key: 'teams_yearly', product: 'Teams', lookup: 'teams_subscription_license_yearly', cents: 39_600, every: YEAR },
  {
    key: 'teams_quarterly',
    product: 'Teams',
    lookup: 'teams_subscription_license_quarterly',
    cents: 11_900,
    every: QUARTER,
  },
  { key: 'essentials_ai', product: 'AI Academy', lookup: 'essentials_ai_yearly', cents: 9_900, every: YEAR },
  { key: 'essentials_data', product: 'Data Academy', lookup: 'essentials_data_yearly', cents: 14_999, every: YEAR },
] as const;

const LONG_AGO = 1_577_836_800;

const common = { livemode: false, metadata: {} };

export const productOf = (id: string, name: string): StripeObject => ({
  id,
  object: 'product',
  active: true,
  created: LONG_AGO,
  updated: LONG_AGO,
  name,
  description: null,
  images: [],
  ...common,
});

export const priceOf = (
  id: string,
  product: string,
  lookup: string | null,
  cents: number,
  recurring: Price['recurring'],
): Price => ({
  id,
  object: 'price',
  active: true,
  billing_scheme: 'per_unit',
  created: LONG_AGO,
  currency: 'usd',
  lookup_key: lookup,
  nickname: null,
  product,
  recurring,
  tax_behavior: 'unspecified',
  tiers_mode: null,
  transform_quantity: null,
  type: recurring === null ? 'one_time' : 'recurring',
  unit_amount: cents,
  unit_amount_decimal: String(cents),
  ...common,
});

/** An account with products, and nobody who has bought. */
export function seedStripe(): StripeStore {
  const products = new Map<string, StripeObject>();
  const prices = new Map<string, Price>();
  for (const { key, product, lookup, cents, every } of seeds) {
    const id = `prod_${product.toLowerCase().replaceAll(' ', '_')}`;
    products.set(id, productOf(id, product));
    prices.set(`price_${key}`, priceOf(`price_${key}`, id, lookup, cents, every));
  }
  // Others in the account.
  products.set('prod_mug', productOf('prod_mug', 'Mug'));
  prices.set('price_mug', priceOf('price_mug', 'prod_mug', null, 1_500, null));
  return {
    aheadMs: 0,
    count: 0,
    customers: new Map(),
    products,
    prices,
    methods: new Map(),
    sessions: new Map(),
    subscriptions: new Map(),
    invoices: new Map(),
    payments: new Map(),
    events: [],
    replies: new Map(),
    announced: new Set(),
    webhook: { url: null, secret: WEBHOOK_SECRET, mode: 'send', next: 0 },
  };
}

/** The header with which Stripe proves that a webhook is its own. */
export function signatureOf(body: string, secret: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1_000);
  const digest = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${digest}`;
}
