import { isPlainEmail } from '../kernel/email.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { contactOf } from '../users/index.ts';
import type { Decision } from './contract.ts';
import { type PricedProduct, pricedProducts } from './products.ts';
import { isSlug, type Problem, problems, quantityProblem } from './rules.ts';
import { isHeldByOther } from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'lms' | 'stripe' | 'settings'>;

/** Fields of the form by their names on the wire; only what is given is checked. */
export interface CheckoutForm {
  readonly admin_email?: unknown;
  readonly full_name?: unknown;
  readonly company_name?: unknown;
  readonly enterprise_slug?: unknown;
  readonly quantity?: unknown;
  readonly stripe_price_id?: unknown;
  readonly ssp_product_slug?: unknown;
}

/** Who fills in the form, where that is known. */
export interface Buyer {
  readonly userId: number;
}

export interface Validated {
  /** The fields that do not pass. */
  readonly decisions: Readonly<Record<string, Decision>>;
  /** Account of the address; undefined if nobody asked. */
  readonly accountOfEmail: number | null | undefined;
  /** The product of the purchase, if price and product fit. */
  readonly bought: PricedProduct | null;
}

const decisionOf = ([errorCode, developerMessage]: Problem): Decision => ({ errorCode, developerMessage });
const filled = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** Asks for the account of the address once, however many fields need it (R-BILL-32). */
function accounts({ lms }: Deps) {
  const asked = new Map<string, Promise<number | null>>();
  return (email: string): Promise<number | null> => {
    const known = asked.get(email) ?? orUnavailable(lms.accountOf(email));
    asked.set(email, known);
    return known;
  };
}

async function emailProblem(
  deps: Deps,
  email: unknown,
  buyer: Buyer | null,
  accountOf: (email: string) => Promise<number | null>,
): Promise<Problem | null> {
  if (!filled(email) || !isPlainEmail(email)) return problems.emailFormat;
  if ((await accountOf(email)) === null) return problems.emailUnknown;
  const contact = buyer && (await contactOf(deps.db, buyer.userId));
  const isOther = contact !== null && contact.email !== '' && contact.email.toLowerCase() !== email.toLowerCase();
  return isOther ? problems.emailOfOther : null;
}

async function companyProblem(deps: Deps, name: unknown, userId: number | null): Promise<Problem | null> {
  if (!filled(name)) return problems.companyMissing;
  if (await isHeldByOther(deps.db, { name }, userId, deps.clock())) return problems.companyTaken;
  return (await orUnavailable(deps.lms.customerNamed({ name }))) ? problems.companyTaken : null;
}

async function slugProblem(deps: Deps, form: CheckoutForm, userId: number | null): Promise<Problem | null> {
  const slug = form.enterprise_slug;
  if (!filled(slug) || !filled(form.admin_email)) return problems.incomplete;
  if (!isSlug(slug)) return problems.slugFormat;
  if (await isHeldByOther(deps.db, { slug }, userId, deps.clock())) return problems.slugReserved;
  return (await orUnavailable(deps.lms.customerNamed({ slug }))) ? problems.slugTaken : null;
}

/** The product of a price, or of a slug; both must fit if both are given (weakness 14). */
function boughtOf(form: CheckoutForm, products: readonly PricedProduct[]) {
  const { stripe_price_id: priceId, ssp_product_slug: slug } = form;
  const bySlug = products.find(({ product }) => product.slug === slug);
  const byPrice = products.find(({ price }) => price.id === priceId);
  const isMixed = slug !== undefined && priceId !== undefined && bySlug !== byPrice;
  const problem: { price: Problem | null; slug: Problem | null } = { price: null, slug: null };
  if (priceId !== undefined) {
    if (!filled(priceId)) problem.price = problems.textFormat;
    else if (!byPrice || (bySlug && isMixed)) problem.price = problems.priceUnknown;
  }
  if (slug !== undefined) {
    if (!filled(slug)) problem.slug = problems.textFormat;
    else if (!bySlug) problem.slug = problems.productUnknown;
  }
  return { problem, bought: isMixed ? null : (bySlug ?? byPrice ?? null) };
}

/** R-BILL-30 to R-BILL-33: checks every field that is given; the result has those that do not pass. */
export async function validateCheckout(deps: Deps, form: CheckoutForm, buyer: Buyer | null): Promise<Validated> {
  const accountOf = accounts(deps);
  const userId = buyer?.userId ?? null;
  const found: [string, Problem | null][] = [];
  const has = (field: keyof CheckoutForm) => form[field] !== undefined;
  if (has('admin_email')) found.push(['admin_email', await emailProblem(deps, form.admin_email, buyer, accountOf)]);
  if (has('full_name')) found.push(['full_name', filled(form.full_name) ? null : problems.userMissing]);
  if (has('company_name')) found.push(['company_name', await companyProblem(deps, form.company_name, userId)]);
  if (has('enterprise_slug')) found.push(['enterprise_slug', await slugProblem(deps, form, userId)]);
  let bought: PricedProduct | null = null;
  if (has('quantity') || has('stripe_price_id') || has('ssp_product_slug')) {
    const chosen = boughtOf(form, await orUnavailable(pricedProducts(deps)));
    bought = chosen.bought;
    if (has('quantity'))
      found.push(['quantity', quantityProblem(form.quantity, bought !== null, deps.settings.billingQuantityRange)]);
    found.push(['stripe_price_id', chosen.problem.price], ['ssp_product_slug', chosen.problem.slug]);
  }
  const isEmailAsked = filled(form.admin_email) && isPlainEmail(form.admin_email);
  return {
    decisions: Object.fromEntries(found.flatMap(([field, problem]) => (problem ? [[field, decisionOf(problem)]] : []))),
    accountOfEmail: isEmailAsked ? await accountOf(form.admin_email as string) : undefined,
    bought,
  };
}
