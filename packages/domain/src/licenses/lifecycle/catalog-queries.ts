import type { z } from 'zod';
import type { JobRun } from '../../kernel/jobs/job.ts';
import type * as contracts from './job-contracts.ts';
import * as store from './store.ts';
import { inPages } from './sweep.ts';

/** Catalogs in one call. */
const CATALOGS_AT_ONCE = 100;

/** Catalogs of customers have more different contents than there are kinds of plans to sell. */
class TooManyCatalogQueries extends Error {
  override readonly name = 'TooManyCatalogQueries';
}

/** Compares the queries behind the catalogs of plans with the kinds of plans. Only reads. */
export async function onValidateCatalogQueries(
  { runtime, signal }: JobRun,
  { catalogIdReportingThreshold: threshold }: z.infer<typeof contracts.validateCatalogQueries.payload>,
) {
  const { db, catalog, log, settings } = runtime;
  const allowed = new Set(settings.customCatalogs);
  const catalogsOf = new Map<string, number>();
  let catalogs = 0;
  const pages = inPages<string>(signal, CATALOGS_AT_ONCE, (after, limit) => store.catalogsOfPlans(db, after, limit));
  for await (const page of pages) {
    catalogs += page.length;
    for (const [query, uuids] of await catalog.distinctQueries(page)) {
      const others = uuids.filter((uuid) => !allowed.has(uuid.toLowerCase())).length;
      if (others > 0) catalogsOf.set(query, (catalogsOf.get(query) ?? 0) + others);
    }
  }
  for (const [query, count] of catalogsOf)
    if (count < threshold) log.warn({ query, catalogs: count }, 'few catalogs of plans have this query');
  const planTypes = await store.countPlanTypes(db);
  if (catalogsOf.size > planTypes)
    throw new TooManyCatalogQueries(
      `${catalogsOf.size} distinct catalog queries of ${catalogs} catalogs, but ${planTypes} kinds of plans.`,
    );
  return { catalogs, queries: catalogsOf.size, planTypes };
}
