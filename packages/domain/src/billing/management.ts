import { createHash } from 'node:crypto';
import { transaction } from '@enterprise-access/db';
import type { Input, Output } from '../kernel/contract.ts';
import type { StripeCustomer, StripeInvoice, StripePaymentMethod, StripeSubscription } from '../kernel/ports/stripe.ts';
import { orUnavailable, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { applyState } from './handle-event.ts';
import * as contract from './management-contract.ts';
import { academyOf, pricedProducts, productBySlug } from './products.ts';
import { isRunning, unitCents } from './rules.ts';
import * as store from './store.ts';
import { checkoutIntents, type IntentRow } from './tables.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'stripe' | 'catalog' | 'log'>;
type OfCustomer = { readonly enterpriseCustomerUuid: string };

/** What Stripe said, in the words that the old service passed on. */
const reasonOf = (error: UpstreamRefusal): string => {
  const { body } = error;
  const message = typeof body === 'object' && body !== null && 'message' in body ? body.message : undefined;
  return typeof message === 'string' ? message.slice(0, 500) : 'The request was refused.';
};

type Refused = (error: UpstreamRefusal) => Error;
const stripeError: Refused = (cause) =>
  contract.stripeError({ reason: reasonOf(cause) }, { cause, message: `Stripe API error: ${reasonOf(cause)}` });

/** A refusal by the declared error, silence as an outage. */
async function asked<T>(work: Promise<T>, refused: Refused = stripeError): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UpstreamRefusal) throw refused(error);
    return orUnavailable(Promise.reject(error));
  }
}

/** Another error for a refusal with one of the statuses. */
const onStatus =
  (statuses: readonly number[], declared: (details: Record<never, never>, options?: ErrorOptions) => Error): Refused =>
  (cause) =>
    statuses.includes(cause.status) ? declared({}, { cause }) : stripeError(cause);

const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

async function customerIdOf({ db }: Pick<Deps, 'db'>, { enterpriseCustomerUuid }: OfCustomer): Promise<string> {
  const intent = await store.payingIntentOf(db, enterpriseCustomerUuid);
  if (!intent?.stripeCustomerId) throw contract.noStripeCustomer({});
  return intent.stripeCustomerId;
}

/** What was done at Stripe leaves its trace with the purchase, without what was said. */
const note = (deps: Deps, { enterpriseCustomerUuid }: OfCustomer, what: string): Promise<void> =>
  transaction(deps.db, async (trx) => {
    const row = await store.payingIntentOf(trx, enterpriseCustomerUuid);
    if (row) await checkoutIntents.change(trx, row, row, what);
  });

const addressView = (customer: StripeCustomer | null): Output<typeof contract.getBillingAddress> => ({
  name: customer?.name ?? null,
  email: customer?.email ?? null,
  phone: customer?.phone ?? null,
  country: customer?.address?.country ?? null,
  addressLine_1: customer?.address?.line1 ?? null,
  addressLine_2: customer?.address?.line2 ?? null,
  city: customer?.address?.city ?? null,
  state: customer?.address?.state ?? null,
  postalCode: customer?.address?.postalCode ?? null,
});

export const getAddress = async (deps: Deps, input: OfCustomer) =>
  addressView(await asked(deps.stripe.customer(await customerIdOf(deps, input))));

/** Each request is an intent of its own: the same address can be set again after another one. */
export async function updateAddress(
  deps: Deps,
  input: Input<typeof contract.updateBillingAddress>,
  requestId: string,
): Promise<Output<typeof contract.updateBillingAddress>> {
  const id = await customerIdOf(deps, input);
  const change = {
    name: input.name,
    email: input.email,
    // Left out it stays, empty it goes.
    ...(input.phone === undefined || input.phone === null ? {} : { phone: input.phone }),
    address: {
      line1: input.addressLine_1,
      line2: input.addressLine_2 || null,
      city: input.city,
      state: input.state,
      postalCode: input.postalCode,
      country: input.country.toUpperCase(),
    },
  };
  const customer = await asked(deps.stripe.updateCustomer(id, change, `address:${id}:${digest([change, requestId])}`));
  await note(deps, input, 'billing_address_set');
  return addressView(customer);
}

const methodView = (method: StripePaymentMethod, customer: StripeCustomer | null) => ({
  id: method.id,
  type: method.type,
  last4: method.last4,
  brand: method.brand,
  expMonth: method.expMonth,
  expYear: method.expYear,
  isDefault: customer?.defaultPaymentMethod === method.id,
  status: 'verified',
});

export async function listMethods(deps: Deps, input: OfCustomer): Promise<Output<typeof contract.listPaymentMethods>> {
  const id = await customerIdOf(deps, input);
  const [customer, methods] = await Promise.all([
    asked(deps.stripe.customer(id)),
    asked(deps.stripe.paymentMethodsOf(id)),
  ]);
  return { paymentMethods: methods.map((method) => methodView(method, customer)) };
}

export async function addMethod(
  deps: Deps,
  input: Input<typeof contract.addPaymentMethod>,
  requestId: string,
): Promise<Output<typeof contract.addPaymentMethod>> {
  const customer = await customerIdOf(deps, input);
  const { paymentMethodId } = input;
  const method = await asked(deps.stripe.paymentMethod(paymentMethodId), onStatus([400, 404], contract.methodNotFound));
  if (method.customerId !== null && method.customerId !== customer) throw contract.methodTaken({});
  if (method.customerId === null)
    await asked(
      deps.stripe.attachPaymentMethod(paymentMethodId, customer, `attach:${paymentMethodId}:${customer}:${requestId}`),
    );
  await note(deps, input, 'payment_method_added');
  return { message: 'Payment method added successfully', paymentMethodId };
}

/** The payment method, if it is one of the customer's. */
async function ownMethod({ stripe }: Deps, id: string, customer: string): Promise<StripePaymentMethod> {
  const method = await asked(stripe.paymentMethod(id), onStatus([400, 404], contract.methodNotFound));
  if (method.customerId !== customer) throw contract.methodNotOwn({});
  return method;
}

export async function setDefaultMethod(
  deps: Deps,
  input: Input<typeof contract.setDefaultPaymentMethod>,
  requestId: string,
): Promise<Output<typeof contract.setDefaultPaymentMethod>> {
  const customer = await customerIdOf(deps, input);
  const { id } = await ownMethod(deps, input.paymentMethod, customer);
  const key = `default:${customer}:${id}:${requestId}`;
  await asked(
    deps.stripe.updateCustomer(customer, { defaultPaymentMethod: id }, key),
    onStatus([400, 404], contract.methodNotFound),
  );
  await note(deps, input, 'payment_method_default');
  return { message: 'Payment method set as default successfully' };
}

export async function deleteMethod(
  deps: Deps,
  input: Input<typeof contract.deletePaymentMethod>,
): Promise<Output<typeof contract.deletePaymentMethod>> {
  const customer = await customerIdOf(deps, input);
  const method = await ownMethod(deps, input.paymentMethod, customer);
  const [account, methods] = await Promise.all([
    asked(deps.stripe.customer(customer)),
    asked(deps.stripe.paymentMethodsOf(customer)),
  ]);
  if (methods.length <= 1) throw contract.onlyMethod({});
  if (account?.defaultPaymentMethod === method.id) throw contract.methodIsDefault({});
  await asked(
    deps.stripe.detachPaymentMethod(method.id, `detach:${method.id}:${customer}`),
    onStatus([400, 404], contract.methodNotFound),
  );
  await note(deps, input, 'payment_method_removed');
  return { message: 'Payment method deleted successfully' };
}

const DEFAULT_LIMIT = 10;
const LARGEST_LIMIT = 25;

function limitOf(text: string | undefined): number {
  const limit = /^\s*\d{1,6}\s*$/.test(text ?? '') ? Number(text) : 0;
  return limit >= 1 && limit <= LARGEST_LIMIT ? limit : DEFAULT_LIMIT;
}

const STATUSES = new Set(['paid', 'open', 'void', 'uncollectible']);

async function transactionView({ stripe }: Deps, invoice: StripeInvoice) {
  const payment = invoice.amountPaid > 0 ? await asked(stripe.paymentOf(invoice.id)) : null;
  return {
    id: invoice.id,
    created: Math.floor(invoice.created.getTime() / 1_000),
    amount: invoice.amountPaid,
    currency: invoice.currency.toLowerCase(),
    status: STATUSES.has(invoice.status ?? '') ? (invoice.status ?? 'open') : 'open',
    description: invoice.description,
    invoicePdfUrl: invoice.hostedInvoiceUrl,
    receiptUrl: payment?.receiptUrl ?? null,
  };
}

export async function listTransactions(
  deps: Deps,
  input: Input<typeof contract.listTransactions>,
): Promise<Output<typeof contract.listTransactions>> {
  const customer = await customerIdOf(deps, input);
  const page = await asked(
    deps.stripe.invoicesOf(customer, {
      limit: limitOf(input.limit),
      ...(input.pageToken ? { after: input.pageToken } : {}),
    }),
    onStatus([400, 404], contract.invalidStripeRequest),
  );
  return {
    transactions: await Promise.all(page.items.map((invoice) => transactionView(deps, invoice))),
    nextPageToken: page.hasMore ? (page.items.at(-1)?.id ?? null) : null,
  };
}

const seconds = (date: Date | null): number | null => (date === null ? null : Math.floor(date.getTime() / 1_000));

async function subscriptionView(
  deps: Deps,
  intent: IntentRow,
  live: StripeSubscription,
): Promise<contract.BillingSubscription> {
  const product = await productBySlug(deps.db, intent.sspProduct);
  const isEssentials = intent.productLine === 'essentials';
  const academy = isEssentials ? await academyOf(deps, product?.academyUuid ?? null) : null;
  const unit = unitCents(live.unitAmountDecimal, 0, null);
  return {
    id: live.id,
    status: live.status,
    cancelAtPeriodEnd: live.cancelAtPeriodEnd,
    cancelAt: seconds(live.cancelAt),
    currentPeriodEnd: seconds(live.periodEnd),
    currency: live.currency,
    productType: isEssentials ? 'Essentials' : 'Teams',
    academyTitle: academy?.title ?? null,
    yearlyAmount: unit === null || live.quantity === null ? null : unit * live.quantity,
    licenseCount: live.quantity,
  };
}

/** The subscription as it is at Stripe now: what was stored can be seconds old (weakness 15). */
async function runningOf(deps: Deps, intent: IntentRow): Promise<StripeSubscription | null> {
  const stored = await store.subscriptionOfIntent(deps.db, intent.uuid);
  const id = stored?.stripeSubscriptionId ?? intent.stripeSubscriptionId;
  if (id === null) return null;
  const live = await asked(deps.stripe.subscription(id).catch(asNothing));
  return live && isRunning(live.status) ? live : null;
}

function asNothing(error: unknown): null {
  if (error instanceof UpstreamRefusal && error.status === 404) return null;
  throw error;
}

export async function getSubscription(
  deps: Deps,
  { enterpriseCustomerUuid }: OfCustomer,
): Promise<Output<typeof contract.getSubscription>> {
  const intent = await store.payingIntentOf(deps.db, enterpriseCustomerUuid);
  if (!intent) throw contract.noPurchase({});
  const live = await runningOf(deps, intent);
  return { subscription: live && (await subscriptionView(deps, intent, live)) };
}

interface Managed {
  readonly intent: IntentRow;
  readonly live: StripeSubscription;
}

async function managed(deps: Deps, { enterpriseCustomerUuid }: OfCustomer): Promise<Managed> {
  const intent = await store.payingIntentOf(deps.db, enterpriseCustomerUuid);
  if (!intent) throw contract.noStripeCustomer({});
  const live = await runningOf(deps, intent);
  if (!live) throw contract.noSubscription({});
  return { intent, live };
}

const isOffered = async (deps: Deps, { priceId }: StripeSubscription): Promise<boolean> =>
  (await asked(pricedProducts(deps))).some(({ price }) => price.id === priceId);

/** Stored as no event has told it: the event that follows is newer, and finds nothing to change. */
const BEGINNING = new Date(0);

const remember = (deps: Deps, { uuid }: IntentRow, live: StripeSubscription, requestId: string): Promise<void> =>
  transaction(deps.db, async (trx) => {
    const intent = await store.lockIntent(trx, uuid);
    const stored = await store.findSubscription(trx, live.id);
    const as = { at: stored?.asOf ?? BEGINNING, id: `request:${requestId}`.slice(0, 255) };
    if (intent) await applyState(trx, intent, live, as, deps.clock());
  });

/** The same click twice is one request: its key names the period and what is wanted. */
const keyOf = (what: string, { id, periodEnd, cancelAt }: StripeSubscription, requestId: string): string =>
  `${what}:${id}:${digest([seconds(periodEnd), seconds(cancelAt), requestId])}`;

export async function cancel(
  deps: Deps,
  input: OfCustomer,
  requestId: string,
): Promise<Output<typeof contract.cancelSubscription>> {
  const { intent, live } = await managed(deps, input);
  if (live.cancelAt !== null) throw contract.alreadyScheduled({});
  if (!(await isOffered(deps, live))) throw contract.cannotCancelPlan({});
  const changed = await asked(
    deps.stripe.setCancellation(live.id, true, keyOf('cancel', live, requestId)),
    onStatus([400, 404], contract.invalidStripeRequest),
  );
  await remember(deps, intent, changed, requestId);
  return subscriptionView(deps, intent, changed);
}

export async function reinstate(
  deps: Deps,
  input: OfCustomer,
  requestId: string,
): Promise<Output<typeof contract.reinstateSubscription>> {
  const { intent, live } = await managed(deps, input);
  if (live.cancelAt === null) throw contract.notScheduled({});
  if (live.periodEnd !== null && live.periodEnd <= deps.clock()) throw contract.periodEnded({});
  if (!(await isOffered(deps, live))) throw contract.cannotReinstatePlan({});
  const changed = await asked(
    deps.stripe.setCancellation(live.id, false, keyOf('reinstate', live, requestId)),
    onStatus([400, 404], contract.invalidStripeRequest),
  );
  await remember(deps, intent, changed, requestId);
  return subscriptionView(deps, intent, changed);
}
