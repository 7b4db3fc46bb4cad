import { createHash } from 'node:crypto';
import { transaction } from '@enterprise-access/db';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { permissionDenied } from '../kernel/errors.ts';
import type { CheckoutSessionRequest, StripeCheckoutSession } from '../kernel/ports/stripe.ts';
import { orNull, orUnavailable, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import * as contract from './contract.ts';
import { keyOf, reserveIntent } from './intents.ts';
import { academyOf, lineOf, type PricedProduct } from './products.ts';
import * as store from './store.ts';
import type { IntentRow } from './tables.ts';
import { annotateIntent } from './transition.ts';
import { validateCheckout } from './validation.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings' | 'lms' | 'catalog' | 'stripe' | 'log'>;

/** A refusal of Stripe as the declared error; silence as an outage. */
export const asked = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UpstreamRefusal) throw contract.stripeRefused({}, { cause: error });
    return orUnavailable(Promise.reject(error));
  }
};

const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/** What Stripe keeps with the subscription; by it every event finds its intent. */
async function metadataOf(deps: Deps, actor: Actor, intent: IntentRow, { product }: PricedProduct) {
  const academy = await academyOf(deps, product.academyUuid);
  return {
    enterprise_customer_name: intent.enterpriseName ?? '',
    enterprise_customer_slug: intent.enterpriseSlug ?? '',
    ...(actor.lmsUserId === null ? {} : { lms_user_id: String(actor.lmsUserId) }),
    checkout_intent_id: String(intent.id),
    checkout_intent_uuid: intent.uuid,
    ssp_product_slug: product.slug,
    ...(product.catalogQueryId === 0
      ? {}
      : {
          enterprise_catalog: JSON.stringify({
            title: academy?.title ?? 'Open Courses',
            catalog_query_id: product.catalogQueryId,
          }),
        }),
  };
}

/** The customer at Stripe that the buyer had before, or that has the address. */
async function stripeCustomerOf(deps: Deps, intent: IntentRow, email: string): Promise<string | null> {
  const earlier = await store.intentsOf(deps.db, intent.userId);
  const known = earlier.find(({ stripeCustomerId }) => stripeCustomerId !== null)?.stripeCustomerId ?? null;
  if (known !== null && (await asked(deps.stripe.customer(known)))) return known;
  return (await asked(deps.stripe.customerByEmail(email)))?.id ?? null;
}

/** The open session of an earlier request that asked for the same. */
async function openSession(deps: Deps, intent: IntentRow, fingerprint: string): Promise<StripeCheckoutSession | null> {
  const { stripeCheckoutSessionId: id, checkoutFingerprint } = intent;
  if (id === null || checkoutFingerprint !== fingerprint) return null;
  const session = await asked(orNull(deps.stripe.checkoutSession(id)));
  return session?.status === 'open' && session.clientSecret !== null ? session : null;
}

export async function createSession(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.createCheckoutSession>,
): Promise<Output<typeof contract.createCheckoutSession>> {
  const form = {
    admin_email: input.adminEmail,
    enterprise_slug: input.enterpriseSlug,
    quantity: input.quantity,
    stripe_price_id: input.stripePriceId,
    company_name: input.companyName,
    ...(input.sspProductSlug === undefined ? {} : { ssp_product_slug: input.sspProductSlug }),
  };
  const { decisions, bought } = await validateCheckout(deps, form, { userId: actor.userId });
  if (Object.keys(decisions).length > 0 || !bought) throw contract.checkoutRefused({ decisions });
  const intent = await reserveIntent(deps, {
    userId: actor.userId,
    sspProduct: bought.product.slug,
    productLine: lineOf(bought.product),
    quantity: input.quantity,
    slug: input.enterpriseSlug,
    name: input.companyName,
    country: null,
    terms: null,
  });
  // A second purchase of what is paid for would charge twice.
  if (intent.state !== 'created') throw contract.alreadyPaid({});
  const request: CheckoutSessionRequest = {
    priceId: bought.price.id,
    quantity: input.quantity,
    trialDays: deps.settings.billingTrialDays,
    customerId: await stripeCustomerOf(deps, intent, input.adminEmail),
    customerEmail: input.adminEmail,
    metadata: await metadataOf(deps, actor, intent, bought),
  };
  const fingerprint = digest(request);
  const open = await openSession(deps, intent, fingerprint);
  if (open?.clientSecret) return { checkoutSessionClientSecret: open.clientSecret };
  const key = `checkout:${intent.uuid}:${intent.stripeCheckoutSessionId ?? 'first'}:${fingerprint}`;
  const session = await asked(deps.stripe.createCheckoutSession(request, key));
  await transaction(deps.db, async (trx) => {
    const row = await store.lockIntent(trx, intent.uuid);
    if (!row) return;
    await annotateIntent(trx, row, {
      stripeCheckoutSessionId: session.id,
      checkoutFingerprint: fingerprint,
      stripeProductId: row.productLine === 'essentials' ? bought.price.product : '',
      ...(row.stripeCustomerId === null && session.customerId !== null ? { stripeCustomerId: session.customerId } : {}),
    });
  });
  if (session.clientSecret === null) throw contract.stripeRefused({});
  return { checkoutSessionClientSecret: session.clientSecret };
}

type PortalDeps = Pick<Runtime, 'db' | 'stripe' | 'settings'>;
type PortalSession = Output<typeof contract.createCheckoutPortalSession>;

/** What a request says beside its input. */
export interface Caller {
  readonly requestId: string;
  /** Origin of a page that may call us; null for others. */
  readonly origin: string | null;
}

async function openPortal(
  deps: PortalDeps,
  customerId: string | null,
  returnUrl: string,
  { requestId }: Caller,
): Promise<PortalSession> {
  if (customerId === null) throw contract.nothingToManage({});
  const key = `portal:${customerId}:${digest([returnUrl, requestId])}`;
  const session = await asked(deps.stripe.createPortalSession(customerId, returnUrl, key));
  return { url: String(session.url ?? ''), session: { ...session } };
}

/** The base of a link back: the page that asked, if it is one of ours, else what is configured (weakness 14). */
const baseOf = ({ origin }: Caller, configured: string | null, publicUrl: string): string =>
  (origin ?? configured ?? publicUrl).replace(/\/+$/, '');

export async function openEnterprisePortal(
  deps: PortalDeps,
  input: Input<typeof contract.createEnterprisePortalSession>,
  caller: Caller,
): Promise<PortalSession> {
  const { enterpriseCustomerUuid: customer } = input;
  const intent = (await store.payingIntentOf(deps.db, customer)) ?? (await store.firstIntentOf(deps.db, customer));
  if (!intent) throw contract.nothingToManage({});
  const base = baseOf(caller, deps.settings.adminPortalUrl, deps.settings.publicUrl);
  return openPortal(deps, intent.stripeCustomerId, `${base}/${intent.enterpriseSlug ?? ''}`, caller);
}

export async function openCheckoutPortal(
  deps: PortalDeps,
  actor: Actor,
  input: Input<typeof contract.createCheckoutPortalSession>,
  caller: Caller,
): Promise<PortalSession> {
  const denied = () => permissionDenied({ permission: 'own intent' });
  let key: store.IntentKey | null;
  try {
    key = keyOf(input.intent);
  } catch (error) {
    throw permissionDenied({ permission: 'own intent' }, { cause: error });
  }
  const intent = key && (await store.findIntent(deps.db, key));
  if (!intent || intent.userId !== actor.userId) throw denied();
  const base = baseOf(caller, deps.settings.checkoutUrl, deps.settings.publicUrl);
  return openPortal(deps, intent.stripeCustomerId, `${base}/billing-details/success`, caller);
}
