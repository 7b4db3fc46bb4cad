import { transaction } from '@enterprise-access/db';
import { z } from 'zod';
import type { JobRun } from '../kernel/jobs/job.ts';
import type { syncAcademies } from './job-contracts.ts';
import { type AcademyRow, enterpriseAcademies } from './tables.ts';

const text = z.string().nullish().catch(null);
const described = z.looseObject({
  uuid: z.guid().toLowerCase(),
  name: text,
  title: text,
  long_name: text,
  description: text,
  short_description: text,
  long_description: text,
  marketing_url: text,
  thumbnail_url: text,
  image: text,
  tags: z.unknown(),
  stripe_product_id: text,
  stripe_price_lookup_key: text,
  product_key: text,
  slug: text,
  catalog_query_id: z.unknown(),
  is_active: z.boolean().nullish().catch(null),
  display_order: z.int().min(0).nullish().catch(null),
});

const LONGEST = 255;
const clip = (value: string | null | undefined, length = LONGEST): string => (value ?? '').slice(0, length);
const orNone = (value: string | null | undefined): string | null => clip(value) || null;

/** A number or digits; other values, booleans among them, say nothing. */
function queryIdOf(value: unknown): number | null {
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number > 0 ? number : null;
}

const tagOf = z.union([z.string(), z.looseObject({ title: z.string() }).transform(({ title }) => title)]);

type Wish = Omit<AcademyRow, 'created' | 'modified'>;

/** An academy as the catalog describes it; null without uuid or name. The catalog's uuid is ours (weakness 32). */
export function academyWish(raw: unknown, defaultQueryId: number | null): Wish | null {
  const { data } = described.safeParse(raw);
  const name = clip(data?.name || data?.title);
  if (!data || name === '') return null;
  const slug = clip(data.slug || name.toLowerCase().replaceAll(' ', '-'));
  return {
    uuid: data.uuid,
    name,
    longName: clip(data.long_name || data.title || name, 512),
    description: data.description || data.short_description || data.long_description || '',
    marketingUrl: clip(data.marketing_url, 2_048),
    thumbnailUrl: clip(data.thumbnail_url || data.image, 2_048),
    tags: Array.isArray(data.tags) ? data.tags.flatMap((each) => tagOf.safeParse(each).data ?? []) : [],
    stripeProductId: orNone(data.stripe_product_id),
    // A key that is made up matches no price.
    stripePriceLookupKey: orNone(data.stripe_price_lookup_key),
    catalogQueryId: queryIdOf(data.catalog_query_id) ?? defaultQueryId,
    productKey: clip(data.product_key || slug),
    slug,
    isActive: data.is_active ?? true,
    displayOrder: data.display_order ?? 0,
  };
}

const same = (row: AcademyRow, wish: Wish): boolean =>
  Object.entries(wish).every(([name, value]) => JSON.stringify(row[name as keyof Wish]) === JSON.stringify(value));

/** Stores an academy by its uuid, so that a new name is a change and not a second one. */
const put = ({ runtime: { db, clock } }: JobRun, wish: Wish): Promise<'created' | 'updated' | 'unchanged'> =>
  transaction(db, async (trx) => {
    const now = clock();
    const before = await enterpriseAcademies.query(trx).findById(wish.uuid).forUpdate();
    if (!before) {
      await enterpriseAcademies.insert(trx, { ...wish, created: now, modified: now });
      return 'created';
    }
    // What people have filled in here stays where the catalog says nothing.
    const merged = {
      ...wish,
      stripeProductId: wish.stripeProductId ?? before.stripeProductId,
      stripePriceLookupKey: wish.stripePriceLookupKey ?? before.stripePriceLookupKey,
    };
    if (same(before, merged)) return 'unchanged';
    await enterpriseAcademies.change(trx, before, { ...before, ...merged, modified: now });
    return 'updated';
  });

/** Imports academies; never from a public request. */
export async function onSyncAcademies(
  run: JobRun,
  { academyUuid, deactivateMissing }: z.infer<typeof syncAcademies.payload>,
): Promise<z.infer<typeof syncAcademies.result>> {
  const { runtime, dryRun, signal } = run;
  const { catalog, settings, log, db, clock } = runtime;
  const result = { created: 0, updated: 0, unchanged: 0, skipped: 0, deactivated: 0, errors: 0 };
  const customer = settings.academySyncCustomer;
  const defaultQueryId = customer === null ? null : await catalog.catalogQueryOf(customer);
  const wanted = new Set(settings.academyAllowlist.map((each) => each.toLowerCase()));
  const seen = new Set<string>();
  for (const raw of await catalog.academies(academyUuid === undefined ? {} : { uuid: academyUuid })) {
    signal.throwIfAborted();
    const wish = academyWish(raw, defaultQueryId);
    const isWanted = wish && (wanted.size === 0 || wanted.has(wish.uuid) || wanted.has(wish.name.toLowerCase()));
    if (!wish || !isWanted || (academyUuid !== undefined && wish.uuid !== academyUuid.toLowerCase())) {
      result.skipped += 1;
      continue;
    }
    seen.add(wish.uuid);
    if (dryRun) continue;
    try {
      result[await put(run, wish)] += 1;
    } catch (err) {
      log.error({ err, academy: wish.uuid }, 'an academy could not be stored');
      result.errors += 1;
    }
  }
  // Only a complete list says what is gone (weakness 30).
  if (!deactivateMissing || dryRun || academyUuid !== undefined || wanted.size > 0 || seen.size === 0) return result;
  const gone = (await enterpriseAcademies.query(db).where({ is_active: true })).filter(({ uuid }) => !seen.has(uuid));
  for (const { uuid } of gone)
    await transaction(db, async (trx) => {
      const row = await enterpriseAcademies.query(trx).findById(uuid).forUpdate();
      if (row?.isActive) await enterpriseAcademies.change(trx, row, { ...row, isActive: false, modified: clock() });
    });
  return { ...result, deactivated: gone.length };
}
