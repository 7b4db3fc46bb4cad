import { connect } from '@enterprise-access/db';
import {
  apiKey,
  embeddedLedger,
  httpBraze,
  httpCatalog,
  httpLedger,
  httpLms,
  type Log,
  ownersIn,
  processCache,
  type Runtime,
  recordedMail,
  serviceToken,
  storedReservations,
  systemClock,
  upstream,
  watchJobRuns,
} from '@enterprise-access/domain';
import type { ServiceEnvironment } from './environment.ts';
import { countHappenings } from './metrics.ts';

export type ServiceRuntime = Runtime & { close(): Promise<void> };

function braze({ BRAZE_API_URL, BRAZE_API_KEY, UPSTREAM_TIMEOUT_MS }: ServiceEnvironment) {
  if (BRAZE_API_URL === undefined || BRAZE_API_KEY === undefined) return null;
  const token = apiKey(BRAZE_API_KEY);
  return httpBraze(
    upstream({ service: 'braze', baseUrl: BRAZE_API_URL, token, scheme: 'Bearer', timeoutMs: UPSTREAM_TIMEOUT_MS }),
  );
}

/**
 * Everything that use cases need, from one environment; `localUrl` stands in where no public one is configured. With
 * `readOnly` the database refuses to be written to.
 */
export function buildRuntime(
  env: ServiceEnvironment,
  log: Log,
  localUrl: string,
  { readOnly = false } = {},
): ServiceRuntime {
  // Before anything is built that tells.
  countHappenings();
  const db = connect({ url: env.DATABASE_URL, poolSize: env.DATABASE_POOL_SIZE, readOnly });
  const cache = processCache();
  const token = serviceToken({
    root: env.OAUTH2_URL,
    clientId: env.BACKEND_SERVICE_EDX_OAUTH2_KEY,
    clientSecret: env.BACKEND_SERVICE_EDX_OAUTH2_SECRET,
  });
  const service = (name: string, baseUrl: string) =>
    upstream({ service: name, baseUrl, token, timeoutMs: env.UPSTREAM_TIMEOUT_MS });
  const lms = httpLms(service('lms', env.LMS_URL), cache);
  const publicUrl = (env.PUBLIC_URL ?? localUrl).replace(/\/+$/, '');
  const subsidyUrl = env.ENTERPRISE_SUBSIDY_URL?.replace(/\/+$/, '');
  return {
    db,
    clock: systemClock,
    log,
    lms,
    catalog: httpCatalog(service('catalog', env.ENTERPRISE_CATALOG_URL), cache),
    ledger:
      subsidyUrl === undefined
        ? embeddedLedger({ db, clock: systemClock, lms })
        : httpLedger(service('subsidy', subsidyUrl), cache, storedReservations(db)),
    mail: recordedMail({ db, clock: systemClock, braze: braze(env), campaignIds: env }),
    settings: {
      publicUrl,
      lmsUrl: env.LMS_URL.replace(/\/+$/, ''),
      learnerPortalUrl: env.ENTERPRISE_LEARNER_PORTAL_URL?.replace(/\/+$/, '') ?? null,
      subsidyUrl: subsidyUrl ?? publicUrl,
      allowDeactivationWithSpend: env.ALLOW_BUDGET_DEACTIVATION_WITH_SPEND,
      refundsUnenrolments: env.ENABLE_HANDLE_LC_ENROLLMENT_REVOKED,
      allocationPriceLowerRatio: 0.95,
      allocationPriceUpperRatio: 1.05,
    },
    jobRuns: watchJobRuns(db, log),
    ownerOf: ownersIn(db),
    close: () => db.destroy(),
  };
}
