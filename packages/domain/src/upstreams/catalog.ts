import { z } from 'zod';
import type { Cache, CacheKind } from '../kernel/cache/cache.ts';
import { instantText } from '../kernel/cache/shapes.ts';
import { wordedInstant } from '../kernel/instant.ts';
import { centsOfDollars } from '../kernel/money.ts';
import type { Academy, Catalog, Content, ListPrice } from '../kernel/ports/catalog.ts';
import { orNull, UpstreamFailure } from '../kernel/ports/upstream.ts';
import type { Upstream } from './http.ts';
import { path } from './path.ts';

/** Parses a time; null if it is malformed, so that one course cannot break a page of others. */
const lenientDate = z
  .unknown()
  .transform((value) => (typeof value === 'string' ? wordedInstant(value) : null))
  .default(null);

function isChargeable(dollars: number | string): boolean {
  try {
    centsOfDollars(dollars);
    return Number(dollars) >= 0;
  } catch {
    return false;
  }
}

/** Parses a price; null if it is negative or malformed, because it must not be charged. */
const price = <T extends number | string>(dollars: z.ZodType<T>) =>
  dollars.transform((value) => (isChargeable(value) ? value : null)).nullish();

const normalized = z.object({
  content_price: price(z.number()),
  enroll_by_date: lenientDate,
  start_date: lenientDate,
  end_date: lenientDate,
});

const run = z.object({
  key: z.string(),
  uuid: z.string().nullish(),
  first_enrollable_paid_seat_price: price(z.number()),
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
  first_enrollable_paid_seat_price: price(z.number()),
  variant_id: z.string().nullish(),
  product_source: z.object({ slug: z.string().nullish(), name: z.string().nullish() }).nullish(),
  advertised_course_run_uuid: z.string().nullish(),
  entitlements: z.array(z.object({ mode: z.string(), price: price(z.union([z.string(), z.number()])) })).nullish(),
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
const foundOrNot = (found: unknown): number => (found ? HIT_MS : MISS_MS);

const containsKind: CacheKind<boolean> = {
  name: 'catalog:contains',
  version: 1,
  shape: z.boolean(),
  ttlMs: foundOrNot,
};

const contentKind: CacheKind<Content | null> = {
  name: 'catalog:content',
  version: 3,
  shape: z
    .object({
      contentKey: z.string(),
      courseRunKey: z.string().nullable(),
      title: z.string().nullable(),
      uuid: z.string().nullable(),
      courseRunUuid: z.string().nullable(),
      courseRunStartDate: instantText.nullable(),
      source: z.enum(['edX', '2u']),
      mode: z.enum(['verified', 'paid-executive-education']),
      priceCents: z.int().nullable(),
      enrollByDate: instantText.nullable(),
      variantId: z.string().nullable(),
      details: z.object({
        courseType: z.string().nullable(),
        partners: z.array(z.object({ name: z.string(), logoImageUrl: z.string().nullable() })),
        imageUrl: z.string().nullable(),
        startDate: instantText.nullable(),
        endDate: instantText.nullable(),
        priceUsd: z.number().nullable(),
        pacing: z.string().nullable(),
        weeksToComplete: z.number().nullable(),
      }),
    })
    .nullable(),
  ttlMs: foundOrNot,
};

const customerOfKind: CacheKind<string | null> = {
  name: 'catalog:customer',
  version: 1,
  shape: z.string().nullable(),
  ttlMs: foundOrNot,
};

const listPriceKind: CacheKind<{ readonly price: ListPrice | null } | null> = {
  name: 'catalog:list-price',
  version: 1,
  shape: z.object({ price: z.object({ usd: z.number(), usdCents: z.int() }).nullable() }).nullable(),
  ttlMs: foundOrNot,
};

const countKind: CacheKind<number | null> = {
  name: 'catalog:count',
  version: 1,
  shape: z.int().nullable(),
  ttlMs: foundOrNot,
};

const academyKind: CacheKind<Academy | null> = {
  name: 'catalog:academy',
  version: 1,
  shape: z
    .object({
      uuid: z.string(),
      title: z.string().nullable(),
      longName: z.string().nullable(),
      description: z.string().nullable(),
      thumbnailUrl: z.string().nullable(),
      tags: z.array(z.string()),
      marketingUrl: z.string().nullable(),
    })
    .nullable(),
  ttlMs: foundOrNot,
};

/** Public pages wait for texts of academies, so the service gets little time. */
const ACADEMY_TIMEOUT_MS = 3_000;
const MAXIMUM_PAGES = 100;

const words = z.string().nullish();
/** Tags are texts, or objects with a title. */
const tag = z.union([z.string(), z.looseObject({ title: z.string() }).transform(({ title }) => title)]);
const academyReply = z.looseObject({
  uuid: z.string(),
  title: words,
  long_name: words,
  long_description: words,
  short_description: words,
  description: words,
  image: words,
  thumbnail_url: words,
  marketing_url: words,
  tags: z.array(z.unknown()).nullish(),
});

const academyOf = (found: z.infer<typeof academyReply>): Academy => ({
  uuid: found.uuid,
  title: found.title || null,
  longName: found.long_name || found.title || null,
  description: found.long_description || found.short_description || found.description || null,
  thumbnailUrl: found.image || found.thumbnail_url || null,
  tags: (found.tags ?? []).flatMap((each) => tag.safeParse(each).data ?? []),
  marketingUrl: found.marketing_url || null,
});

const listed = z.array(z.record(z.string(), z.unknown()));
const academiesReply = z.union([listed, z.looseObject({ results: listed, next: z.string().nullish() })]);
const catalogsReply = z.looseObject({
  results: z.array(
    z.looseObject({
      catalog_query_id: z.unknown(),
      enterprise_catalog_query: z.unknown(),
    }),
  ),
});

const containsReply = z.object({ contains_content_items: z.boolean() });
const catalogReply = z.object({ enterprise_customer: z.string() });
const countReply = z.object({ count: z.int() });
const queriesReply = z.object({ catalog_uuids_by_catalog_query_id: z.record(z.string(), z.array(z.string())) });

export function httpCatalog(call: Upstream, cache: Cache): Catalog {
  return {
    contains: (catalogUuid, contentKey) =>
      cache.wrap(containsKind, `${catalogUuid}:${contentKey}`, async () => {
        const answer = await orNull(
          call({
            path: path`/api/v2/enterprise-catalogs/${catalogUuid}/contains_content_items/`,
            query: { course_run_ids: contentKey },
            about: [contentKey],
            reply: containsReply,
          }),
        );
        return answer?.contains_content_items ?? false;
      }),

    content: (customerUuid, contentKey) =>
      cache.wrap(contentKind, `${customerUuid}:${contentKey}`, async () => {
        const found = await orNull(
          call({
            path: path`/api/v2/enterprise-customer/${customerUuid}/content-metadata/${contentKey}/`,
            about: [contentKey],
            reply: record,
          }),
        );
        return found && contentOf(found, contentKey);
      }),

    customerOf: (catalogUuid) =>
      cache.wrap(customerOfKind, catalogUuid, async () => {
        const found = await orNull(
          call({
            path: path`/api/v1/enterprise-catalogs/${catalogUuid}`,
            reply: catalogReply,
          }),
        );
        return found?.enterprise_customer.toLowerCase() ?? null;
      }),

    contentCount: (catalogUuid) =>
      cache.wrap(countKind, catalogUuid, async () => {
        const found = await orNull(
          call({
            path: path`/api/v2/enterprise-catalogs/${catalogUuid}/get_content_metadata/`,
            reply: countReply,
          }),
        );
        return found?.count ?? null;
      }),

    academy: (uuid) =>
      cache.wrap(academyKind, uuid, async () => {
        const found = await orNull(
          call({
            path: path`/api/v1/academies/${uuid}/`,
            reply: academyReply,
            about: [uuid],
            atMostMs: ACADEMY_TIMEOUT_MS,
          }),
        );
        return found && academyOf(found);
      }),

    async academies({ uuid }) {
      const all: Record<string, unknown>[] = [];
      for (let page = 1; page <= MAXIMUM_PAGES; page += 1) {
        const found = await call({
          path: path`/api/v1/academies/`,
          query: { academy_uuid: uuid, page: page === 1 ? undefined : page },
          reply: academiesReply,
        });
        if (Array.isArray(found)) return found;
        all.push(...found.results);
        if (!found.next) return all;
      }
      throw new UpstreamFailure('catalog', 'has more academies than can be read');
    },

    async catalogQueryOf(customerUuid) {
      const { results } = await call({
        path: path`/api/v1/enterprise-catalogs/`,
        query: { enterprise_customer: customerUuid },
        reply: catalogsReply,
      });
      const ids = results.map(({ catalog_query_id, enterprise_catalog_query }) =>
        Number(catalog_query_id ?? enterprise_catalog_query),
      );
      return ids.find((id) => Number.isInteger(id) && id > 0) ?? null;
    },

    async distinctQueries(catalogUuids) {
      const found = await call({
        method: 'POST',
        path: path`/api/v1/distinct-catalog-queries/`,
        repeatable: true,
        body: { enterprise_catalog_uuids: catalogUuids },
        reply: queriesReply,
      });
      return new Map(Object.entries(found.catalog_uuids_by_catalog_query_id));
    },

    listPrice: (contentKey) =>
      cache.wrap(listPriceKind, contentKey, async () => {
        const found = await orNull(
          call({
            path: path`/api/v1/content-metadata/${contentKey}`,
            query: { coerce_to_parent_course: 'True' },
            about: [contentKey],
            reply: record,
          }),
        );
        if (!found) return null;
        const usd =
          found.normalized_metadata_by_run?.[contentKey]?.content_price ?? found.normalized_metadata?.content_price;
        return { price: usd === undefined || usd === null ? null : { usd, usdCents: centsOfDollars(usd) } };
      }),
  };
}
