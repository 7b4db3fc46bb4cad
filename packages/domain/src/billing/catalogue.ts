import type { Connection } from '@enterprise-access/db';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import type { Academy } from '../kernel/ports/catalog.ts';
import type { StripePrice } from '../kernel/ports/stripe.ts';
import type { Runtime } from '../kernel/runtime.ts';
import * as contract from './catalogue-contract.ts';
import { academyOf, activeProducts, essentialsProduct, orNothing } from './products.ts';
import { dollarsText, uuidGiven } from './rules.ts';
import { type AcademyRow, enterpriseAcademies, type ProductRow } from './tables.ts';

type Deps = Pick<Runtime, 'db' | 'catalog' | 'stripe' | 'settings' | 'log'>;
type SspProduct = Output<typeof contract.getSspProduct>;

/** Longest time that a page waits for texts of academies, in milliseconds. */
const TEXTS_MS = 4_000;

const joined = (base: string | null, address: string): string =>
  base === null || address === '' || /^[a-z][a-z\d+.-]*:/i.test(address)
    ? address
    : `${base}/${address.replace(/^\/+/, '')}`;

const productView = (
  { settings }: Pick<Deps, 'settings'>,
  product: ProductRow,
  academy: Academy | null,
  price: StripePrice | undefined,
): SspProduct => ({
  name: academy?.title ?? null,
  longName: academy?.longName ?? null,
  description: academy?.description ?? null,
  marketingUrl: product.marketingUrl ?? academy?.marketingUrl ?? null,
  thumbnailUrl: academy?.thumbnailUrl ? joined(settings.essentialsThumbnailUrl, academy.thumbnailUrl) : null,
  tags: [...(academy?.tags ?? [])],
  price: price ? dollarsText(price.unitAmount) : null,
  lookupKey: product.stripePriceLookupKey,
  slug: product.slug,
});

/** Answers in bounded time: what is not there by then is left out, and is in the cache for the next request. */
function within<T>(work: Promise<T>, ms: number, instead: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(instead), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

const textsOf = (deps: Deps, uuid: string | null): Promise<Academy | null> =>
  within(academyOf(deps, uuid), TEXTS_MS, null);

const pricesOf = (deps: Deps): Promise<ReadonlyMap<string, StripePrice>> =>
  within(
    orNothing(deps.log, 'prices could not be read', deps.stripe.prices()).then((found) => found ?? new Map()),
    TEXTS_MS,
    new Map(),
  );

export async function listSspProducts(
  deps: Deps,
  { includePricing = '' }: Input<typeof contract.listSspProducts>,
): Promise<Output<typeof contract.listSspProducts>> {
  const products = (await activeProducts(deps.db)).filter(({ academyUuid }) => academyUuid !== null);
  const isPriced = !/^(false|0|no)$/i.test(includePricing) && products.length > 0;
  const [prices, texts] = await Promise.all([
    isPriced ? pricesOf(deps) : new Map<string, StripePrice>(),
    Promise.all(products.map(({ academyUuid }) => textsOf(deps, academyUuid))),
  ]);
  return {
    products: products.map((product, at) =>
      productView(deps, product, texts[at] ?? null, prices.get(product.stripePriceLookupKey)),
    ),
  };
}

export async function getSspProduct(deps: Deps, input: Input<typeof contract.getSspProduct>): Promise<SspProduct> {
  const product = await essentialsProduct(deps.db, input.product);
  if (!product) throw notFound({});
  return productView(deps, product, await textsOf(deps, product.academyUuid), undefined);
}

const academyView = (
  { settings }: Pick<Deps, 'settings'>,
  row: AcademyRow,
  prices: ReadonlyMap<string, StripePrice>,
): contract.AcademyProduct => {
  const price = row.stripePriceLookupKey === null ? undefined : prices.get(row.stripePriceLookupKey);
  return {
    id: row.stripeProductId ?? row.productKey ?? row.slug ?? row.uuid,
    name: row.name,
    longName: row.longName || row.name,
    description: row.description,
    marketingUrl: row.marketingUrl,
    thumbnailUrl: joined(settings.academyThumbnailUrl, row.thumbnailUrl),
    tags: [...row.tags],
    stripeProductId: row.stripeProductId ?? '',
    catalogQueryId: row.catalogQueryId,
    prices: price ? [{ ...price, unitAmountDecimal: dollarsText(price.unitAmount, 0) }] : [],
  };
};

const refuseSync = (sync: string | undefined): void => {
  if (sync === 'true') throw contract.syncNotSupported({});
};

async function academiesOf(
  db: Connection,
  { academyUuid, productKey, tag = [], includeInactive }: Input<typeof contract.listAcademyProducts>,
): Promise<AcademyRow[]> {
  const wanted = academyUuid?.trim() ?? '';
  const uuid = uuidGiven(wanted);
  if (wanted !== '' && uuid === null) throw invalidInput({ fields: { academy_uuid: ['Must be a valid UUID.'] } });
  const rows: AcademyRow[] = await enterpriseAcademies
    .query(db)
    .modify((query) => {
      if (includeInactive !== 'true') query.where('is_active', true);
      if (uuid !== null) query.where('uuid', uuid);
      if (productKey) query.where('product_key', productKey);
    })
    .orderBy(['display_order', 'name'])
    .limit(1_000);
  const tags = tag.map((each) => each.trim()).filter(Boolean);
  return rows.filter((row) => tags.every((each) => row.tags.includes(each)));
}

export async function listAcademyProducts(
  deps: Deps,
  input: Input<typeof contract.listAcademyProducts>,
): Promise<Output<typeof contract.listAcademyProducts>> {
  refuseSync(input.sync);
  const rows = await academiesOf(deps.db, input);
  const prices = rows.length === 0 ? new Map() : await pricesOf(deps);
  return { academies: rows.map((row) => academyView(deps, row, prices)) };
}

export async function getAcademyProduct(
  deps: Deps,
  { academy, sync }: Input<typeof contract.getAcademyProduct>,
): Promise<contract.AcademyProduct> {
  refuseSync(sync);
  const uuid = uuidGiven(academy);
  const row: AcademyRow | undefined = await enterpriseAcademies
    .query(deps.db)
    .where({ slug: academy })
    .orWhere({ product_key: academy })
    .orWhere({ stripe_product_id: academy })
    .modify((query) => {
      if (uuid !== null) query.orWhere({ uuid });
    })
    .orderBy('display_order')
    .first();
  if (!row) throw notFound({});
  return academyView(deps, row, await pricesOf(deps));
}
