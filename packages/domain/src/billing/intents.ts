import { type Transaction, transaction } from '@enterprise-access/db';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import { pageNumber, pageOf } from '../kernel/page.ts';
import type { Runtime } from '../kernel/runtime.ts';
import * as contract from './contract.ts';
import { countryCodeOf } from './countries.ts';
import { lineOf, productBySlug } from './products.ts';
import { retrying } from './retrying.ts';
import { isEmbargoed, isFailure, isSuccess, reservationEnd, uuidGiven } from './rules.ts';
import type { ProductLine, State } from './states-contract.ts';
import * as store from './store.ts';
import type { IntentRow } from './tables.ts';
import { beginIntent, ForbiddenMove, moveIntent } from './transition.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings'>;

export const viewOf = (row: IntentRow): contract.CheckoutIntent => ({
  id: row.id,
  created: row.created,
  modified: row.modified,
  uuid: row.uuid,
  state: row.state,
  enterpriseName: row.enterpriseName,
  enterpriseSlug: row.enterpriseSlug,
  enterpriseUuid: row.enterpriseCustomerUuid,
  stripeCustomerId: row.stripeCustomerId,
  expiresAt: row.expiresAt,
  stripeCheckoutSessionId: row.stripeCheckoutSessionId,
  quantity: row.quantity,
  country: row.country,
  lastCheckoutError: row.lastCheckoutError,
  lastProvisioningError: row.lastProvisioningError,
  termsMetadata: row.termsMetadata,
  user: row.userId,
  workflow: row.workflowUuid,
  sspProduct: row.sspProduct,
  stripeProductId: row.stripeProductId,
});

const LARGEST_ID = 2_147_483_647;

/** A uuid, with or without dashes, or a number; null for a number that no intent can have. */
export function keyOf(text: string): store.IntentKey | null {
  const uuid = uuidGiven(text);
  if (uuid !== null) return { uuid };
  if (!/^[+-]?\d+$/.test(text)) throw contract.badLookup({});
  const id = Number(text);
  return id >= 1 && id <= LARGEST_ID ? { id } : null;
}

/** The intent of a key, if the caller may see it: staff see all, buyers their own. */
export async function visibleIntent(deps: Pick<Deps, 'db'>, actor: Actor, text: string): Promise<IntentRow> {
  const key = keyOf(text);
  const row = key && (await store.findIntent(deps.db, key));
  if (!row || !(actor.isStaff || row.userId === actor.userId)) throw contract.intentNotFound({});
  return row;
}

export const get = async (deps: Pick<Deps, 'db'>, actor: Actor, input: Input<typeof contract.getCheckoutIntent>) =>
  viewOf(await visibleIntent(deps, actor, input.intent));

export async function list(
  deps: Pick<Deps, 'db'>,
  filter: store.IntentFilter,
  input: { readonly cursor?: string | undefined; readonly page?: number | undefined; readonly pageSize: number },
): Promise<Output<typeof contract.listCheckoutIntents>> {
  const page = pageNumber(input);
  const slice = { offset: (page - 1) * input.pageSize, limit: input.pageSize };
  const { rows, count } = await store.intentPage(deps.db, filter, slice);
  if (page > 1 && rows.length === 0) throw notFound({}, { message: 'Invalid page.' });
  return pageOf(input, rows.map(viewOf), count);
}

const given = (text: string | null | undefined): string | null => (text ? text : null);

/** The code of a country that may buy; null where none was given. */
function countryGiven({ settings }: Pick<Deps, 'settings'>, text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  const code = countryCodeOf(text);
  const problem = (message: string) => invalidInput({ fields: { country: [message] } });
  if (code === null) throw problem(`"${text.slice(0, 50)}" is not a valid choice.`);
  if (isEmbargoed(code, settings.billingEmbargoedCountries)) throw problem(`Country ${code} is not supported.`);
  return code;
}

export interface Reservation {
  readonly userId: number;
  readonly sspProduct: string;
  readonly productLine: ProductLine;
  readonly quantity: number;
  readonly slug: string | null;
  readonly name: string | null;
  readonly country: string | null;
  readonly terms: Readonly<Record<string, unknown>> | null;
}

/**
 * Reserves slug and name for a buyer and a product: updates the buyer's intent for the product, or begins one. A paid
 * intent is returned as it is (R-BILL-10 to R-BILL-16).
 */
export async function reserveIntent(deps: Deps, wish: Reservation): Promise<IntentRow> {
  try {
    return await retrying(() => transaction(deps.db, (trx) => reserve(trx, deps, wish)));
  } catch (error) {
    if (error instanceof store.ReservationTaken) throw contract.slugReserved({}, { cause: error });
    throw error;
  }
}

async function reserve(trx: Transaction, { clock, settings }: Deps, wish: Reservation): Promise<IntentRow> {
  const now = clock();
  // Whoever let a reservation lapse no longer holds it, whether or not a sweep has come by.
  for (const lapsed of await store.lockLapsedHolders(trx, wish, now))
    if (lapsed.userId !== wish.userId) await moveIntent(trx, lapsed, { to: 'expired', by: 'sweep' }, now);
  const [existing] = await store.lockIntentsOf(trx, wish.userId, wish.sspProduct);
  const expiresAt = reservationEnd(now, settings.billingReservationMinutes);
  if (!existing)
    return beginIntent(trx, {
      uuid: newUuid(),
      id: store.newNumber(),
      userId: wish.userId,
      enterpriseCustomerUuid: null,
      sspProduct: wish.sspProduct,
      productLine: wish.productLine,
      stripeProductId: '',
      state: 'created',
      enterpriseName: wish.name,
      enterpriseSlug: wish.slug,
      stripeCustomerId: null,
      stripeSubscriptionId: null,
      expiresAt,
      stripeCheckoutSessionId: null,
      checkoutFingerprint: null,
      quantity: wish.quantity,
      country: wish.country,
      lastCheckoutError: null,
      lastProvisioningError: null,
      workflowUuid: null,
      termsMetadata: wish.terms,
      created: now,
      modified: now,
    });
  if (isSuccess(existing.state)) return existing;
  if (isFailure(existing.state)) throw contract.failedIntentExists({});
  const changes = {
    quantity: wish.quantity,
    expiresAt,
    ...(wish.slug === null ? {} : { enterpriseSlug: wish.slug }),
    ...(wish.name === null ? {} : { enterpriseName: wish.name }),
    ...(wish.country === null ? {} : { country: wish.country }),
    termsMetadata: { ...existing.termsMetadata, ...wish.terms },
  };
  return moveIntent(trx, existing, { to: 'created', by: 'buyer', changes }, now);
}

/** The product of a request that may name none: then the buyer's only one, or the standard product. */
async function productGiven(deps: Deps, actor: Actor, slug: string | null | undefined): Promise<string> {
  if (slug) {
    if (!(await productBySlug(deps.db, slug)))
      throw invalidInput({ fields: { ssp_product: [`Object with slug=${slug.slice(0, 255)} does not exist.`] } });
    return slug;
  }
  const slugs = new Set((await store.intentsOf(deps.db, actor.userId)).map(({ sspProduct }) => sspProduct));
  const [only = deps.settings.billingDefaultProduct] = slugs.size === 1 ? slugs : [];
  return only;
}

export async function create(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.createCheckoutIntent>,
): Promise<contract.CheckoutIntent> {
  const [slug, name] = [given(input.enterpriseSlug), given(input.enterpriseName)];
  const missing = (field: string, other: string) =>
    invalidInput({ fields: { [field]: [`${field} is required when ${other} is provided.`] } });
  if (slug !== null && name === null) throw missing('enterprise_name', 'enterprise_slug');
  if (name !== null && slug === null) throw missing('enterprise_slug', 'enterprise_name');
  const country = countryGiven(deps, input.country);
  const sspProduct = await productGiven(deps, actor, input.sspProduct);
  const productLine = lineOf(await productBySlug(deps.db, sspProduct));
  const wish = { userId: actor.userId, sspProduct, productLine, quantity: input.quantity, slug, name, country };
  return viewOf(await reserveIntent(deps, { ...wish, terms: input.termsMetadata ?? null }));
}

const refusedMove = (from: State, to: State, cause?: unknown) =>
  invalidInput({ fields: { state: [`Invalid state transition from ${from} to ${to}`] } }, { cause });

/**
 * Changes state, country and terms. Buyers can give their reservation up and take it again; what payment and
 * provisioning decide can be set by staff only (weakness 12).
 */
export async function update(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.updateCheckoutIntent>,
): Promise<contract.CheckoutIntent> {
  const { uuid } = await visibleIntent(deps, actor, input.intent);
  const country = input.country === undefined ? undefined : countryGiven(deps, input.country);
  const change = (trx: Transaction) => changeIntent(trx, deps, actor, { ...input, uuid, country });
  try {
    return viewOf(await retrying(() => transaction(deps.db, change)));
  } catch (error) {
    if (error instanceof store.ReservationTaken) throw contract.slugReserved({}, { cause: error });
    throw error;
  }
}

async function changeIntent(
  trx: Transaction,
  { clock, settings }: Deps,
  actor: Actor,
  wish: Omit<Input<typeof contract.updateCheckoutIntent>, 'country'> & {
    readonly uuid: string;
    readonly country: string | null | undefined;
  },
): Promise<IntentRow> {
  const now = clock();
  const found = await store.findIntent(trx, { uuid: wish.uuid });
  if (!found) throw contract.intentNotFound({});
  const to = wish.state ?? found.state;
  if (found.state === 'expired' && to === 'created') {
    const held = { slug: found.enterpriseSlug, name: found.enterpriseName };
    for (const lapsed of await store.lockLapsedHolders(trx, held, now))
      if (lapsed.userId !== found.userId) await moveIntent(trx, lapsed, { to: 'expired', by: 'sweep' }, now);
  }
  const row = await store.lockIntent(trx, wish.uuid);
  if (!row) throw contract.intentNotFound({});
  const isAgain = row.state === 'expired' && to === 'created';
  const changes = {
    ...(wish.country === undefined ? {} : { country: wish.country }),
    ...(wish.termsMetadata === undefined ? {} : { termsMetadata: wish.termsMetadata }),
    ...(isAgain ? { expiresAt: reservationEnd(now, settings.billingReservationMinutes) } : {}),
  };
  try {
    return await moveIntent(trx, row, { to, by: actor.isStaff ? 'staff' : 'buyer', changes }, now);
  } catch (error) {
    if (error instanceof ForbiddenMove) throw refusedMove(row.state, to, error);
    throw error;
  }
}

/** Expires every reservation that is over, in batches; each in its own transaction. */
export async function expireLapsed(
  deps: Deps,
  options: { readonly batch: number; readonly signal: AbortSignal },
): Promise<number> {
  for (let expired = 0; ; ) {
    options.signal.throwIfAborted();
    const now = deps.clock();
    const uuids = await store.intentsSince(deps.db, {
      state: 'created',
      column: 'expires_at',
      before: now,
      limit: options.batch,
    });
    for (const uuid of uuids) {
      await transaction(deps.db, async (trx) => {
        const row = await store.lockIntent(trx, uuid);
        if (row?.state !== 'created' || row.expiresAt > now) return;
        await moveIntent(trx, row, { to: 'expired', by: 'sweep' }, now);
        expired += 1;
      });
    }
    if (uuids.length < options.batch) return expired;
  }
}

/** The intent that a front end shows: an active one, else the newest (R-BILL-26, R-BILL-27). */
export async function intentToShow(deps: Pick<Deps, 'db' | 'clock'>, userId: number): Promise<IntentRow | null> {
  const rows = await store.intentsOf(deps.db, userId);
  const now = deps.clock();
  const isActive = ({ state, expiresAt }: IntentRow) => state === 'paid' || (state === 'created' && expiresAt > now);
  return rows.find(isActive) ?? rows[0] ?? null;
}
