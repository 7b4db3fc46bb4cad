import type { JobRun } from '../kernel/jobs/job.ts';
import { MailOff, MailRefused, type Recipient } from '../kernel/ports/mail.ts';
import type { StripeAddress } from '../kernel/ports/stripe.ts';
import { orNull } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { contactOf } from '../users/index.ts';
import type { MailName } from './job-contracts.ts';
import { mailKind, type Properties } from './mails.ts';
import { academyOf, productBySlug } from './products.ts';
import { dollarsText, isRunning, moneyText, unitCents } from './rules.ts';
import * as store from './store.ts';
import type { IntentRow, SubscriptionRow } from './tables.ts';

const day = new Intl.DateTimeFormat('en-US', { month: 'short', day: '2-digit', year: 'numeric', timeZone: 'UTC' });
const month = new Intl.DateTimeFormat('en-US', { month: 'long', timeZone: 'UTC' });

/** `Jan 01, 2025` */
export const shortDate = (date: Date): string => day.format(date);
/** `05 August 2026` */
export const longDate = (date: Date): string =>
  `${String(date.getUTCDate()).padStart(2, '0')} ${month.format(date)} ${date.getUTCFullYear()}`;
/** `2025-01-01T00:00:00Z` */
const time = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;

interface Subject {
  readonly intent: IntentRow;
  readonly subscription: SubscriptionRow | null;
  readonly invoiceId: string | null;
}

type Written<K extends MailName> = Properties[K] | 'outdated';
type Write<K extends MailName> = (runtime: Runtime, subject: Subject) => Promise<Written<K>>;

const portalOf = ({ settings }: Pick<Runtime, 'settings'>, { enterpriseSlug }: IntentRow): string =>
  `${settings.adminPortalUrl ?? settings.publicUrl}/${enterpriseSlug ?? ''}`;

async function productOf(runtime: Runtime, { sspProduct, productLine }: IntentRow) {
  const product = await productBySlug(runtime.db, sspProduct);
  const academy = productLine === 'essentials' ? await academyOf(runtime, product?.academyUuid ?? null) : null;
  return {
    product_slug: sspProduct,
    product_key: productLine,
    ...(academy?.title ? { academy_name: academy.title } : {}),
  };
}

const commonOf = async (runtime: Runtime, intent: IntentRow) => ({
  ...(await productOf(runtime, intent)),
  ...(intent.enterpriseName === null ? {} : { organization: intent.enterpriseName }),
});

/** Unit and total of a subscription in whole cents; nothing where the price has none. */
function amountsOf({ unitAmountDecimal, quantity }: SubscriptionRow): { unit: number; total: number } | null {
  const unit = unitCents(unitAmountDecimal, 0, null);
  return unit === null || quantity === null ? null : { unit, total: unit * quantity };
}

const dollars = (cents: number): number => Number(dollarsText(cents));

const signupConfirmation: Write<'signupConfirmation'> = async (runtime, { intent, subscription }) => {
  const live = subscription && (await orNull(runtime.stripe.subscription(subscription.stripeSubscriptionId)));
  if (!subscription || live?.status !== 'trialing' || live.trialStart === null || live.trialEnd === null)
    return 'outdated';
  const amounts = amountsOf(subscription);
  const contact = await contactOf(runtime.db, intent.userId);
  return {
    ...(await commonOf(runtime, intent)),
    subscription_start_date: shortDate(live.trialStart),
    subscription_end_date: shortDate(live.trialEnd),
    trial_start_datetime: time(live.trialStart),
    trial_end_datetime: time(live.trialEnd),
    number_of_licenses: live.quantity ?? intent.quantity,
    enterprise_admin_portal_url: `${portalOf(runtime, intent)}/admin/subscriptions`,
    ...(amounts
      ? {
          plan_amount: dollars(amounts.unit),
          plan_amount_formatted: moneyText(amounts.unit),
          total_amount: dollars(amounts.total),
          total_amount_formatted: moneyText(amounts.total),
        }
      : {}),
    customer_name: contact?.fullName ?? '',
  };
};

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

const trialEndingSoon: Write<'trialEndingSoon'> = async (runtime, { intent, subscription }) => {
  const { trialEnd = null, status = '' } = subscription ?? {};
  if (!subscription || trialEnd === null || status !== 'trialing' || trialEnd <= runtime.clock()) return 'outdated';
  const { stripeCustomerId, stripeSubscriptionId, defaultPaymentMethod } = subscription;
  const method = defaultPaymentMethod && (await orNull(runtime.stripe.paymentMethod(defaultPaymentMethod)));
  const amount = await runtime.stripe.upcomingAmount(stripeCustomerId, stripeSubscriptionId);
  const licences = subscription.quantity ?? intent.quantity;
  const portal = `${portalOf(runtime, intent)}/admin/subscriptions`;
  return {
    ...(await commonOf(runtime, intent)),
    trial_end_date: time(trialEnd),
    renewal_datetime: time(subscription.periodEnd ?? trialEnd),
    number_of_licenses: licences,
    license_count: licences,
    enterprise_slug: intent.enterpriseSlug ?? '',
    enterprise_admin_portal_url: portal,
    subscription_management_url: portal,
    payment_method:
      method && method.last4 !== null ? `${capital(method.brand ?? 'card')} ending in ${method.last4}` : '',
    total_paid_amount: `$${dollarsText(amount).replace(/\B(?=(\d{3})+(?=\.))/g, ',')} USD`,
  };
};

const ending =
  (applies: (subscription: SubscriptionRow) => boolean, dateOf: (subscription: SubscriptionRow) => Date | null) =>
  async (runtime: Runtime, { intent, subscription }: Subject): Promise<Written<'trialCancelled'>> => {
    if (!subscription || !applies(subscription)) return 'outdated';
    const date = shortDate(dateOf(subscription) ?? runtime.clock());
    return {
      ...(await productOf(runtime, intent)),
      trial_end_date: date,
      period_end_date: date,
      restart_subscription_url: portalOf(runtime, intent),
      product_type: intent.productLine,
    };
  };

const isScheduled = ({ cancelAt, status }: SubscriptionRow): boolean => cancelAt !== null || status === 'canceled';

const subscriptionStarted: Write<'subscriptionStarted'> = async (runtime, { intent, subscription, invoiceId }) => {
  if (!subscription) return 'outdated';
  const invoice = invoiceId === null ? null : await orNull(runtime.stripe.invoice(invoiceId));
  const { periodStart, periodEnd, quantity } = subscription;
  const amounts = amountsOf(subscription);
  return {
    ...(await commonOf(runtime, intent)),
    ...(periodStart === null
      ? {}
      : { subscription_start_date: time(periodStart), subscription_start_period: time(periodStart) }),
    ...(periodEnd === null ? {} : { subscription_end_period: time(periodEnd), next_payment_date: time(periodEnd) }),
    ...(quantity === null ? {} : { number_of_licenses: quantity }),
    total_license: quantity,
    billing_amount: amounts ? dollarsText(amounts.unit) : null,
    ...(amounts
      ? {
          billing_amount_formatted: moneyText(amounts.total),
          total_billing_amount: amounts.total,
          total_billing_amount_formatted: moneyText(amounts.total),
        }
      : {}),
    ...(invoice?.hostedInvoiceUrl ? { invoice_url: invoice.hostedInvoiceUrl } : {}),
    enterprise_slug: intent.enterpriseSlug ?? '',
    enterprise_admin_portal_url: portalOf(runtime, intent),
  };
};

const addressText = (address: StripeAddress | null): string =>
  address === null
    ? ''
    : [
        address.line1,
        address.line2,
        [address.city, address.state, address.postalCode].filter(Boolean).join(', '),
        address.country,
      ]
        .filter(Boolean)
        .join('\n');

const receipt: Write<'receipt'> = async (runtime, { intent, invoiceId }) => {
  const invoice = invoiceId === null ? null : await orNull(runtime.stripe.invoice(invoiceId));
  if (!invoice || invoice.amountPaid <= 0) return 'outdated';
  const method = (await orNull(runtime.stripe.paymentOf(invoice.id)))?.method ?? null;
  const { amountPaid, line } = invoice;
  // A change in the middle of a period is no whole licence.
  const unit = line?.isProration
    ? null
    : unitCents(line?.unitAmountDecimal ?? null, amountPaid, line?.quantity ?? null);
  const paid = moneyText(amountPaid);
  const each = unit === null ? null : `${moneyText(unit)}/license`;
  return {
    ...(await commonOf(runtime, intent)),
    total_paid_amount: dollars(amountPaid),
    total_paid_amount_formatted: paid,
    amount_paid_formatted: paid,
    total_formatted: paid,
    ...(unit === null || each === null
      ? {}
      : { price_per_license: dollars(unit), price_per_license_formatted: each, price_per_license_display: each }),
    ...(line?.quantity ? { license_count: line.quantity } : {}),
    date_paid: longDate(invoice.created),
    payment_method: method && method.last4 !== null ? `${method.brand ?? 'card'} - ${method.last4}` : 'Card - ****',
    customer_name: invoice.customerName ?? '',
    billing_address: addressText(invoice.customerAddress ?? method?.address ?? null),
    enterprise_admin_portal_url: portalOf(runtime, intent),
    receipt_number: invoice.number ?? invoice.id,
  };
};

const writers: { readonly [K in MailName]: Write<K> } = {
  signupConfirmation,
  trialEndingSoon,
  trialCancelled: ending(isScheduled, ({ cancelAt, trialEnd }) => cancelAt ?? trialEnd),
  paidCancelled: ending(isScheduled, ({ cancelAt, periodEnd }) => cancelAt ?? periodEnd),
  cancellationFinal: ending(
    ({ status }) => status === 'canceled',
    ({ endedAt }) => endedAt,
  ),
  reinstated: async (runtime, { intent, subscription }) =>
    subscription && subscription.cancelAt === null && isRunning(subscription.status)
      ? { enterprise_admin_portal_url: portalOf(runtime, intent) }
      : 'outdated',
  billingError: async (runtime, { intent, subscription }) =>
    subscription?.status !== 'past_due'
      ? 'outdated'
      : {
          ...(await commonOf(runtime, intent)),
          enterprise_slug: intent.enterpriseSlug ?? '',
          enterprise_admin_portal_url: portalOf(runtime, intent),
          restart_subscription_url: portalOf(runtime, intent),
          ...(runtime.settings.stripeCustomerPortalUrl === null
            ? {}
            : { customer_portal_url: runtime.settings.stripeCustomerPortalUrl }),
        },
  subscriptionStarted,
  receipt,
};

/** The administrators of the customer; the buyer while there are none. */
async function recipientsOf({ db, lms }: Runtime, intent: IntentRow): Promise<Recipient[]> {
  const slug = intent.enterpriseSlug;
  const customer = slug === null ? null : await lms.customerNamed({ slug });
  const admins = (customer?.admins ?? []).flatMap(({ email, lmsUserId }) => (email ? [{ email, lmsUserId }] : []));
  if (admins.length > 0) return admins;
  const buyer = await contactOf(db, intent.userId);
  return buyer?.email ? [{ email: buyer.email, lmsUserId: buyer.lmsUserId }] : [];
}

interface Payload {
  readonly mail: MailName;
  readonly intentUuid: string;
  readonly subscriptionId: string | null;
  readonly invoiceId: string | null;
  readonly occasion: string;
}

type Outcome = 'sent' | 'nobody' | 'outdated' | 'off' | 'refused';

/** Sends a mail if what it says still holds: a job can have waited long. */
export async function onSendMail(
  { runtime, dryRun }: JobRun,
  { mail, intentUuid, subscriptionId, invoiceId, occasion }: Payload,
): Promise<{ outcome: Outcome; recipients: number }> {
  const ended = (outcome: Outcome, recipients = 0) => ({ outcome, recipients });
  const intent = await store.findIntent(runtime.db, { uuid: intentUuid });
  if (!intent) return ended('outdated');
  const kind = mailKind(mail, intent.productLine);
  if (!runtime.mail.canSend(kind)) return ended('off');
  const subscription =
    subscriptionId === null ? null : ((await store.findSubscription(runtime.db, subscriptionId)) ?? null);
  const properties = await writers[mail](runtime, { intent, subscription, invoiceId });
  if (properties === 'outdated') return ended('outdated');
  const recipients = await recipientsOf(runtime, intent);
  if (recipients.length === 0) {
    runtime.log.error({ intent: intent.uuid, mail }, 'nobody can get a mail about a purchase');
    return ended('nobody');
  }
  if (dryRun) return ended('sent', recipients.length);
  try {
    const { sent, repeated } = await runtime.mail.send(kind, {
      enterpriseCustomerUuid: intent.enterpriseCustomerUuid,
      key: `${intent.uuid}:${occasion}`,
      recipients,
      properties,
    });
    return ended('sent', sent + repeated);
  } catch (error) {
    if (error instanceof MailOff) return ended('off');
    if (!(error instanceof MailRefused)) throw error;
    return ended('refused');
  }
}
