import { randomBytes } from 'node:crypto';
import { connect, outageLog } from '@enterprise-access/db';
import {
  apiKey,
  type Cache,
  decisionsStored,
  embeddedLedger,
  type Files,
  httpBraze,
  httpCatalog,
  httpCustomers,
  httpLedger,
  httpLms,
  httpPlans,
  httpStripe,
  httpSubscriptions,
  type LocalFiles,
  type Log,
  localFiles,
  localPlans,
  localSubscriptions,
  mailDelivery,
  memcached,
  ownersIn,
  processCache,
  type Runtime,
  type Settings,
  type SharedStore,
  s3Files,
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
  /** Files in a folder, if no bucket is configured. */
  readonly localFiles: LocalFiles | null;
}

export type ServiceRuntime = Runtime & Partial<Shared> & { close(): Promise<void> };

/**
 * Factor of the enrollment timeout for spends: the subsidy service enrolls before it replies, and can call a course
 * provider before that.
 */
const SPENDING_PER_ENROLMENT = 1.5;
const LONGEST_TOKEN_MS = 5_000;

/** Opens the cache of this process, with memcached as second tier if it is configured. */
function openCache(env: ServiceEnvironment, log: Log): Omit<Shared, 'localFiles'> {
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

/** Where files for downloads are stored: a bucket, or a folder of this machine. */
function openFiles(env: ServiceEnvironment, publicUrl: string): { files: Files; localFiles: LocalFiles | null } {
  const { FILES_S3_BUCKET: bucket, S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (bucket !== undefined) {
    const credentials =
      accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey };
    const timeoutMs = env.UPSTREAM_TIMEOUT_MS;
    const files = s3Files({ bucket, region: env.S3_REGION, endpoint: env.S3_ENDPOINT, credentials, timeoutMs });
    return { files, localFiles: null };
  }
  const secret = env.FILES_LINK_SECRET ?? randomBytes(32).toString('base64url');
  const local = localFiles({ folder: env.FILES_FOLDER, secret, publicUrl, clock: systemClock });
  return { files: local, localFiles: local };
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
  const { files, localFiles: local } = openFiles(env, publicUrl);
  const settings: Settings = {
    publicUrl,
    lmsUrl: env.LMS_URL.replace(/\/+$/, ''),
    learningUrl: env.FRONTEND_APP_LEARNING_URL?.replace(/\/+$/, '') ?? null,
    adminPortalUrl: env.ENTERPRISE_ADMIN_PORTAL_URL?.replace(/\/+$/, '') ?? null,
    learnerPortalUrl: env.ENTERPRISE_LEARNER_PORTAL_URL?.replace(/\/+$/, '') ?? null,
    subsidyUrl: subsidyUrl ?? publicUrl,
    ...sliceSettings.read(env),
  };
  const catalog = httpCatalog(service('catalog', env.ENTERPRISE_CATALOG_URL), cache);
  const licensing = { db, clock: systemClock, log, catalog, settings };
  return {
    db,
    clock: systemClock,
    log,
    lms,
    catalog,
    ledger:
      subsidyUrl === undefined
        ? embeddedLedger({ db, clock: systemClock, lms })
        : httpLedger(service('subsidy', subsidyUrl), cache, storedReservations(db), {
            spendMs: env.ENROLLMENT_TIMEOUT_MS * SPENDING_PER_ENROLMENT,
          }),
    stripe: httpStripe({
      apiKey: env.STRIPE_API_KEY ?? null,
      baseUrl: env.STRIPE_API_URL,
      timeoutMs: env.UPSTREAM_TIMEOUT_MS,
      cache,
    }),
    customers: httpCustomers({
      lms: service('lms', env.LMS_URL),
      catalog: service('catalog', env.ENTERPRISE_CATALOG_URL),
      siteDomain: env.PROVISIONING_SITE_DOMAIN,
    }),
    plans:
      env.LICENSE_MANAGER_URL === undefined
        ? localPlans(licensing)
        : httpPlans(service('license-manager', env.LICENSE_MANAGER_URL)),
    subscriptions:
      env.LICENSE_MANAGER_URL === undefined
        ? localSubscriptions(licensing)
        : httpSubscriptions(service('license-manager', env.LICENSE_MANAGER_URL)),
    mail: mailDelivery({ db, clock: systemClock, braze: braze(env), campaignIds: env }),
    files,
    settings,
    jobRuns: watchJobRuns(db, log),
    ownerOf: ownersIn(db),
    workflowOf,
    cache,
    shared,
    localFiles: local,
    async close() {
      shared?.close();
      await decisionsStored(db);
      await db.destroy();
    },
  };
}
