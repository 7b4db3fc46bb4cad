import { z } from 'zod';
import type { Cache } from '../kernel/cache.ts';
import { centsOfDollars } from '../kernel/money.ts';
import { orNull, type Upstream } from './http.ts';

/** What spending needs to know of a course or run: the enterprise-subsidy service's content summary. */
export interface Content {
  readonly contentKey: string;
  readonly courseRunKey: string | null;
  readonly title: string | null;
  readonly uuid: string | null;
  readonly courseRunUuid: string | null;
  readonly courseRunStartDate: Date | null;
  readonly source: 'edX' | '2u';
  readonly mode: 'verified' | 'paid-executive-education';
  /** US cents, rounded; null when the catalog knows no price. */
  readonly priceCents: number | null;
  readonly enrollByDate: Date | null;
  readonly variantId: string | null;
  readonly details: ContentDetails;
}

/** What pages and mails show of a course or run. */
export interface ContentDetails {
  readonly courseType: string | null;
  /** Owners that have a name. */
  readonly partners: readonly { readonly name: string; readonly logoImageUrl: string | null }[];
  readonly imageUrl: string | null;
  readonly startDate: Date | null;
  readonly endDate: Date | null;
  /** US dollars as the catalog has them. */
  readonly priceUsd: number | null;
  readonly pacing: string | null;
  readonly weeksToComplete: number | null;
}

export interface ListPrice {
  readonly usd: number;
  readonly usdCents: number;
}

/** What we ask of the enterprise catalog. */
export interface Catalog {
  /** Whether the catalog holds the course or run. */
  contains(catalogUuid: string, contentKey: string): Promise<boolean>;
  /** The content as this customer sees it, or null when none of its catalogs has it. */
  content(customerUuid: string, contentKey: string): Promise<Content | null>;
  /** Customer that a catalog belongs to; null when the service does not know the catalog. */
  customerOf(catalogUuid: string): Promise<string | null>;
  /** Price whatever the catalog: null content when nobody knows the key, null price when it has none. */
  listPrice(contentKey: string): Promise<{ readonly price: ListPrice | null } | null>;
}

/** A time that cannot be read is no time: a malformed deadline of one course must not break a page of others. */
const lenientDate = z
  .unknown()
  .transform((value) => {
    if (typeof value !== 'string') return null;
    const date = new Date(/(Z|[+-]\d{2}:?\d{2})$/.test(value) ? value : `${value}Z`);
    return Number.isNaN(date.getTime()) ? null : date;
  })
  .default(null);

const normalized = z.object({
  content_price: z.number().nullish(),
  enroll_by_date: lenientDate,
  start_date: lenientDate,
  end_date: lenientDate,
});

const run = z.object({
  key: z.string(),
  uuid: z.string().nullish(),
  first_enrollable_paid_seat_price: z.number().nullish(),
  variant_id: z.string().nullish(),
  pacing_type: z.string().nullish(),
  weeks_to_complete: z.number().nullish(),
});

const record = z.object({
  key: z.string(),
  uuid: z.string().nullish(),
  title: z.string().nullish(),
  content_type: z.string().nullish(),
  course_type: z.string().nullish(),
  owners: z.array(z.object({ name: z.string().nullish(), logo_image_url: z.string().nullish() })).nullish(),
  card_image_url: z.string().nullish(),
  image_url: z.string().nullish(),
  pacing_type: z.string().nullish(),
  weeks_to_complete: z.number().nullish(),
  first_enrollable_paid_seat_price: z.number().nullish(),
  variant_id: z.string().nullish(),
  product_source: z.object({ slug: z.string().nullish(), name: z.string().nullish() }).nullish(),
  advertised_course_run_uuid: z.string().nullish(),
  entitlements: z.array(z.object({ mode: z.string(), price: z.union([z.string(), z.number()]) })).nullish(),
  course_runs: z.array(run).nullish(),
  normalized_metadata: normalized.nullish(),
  normalized_metadata_by_run: z.record(z.string(), normalized).nullish(),
});
type CatalogRecord = z.infer<typeof record>;

/** The run of an identifier (R-UP-33). */
function runOf(found: CatalogRecord, identifier: string): z.infer<typeof run> | undefined {
  if (found.content_type === 'courserun') return found;
  const runs = found.course_runs ?? [];
  if (identifier === found.key || identifier === found.uuid) {
    return runs.find((each) => each.uuid === found.advertised_course_run_uuid);
  }
  return runs.find((each) => each.key === identifier || each.uuid === identifier);
}

const EXECUTIVE = 'paid-executive-education';

/** Content summary of a catalog record (R-UP-31 to R-UP-33), with cents rounded instead of cut off. */
export function contentOf(found: CatalogRecord, identifier: string): Content {
  const courseRun = runOf(found, identifier);
  const metadata = (courseRun && found.normalized_metadata_by_run?.[courseRun.key]) ?? found.normalized_metadata;
  const source = (found.product_source?.slug || found.product_source?.name) === '2u' ? '2u' : 'edX';
  const fallback =
    source === '2u'
      ? found.entitlements?.findLast((entitlement) => entitlement.mode === EXECUTIVE)?.price
      : courseRun?.first_enrollable_paid_seat_price;
  const dollars = metadata?.content_price || fallback || metadata?.content_price;
  return {
    contentKey: found.key,
    courseRunKey: courseRun?.key ?? null,
    title: found.title ?? null,
    uuid: found.uuid ?? null,
    courseRunUuid: courseRun?.uuid ?? null,
    courseRunStartDate: metadata?.start_date ?? null,
    source,
    mode: source === '2u' ? EXECUTIVE : 'verified',
    priceCents: dollars === undefined || dollars === null ? null : centsOfDollars(dollars),
    enrollByDate: metadata?.enroll_by_date ?? null,
    variantId: courseRun?.variant_id ?? null,
    details: {
      courseType: found.course_type ?? null,
      partners: (found.owners ?? []).flatMap(({ name, logo_image_url: logo }) =>
        name ? [{ name, logoImageUrl: logo ?? null }] : [],
      ),
      imageUrl: found.card_image_url || found.image_url || null,
      startDate: metadata?.start_date ?? null,
      endDate: metadata?.end_date ?? null,
      priceUsd: metadata?.content_price ?? null,
      pacing: courseRun?.pacing_type ?? null,
      weeksToComplete: courseRun?.weeks_to_complete ?? null,
    },
  };
}

const HIT_MS = 1_800_000;
const MISS_MS = 15_000;

export function httpCatalog(call: Upstream, cache: Cache): Catalog {
  return {
    contains: (catalogUuid, contentKey) =>
      cache.wrap(
        `catalog:contains:1:${catalogUuid}:${contentKey}`,
        (yes) => (yes ? HIT_MS : MISS_MS),
        async () => {
          const answer = await orNull(
            call({
              path: `/api/v2/enterprise-catalogs/${catalogUuid}/contains_content_items/`,
              query: { course_run_ids: contentKey },
              reply: z.object({ contains_content_items: z.boolean() }),
            }),
          );
          return answer?.contains_content_items ?? false;
        },
      ),

    content: (customerUuid, contentKey) =>
      cache.wrap(
        `catalog:content:2:${customerUuid}:${contentKey}`,
        (found) => (found ? HIT_MS : MISS_MS),
        async () => {
          const found = await orNull(
            call({
              path: `/api/v2/enterprise-customer/${customerUuid}/content-metadata/${encodeURIComponent(contentKey)}/`,
              reply: record,
            }),
          );
          return found && contentOf(found, contentKey);
        },
      ),

    customerOf: (catalogUuid) =>
      cache.wrap(
        `catalog:customer:1:${catalogUuid}`,
        (found) => (found ? HIT_MS : MISS_MS),
        async () => {
          const path = `/api/v1/enterprise-catalogs/${catalogUuid}`;
          const found = await orNull(call({ path, reply: z.object({ enterprise_customer: z.string() }) }));
          return found?.enterprise_customer.toLowerCase() ?? null;
        },
      ),

    listPrice: (contentKey) =>
      cache.wrap(
        `catalog:list-price:1:${contentKey}`,
        (found) => (found ? HIT_MS : MISS_MS),
        async () => {
          const found = await orNull(
            call({
              path: `/api/v1/content-metadata/${encodeURIComponent(contentKey)}`,
              query: { coerce_to_parent_course: 'True' },
              reply: record,
            }),
          );
          if (!found) return null;
          const usd =
            found.normalized_metadata_by_run?.[contentKey]?.content_price ?? found.normalized_metadata?.content_price;
          return { price: usd === undefined || usd === null ? null : { usd, usdCents: centsOfDollars(usd) } };
        },
      ),
  };
}
