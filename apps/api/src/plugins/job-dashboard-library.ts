import { readdir } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import type { CreateDashboardHandlerOptions, DashboardHandler } from '@pg-boss/dashboard/handler';

/** The schema that the dashboard's own copy of pg-boss was made for, as its source spells it. */
const BUNDLED = 'pgboss: { "schema": 42 }';
/** The schema of the pg-boss that we run (12.35), which only adds columns and an index to the former. */
const OURS = 'pgboss: { "schema": 43 }';

/**
 * Opens the dashboard. The newest one carries a pg-boss that is one schema older than ours and, for the page of a job and
 * for every change, refuses a database of another schema. What it does there works on ours, as the tests show for each
 * action, so its idea of the number is corrected while it is loaded. Any other version of it is left as it is, and the
 * tests then say whether this file can go (decision 0023).
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
    // It brings a rendering library along, for which processes without it shall not pay.
    const { createDashboardHandler } = await import('@pg-boss/dashboard/handler');
    const dashboard = createDashboardHandler(options);
    // It loads most of itself with the first request, so that comes from us; a page would ask the database.
    const [file = ''] = await readdir(new URL('client/assets/', import.meta.resolve('@pg-boss/dashboard/handler')));
    await dashboard(new Request(`http://localhost${options.basePath ?? ''}/assets/${file}`));
    return dashboard;
  } finally {
    hooks.deregister();
  }
}
