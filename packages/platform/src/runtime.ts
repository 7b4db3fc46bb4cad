import { connect, outageLog } from '@enterprise-access/db';
import {
  apiKey,
  type Cache,
  embeddedLedger,
  followAssignments,
  httpBraze,
  httpCatalog,
  httpLedger,
  httpLms,
  type Log,
  memcached,
  ownersIn,
  processCache,
  type Runtime,
  recordedMail,
  type SharedStore,
  serviceToken,
  sharedCache,
  settings as sliceSettings,
  storedReservations,
  systemClock,
  upstream,
  watchJobRuns,
  workflowOf,
} from '@enterprise-access/domain';
import type { ServiceEnvironment } from './environment.ts';
import { subscribeMetrics } from './metrics.ts';

/** The cache, and the store shared between processes (null without memcached). */
export interface Shared {
  readonly cache: Cache;
  readonly shared: SharedStore | null;
}

export type ServiceRuntime = Runtime & Partial<Shared> & { close(): Promise<void> };

/**
 * Factor of the enrollment timeout for spends: the subsidy service enrolls before it replies, and can call a course
 * provider before that.
 */
const SPENDING_PER_ENROLMENT = 1.5;
const LONGEST_TOKEN_MS = 5_000;

/** Opens the cache of this process, with memcached as second tier if it is configured. */
function openCache(env: ServiceEnvironment, log: Log): Shared {
  if (env.MEMCACHED_SERVERS.length === 0) return { cache: processCache(), shared: null };
  const store = memcached({ servers: env.MEMCACHED_SERVERS, timeoutMs: env.MEMCACHED_TIMEOUT_MS, log });
  return {
    shared: store,
    // Twice the timeout: loading some values takes two calls.
    cache: sharedCache({ store, stamp: env.CACHE_KEY_VERSION_STAMP, longestLoadMs: 2 * env.UPSTREAM_TIMEOUT_MS }),
  };
}

function braze({ BRAZE_API_URL, BRAZE_API_KEY, UPSTREAM_TIMEOUT_MS }: ServiceEnvironment) {
  if (BRAZE_API_URL === undefined || BRAZE_API_KEY === undefined) return null;
  const token = apiKey(BRAZE_API_KEY);
  return httpBraze(
    upstream({ service: 'braze', baseUrl: BRAZE_API_URL, token, scheme: 'Bearer', timeoutMs: UPSTREAM_TIMEOUT_MS }),
  );
}

/**
 * Builds the runtime of all use cases from one environment. `localUrl` is used if no public URL is configured. With
 * `readOnly`, the database rejects writes.
 */
export function buildRuntime(
  env: ServiceEnvironment,
  log: Log,
  localUrl: string,
  { readOnly = false, statementTimeoutMs = 0 } = {},
): ServiceRuntime & Shared {
  // Subscribe the metrics before any client is created.
  subscribeMetrics();
  const db = connect({
    url: env.DATABASE_URL,
    poolSize: env.DATABASE_POOL_SIZE,
    readOnly,
    statementTimeoutMs,
    outages: outageLog(log),
  });
  const { cache, shared } = openCache(env, log);
  const token = serviceToken({
    root: env.OAUTH2_URL,
    clientId: env.BACKEND_SERVICE_EDX_OAUTH2_KEY,
    clientSecret: env.BACKEND_SERVICE_EDX_OAUTH2_SECRET,
    // Half of the call's timeout, so that a call can retry the token request.
    timeoutMs: Math.min(env.UPSTREAM_TIMEOUT_MS / 2, LONGEST_TOKEN_MS),
  });
  const service = (name: string, baseUrl: string) =>
    upstream({ service: name, baseUrl, token, timeoutMs: env.UPSTREAM_TIMEOUT_MS });
  const lms = httpLms(service('lms', env.LMS_URL), cache, { enrollMs: env.ENROLLMENT_TIMEOUT_MS });
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
        : httpLedger(service('subsidy', subsidyUrl), cache, storedReservations(db), {
            spendMs: env.ENROLLMENT_TIMEOUT_MS * SPENDING_PER_ENROLMENT,
          }),
    mail: recordedMail({ db, clock: systemClock, braze: braze(env), campaignIds: env }),
    settings: {
      publicUrl,
      lmsUrl: env.LMS_URL.replace(/\/+$/, ''),
      learningUrl: env.FRONTEND_APP_LEARNING_URL?.replace(/\/+$/, '') ?? null,
      learnerPortalUrl: env.ENTERPRISE_LEARNER_PORTAL_URL?.replace(/\/+$/, '') ?? null,
      subsidyUrl: subsidyUrl ?? publicUrl,
      ...sliceSettings.read(env),
    },
    jobRuns: watchJobRuns(db, log),
    ownerOf: ownersIn(db),
    workflowOf,
    followAssignments,
    cache,
    shared,
    async close() {
      shared?.close();
      await db.destroy();
    },
  };
}
