import type { Connection, Transaction } from '@enterprise-access/db';
import { newUuid } from '../kernel/ids.ts';
import type { Academy } from '../kernel/ports/catalog.ts';
import type { StripePrice } from '../kernel/ports/stripe.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { ProductLine } from './states-contract.ts';
import { type ProductRow, sspProducts } from './tables.ts';

export const productBySlug = async (db: Connection, slug: string): Promise<ProductRow | undefined> =>
  sspProducts.query(db).where({ slug }).first();

/** Active products in the order of their slugs. */
export const activeProducts = async (db: Connection): Promise<ProductRow[]> =>
  sspProducts.query(db).where({ is_active: true }).orderBy('slug').limit(500);

/** An active Essentials product by slug or lookup key (R-BILL-38). */
export const essentialsProduct = async (db: Connection, key: string): Promise<ProductRow | undefined> => {
  const of = (column: string) =>
    sspProducts
      .query(db)
      .where({ [column]: key })
      .first();
  const found = (await of('slug')) ?? (await of('stripe_price_lookup_key'));
  return found?.isActive && found.academyUuid !== null ? found : undefined;
};

export const lineOf = (product: Pick<ProductRow, 'academyUuid'> | undefined): ProductLine =>
  product && product.academyUuid !== null ? 'essentials' : 'teams';

export type ProductWish = Omit<ProductRow, 'uuid' | 'created' | 'modified'>;

/** Stores a product under its slug; returns whether anything changed. */
export async function putProduct(trx: Transaction, wish: ProductWish, now: Date): Promise<boolean> {
  const before = await sspProducts.query(trx).where({ slug: wish.slug }).forUpdate().first();
  if (!before) {
    await sspProducts.insert(trx, { ...wish, uuid: newUuid(), created: now, modified: now });
    return true;
  }
  const isSame = Object.entries(wish).every(([name, value]) => before[name as keyof ProductWish] === value);
  if (!isSame) await sspProducts.change(trx, before, { ...before, ...wish, modified: now });
  return !isSame;
}

/** A product that can be bought, with its price. */
export interface PricedProduct {
  readonly product: ProductRow;
  readonly price: StripePrice;
}

/** Active products whose price Stripe knows; one that it does not know leaves the others alone (weakness 22). */
export async function pricedProducts(deps: Pick<Runtime, 'db' | 'stripe'>): Promise<PricedProduct[]> {
  const [products, prices] = await Promise.all([activeProducts(deps.db), deps.stripe.prices()]);
  return products.flatMap((product) => {
    const price = prices.get(product.stripePriceLookupKey);
    return price ? [{ product, price }] : [];
  });
}

/** A result, or null when the service does not answer or refuses. */
export async function orNothing<T>(log: Runtime['log'], what: string, work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (err) {
    if (!(err instanceof UpstreamFailure || err instanceof UpstreamRefusal)) throw err;
    log.warn({ err }, what);
    return null;
  }
}

export const academyOf = (deps: Pick<Runtime, 'catalog' | 'log'>, uuid: string | null): Promise<Academy | null> =>
  uuid === null
    ? Promise.resolve(null)
    : orNothing(deps.log, 'an academy could not be read', deps.catalog.academy(uuid));
