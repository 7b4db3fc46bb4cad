import { databaseUrlProblem } from '@enterprise-access/db';
import { campaigns, flag, settings } from '@enterprise-access/domain';
import { z } from 'zod';

const url = z.url();
export const integer = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);
/** A comma-separated list. */
export const list = (standard: string) =>
  z
    .string()
    .default(standard)
    .transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
    );

/** Validates a database URL. Unknown parameters are errors, because one of them could have been meant to enable TLS. */
const checkDatabaseUrl = ({ value, issues }: z.core.ParsePayload<string>): void => {
  const problem = databaseUrlProblem(value);
  if (problem !== null) issues.push({ code: 'custom', message: problem, input: value });
};

export const jobsDatabaseUrl = z
  .string()
  .regex(/^postgres(ql)?:\/\//, { error: 'must be a postgres:// URL', abort: true })
  .check(checkDatabaseUrl);

const MEMCACHED_SERVER = /^([^:@\s]+:[^@\s]+@)?[\w.-]+(:\d+)?$/;

const campaignIds = Object.fromEntries(
  Object.entries(campaigns).map(([name, occasion]) => [
    name,
    z.string().optional().describe(`Mail campaign. ${occasion}`),
  ]),
);

/** Environment variables of all processes. */
export const serviceEnvironment = z.object({
  NODE_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .describe('Production refuses development secrets and the sandbox.'),
  HOST: z.string().default('127.0.0.1').describe('IP address to listen on.'),
  PUBLIC_URL: url
    .optional()
    .describe(
      'Public URL of this service, including a path that a proxy removes; used in links. Outside production the default is http://localhost:$PORT.',
    ),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Minimum log level.'),
  DATABASE_URL: z
    .string()
    .regex(/^(postgres(ql)?|mysql|mariadb):\/\//, { error: 'must be a postgres:// or mysql:// URL', abort: true })
    .check(checkDatabaseUrl)
    .describe('Business database.'),
  DATABASE_START_SECONDS: integer(0, 3_600)
    .default(60)
    .describe('How long a process waits for its databases at the start, in seconds.'),
  DATABASE_POOL_SIZE: integer(1, 500).default(20).describe('Size of the connection pool of this process.'),
  LMS_URL: url.describe('Base URL of the LMS.'),
  ENTERPRISE_CATALOG_URL: url.describe('Base URL of enterprise-catalog.'),
  ENTERPRISE_SUBSIDY_URL: url
    .optional()
    .describe('Base URL of an enterprise-subsidy service with the ledger; without it the embedded ledger is used.'),
  LICENSE_MANAGER_URL: url
    .optional()
    .describe(
      'Base URL of a license-manager with the plans of licences; without it the licences of this service are used.',
    ),
  PROVISIONING_SITE_DOMAIN: z.string().min(1).default('example.com').describe('Site of new customers in the LMS.'),
  STRIPE_API_KEY: z.string().optional().describe('Secret key of the Stripe account; without it nothing can be bought.'),
  STRIPE_API_URL: url.default('https://api.stripe.com').describe('Base URL of Stripe; another one for tests only.'),
  OAUTH2_URL: url.describe('Base URL of the token endpoint.'),
  BACKEND_SERVICE_EDX_OAUTH2_KEY: z.string().min(1).describe('Client id of this service.'),
  BACKEND_SERVICE_EDX_OAUTH2_SECRET: z.string().min(1).describe('Client secret of this service.'),
  UPSTREAM_TIMEOUT_MS: integer(100, 120_000)
    .default(10_000)
    .describe('Timeout of a call to another service including retries, in milliseconds.'),
  ENROLLMENT_TIMEOUT_MS: integer(100, 120_000)
    .default(20_000)
    .describe(
      'Timeout of enrollments and unenrollments, in milliseconds; spends in a subsidy service get 1.5 times this.',
    ),
  MEMCACHED_SERVERS: list('')
    .pipe(z.array(z.string().regex(MEMCACHED_SERVER, 'must be [user:password@]host[:port], separated by commas')))
    .describe(
      'memcached servers, host:port, separated by commas, that all processes share; without them each process keeps a cache and counts throttles of its own.',
    ),
  MEMCACHED_TIMEOUT_MS: integer(10, 5_000).default(200).describe('Timeout of memcached commands, in milliseconds.'),
  CACHE_KEY_VERSION_STAMP: z
    .string()
    .max(100)
    .default('')
    .describe('Part of every memcached key; changing it empties the cache of all processes.'),
  BRAZE_API_URL: url.optional().describe('Base URL of the mail service (Braze); without it no mails are sent.'),
  BRAZE_API_KEY: z.string().optional().describe('API key of Braze; required with BRAZE_API_URL.'),
  ...(campaignIds as object),
  FILES_S3_BUCKET: z
    .string()
    .min(1)
    .optional()
    .describe('Bucket for files that callers download, such as results of bulk enrollments; without it FILES_FOLDER.'),
  S3_REGION: z.string().min(1).default('us-east-1').describe('Region of FILES_S3_BUCKET.'),
  S3_ENDPOINT: url.optional().describe('Base URL of a service with the interface of S3; default AWS.'),
  S3_ACCESS_KEY_ID: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Access key for the bucket; without it AWS’s own search order applies, such as the role of the instance.',
    ),
  S3_SECRET_ACCESS_KEY: z.string().min(1).optional().describe('Secret of the access key.'),
  FILES_FOLDER: z
    .string()
    .min(1)
    .default('.data/files')
    .describe(
      'Folder for files that callers download, which the API and the worker share; used without FILES_S3_BUCKET.',
    ),
  FILES_LINK_SECRET: z
    .string()
    .min(32)
    .optional()
    .describe(
      'Signs links to files in FILES_FOLDER; all API processes need the same. Without it each process makes its own.',
    ),
  FRONTEND_APP_LEARNING_URL: url
    .optional()
    .describe('Base URL of the learning front end, for `courseware_url` with the embedded ledger; default the LMS.'),
  ENTERPRISE_ADMIN_PORTAL_URL: url
    .optional()
    .describe('Base URL of the administrators’ portal, for links in replies and mails.'),
  ENTERPRISE_LEARNER_PORTAL_URL: url.optional().describe('Base URL of the learner portal, for links in mails.'),
  ...(settings.variables as object),
  OTEL_EXPORTER_OTLP_ENDPOINT: url
    .optional()
    .describe('OpenTelemetry collector for traces over HTTP; without it tracing is off.'),
  SANDBOX: flag.default(false).describe('Whether the sandbox replaces other services; not allowed in production.'),
});
export type ServiceEnvironment = z.infer<typeof serviceEnvironment>;

/** The environment is invalid; the message has one line per problem. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** Client secret that `npm start` uses with the sandbox. Public in this repository, so production refuses it. */
export const SANDBOX_CLIENT_SECRET = 'sandbox';

/** Key of the sandbox's Stripe. Production refuses it, too. */
export const SANDBOX_STRIPE_KEY = 'sk_test_sandbox';

/** Mail API key of the sandbox. Production refuses it, too. */
export const SANDBOX_BRAZE_KEY = 'sandbox';

/**
 * Parses the environment; throws one `EnvironmentError` with all problems. `problemsOf` checks combinations of values
 * that are valid individually.
 */
export function parseEnvironment<E extends ServiceEnvironment>(
  schema: z.ZodType<E>,
  variables: Variables,
  problemsOf: (env: E) => string[] = () => [],
): E {
  // An empty variable counts as not set.
  const given = Object.fromEntries(
    Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new EnvironmentError(parsed.error.issues.map((issue) => problem(issue, given)).join('\n'));
  const problems = [
    ...productionProblems(parsed.data),
    ...mailProblems(parsed.data),
    ...fileProblems(parsed.data),
    ...problemsOf(parsed.data),
  ];
  if (problems.length > 0) throw new EnvironmentError(problems.join('\n'));
  return parsed.data;
}

const mailProblems = (env: ServiceEnvironment): string[] =>
  (env.BRAZE_API_URL === undefined) === (env.BRAZE_API_KEY === undefined)
    ? []
    : ['BRAZE_API_URL and BRAZE_API_KEY are set together or not at all.'];

const fileProblems = (env: ServiceEnvironment): string[] =>
  (env.S3_ACCESS_KEY_ID === undefined) === (env.S3_SECRET_ACCESS_KEY === undefined)
    ? []
    : ['S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY are set together or not at all.'];

function productionProblems(env: ServiceEnvironment): string[] {
  if (env.NODE_ENV !== 'production') return [];
  const problems: string[] = [];
  if (env.SANDBOX) problems.push('SANDBOX cannot be on in production.');
  if ('ALLOW_DEMO_DATA' in env && env.ALLOW_DEMO_DATA === true)
    problems.push('ALLOW_DEMO_DATA cannot be on in production.');
  if (env.BACKEND_SERVICE_EDX_OAUTH2_SECRET === SANDBOX_CLIENT_SECRET)
    problems.push('BACKEND_SERVICE_EDX_OAUTH2_SECRET is the development secret.');
  if (env.BRAZE_API_KEY === SANDBOX_BRAZE_KEY) problems.push('BRAZE_API_KEY is the key of the sandbox.');
  if (env.STRIPE_API_KEY === SANDBOX_STRIPE_KEY) problems.push('STRIPE_API_KEY is the key of the sandbox.');
  if (env.PUBLIC_URL === undefined) problems.push('PUBLIC_URL is not set: links in replies would lead nowhere.');
  return problems;
}

function problem(issue: z.core.$ZodIssue, given: Variables): string {
  // Problems of list items are reported for their variable.
  const name = String(issue.path[0]);
  return given[name] === undefined ? `${name} is not set.` : `${name} is not valid: ${issue.message}.`;
}
