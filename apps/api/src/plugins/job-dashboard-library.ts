import { readdir } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import type { CreateDashboardHandlerOptions, DashboardHandler } from '@pg-boss/dashboard/handler';

/** The schema version in the source of the dashboard's own copy of pg-boss. */
const BUNDLED = 'pgboss: { "schema": 42 }';
/** The schema version of our pg-boss (12.35), which only adds columns and an index. */
const OURS = 'pgboss: { "schema": 43 }';

/**
 * Opens the dashboard. The newest version contains a pg-boss that is one schema version older than ours; on the page
 * of a job and for every change it refuses a database with another schema version. Its actions work on our schema, as
 * the tests show, so the version number is replaced while it is loaded. With another version of the dashboard nothing
 * is replaced, and the tests show whether this file is still needed (decision 0023).
 */
export async function openDashboard(options: CreateDashboardHandlerOptions): Promise<DashboardHandler> {
  const hooks = registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!url.includes('/@pg-boss/dashboard/build/server/') || !loaded.source) return loaded;
      return { ...loaded, source: loaded.source.toString().replace(BUNDLED, OURS) };
    },
  });
  try {
    // Loaded lazily because it includes a rendering library.
    const { createDashboardHandler } = await import('@pg-boss/dashboard/handler');
    const dashboard = createDashboardHandler(options);
    // The dashboard loads most of its code with the first request, so request a static asset now; a page would query
    // the database.
    const [file = ''] = await readdir(new URL('client/assets/', import.meta.resolve('@pg-boss/dashboard/handler')));
    await dashboard(new Request(`http://localhost${options.basePath ?? ''}/assets/${file}`));
    return dashboard;
  } finally {
    hooks.deregister();
  }
}
